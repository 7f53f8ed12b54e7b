"""`make run` as the README shows it: one command, whose printed curl command is pasted.

The environment is set up already here; `RUNNABLE=` keeps make from looking at it.
"""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.harness import BloopServer, sign_in_link
from tests.stored import stored_events
from tests.waiting import until

ROOT = Path(__file__).parents[2]


class MadeServer(BloopServer):
    """Started by make, with nothing set but the port and the database."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in [name for name in self.env if name.startswith("BLOOP__")]:
            if name not in ("BLOOP__DATABASE__PATH", "BLOOP__SERVER__PORT"):
                del self.env[name]
        self.command = ["make", "-C", str(ROOT), "run", "RUNNABLE="]

    @property
    def secret_path(self) -> Path:
        return self.folder / "secret"


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[Callable[[str], MadeServer]]:
    servers: list[MadeServer] = []

    def make(name: str) -> MadeServer:
        servers.append(MadeServer(tmp_path / name))
        return servers[-1]

    yield make
    for server in servers:
        server.remove_traces()


def listening_addresses(server: MadeServer) -> set[str]:
    listeners = [c for p in server.family() for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    return {listener.laddr.ip for listener in listeners}


def pasted_curl(output: str) -> str:
    curl = re.search(r"^  (curl .*)$", output, re.MULTILINE)
    assert curl, output
    return curl[1]


def test_pasted_curl_stores_an_event_and_ctrl_c_ends_every_process(make_run: Callable[[str], MadeServer]):
    server = make_run("a").start()
    key_line = server.output.splitlines()[server.output.splitlines().index("Key of the project 'default':") + 1]

    done = subprocess.run(["bash", "-c", pasted_curl(server.output)], capture_output=True, text=True, timeout=20)

    assert json.loads(done.stdout) == {"status": "accepted"}
    assert key_line.strip() == server.secret_path.read_text().strip()
    assert stat.S_IMODE(server.secret_path.stat().st_mode) == 0o600
    assert sign_in_link(server.output).startswith(f"http://localhost:{server.port}/auth/login?token=")
    server.interrupt()
    server.wait_ended()
    with server.reader() as db:
        assert [event.message for event in stored_events(db)] == ["The first event"]
    assert server.leftovers() == []


def test_it_listens_on_this_machine_only_unless_told_otherwise(make_run: Callable[[str], MadeServer]):
    own, everywhere = make_run("a"), make_run("b")
    everywhere.env["BLOOP__SERVER__HOST"] = "0.0.0.0"

    addresses = [listening_addresses(server.start()) for server in (own, everywhere)]

    assert addresses == [{"127.0.0.1"}, {"0.0.0.0"}]


def test_second_start_keeps_the_key_and_finds_the_events(make_run: Callable[[str], MadeServer]):
    server = make_run("a").start()
    curl, key = pasted_curl(server.output), server.secret_path.read_text()
    subprocess.run(["bash", "-c", curl], capture_output=True, check=True, timeout=20)
    server.interrupt()
    server.wait_ended()

    server.start()

    assert server.secret_path.read_text() == key
    assert key.strip() not in server.output
    assert f"Print the key of the project 'default':\n  bloop welcome --data {server.folder}\n" in server.output
    assert key.strip() in server.cli("welcome", "--data", str(server.folder)).stdout
    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=20)
    assert json.loads(done.stdout) == {"status": "accepted"}
    (row,) = until(lambda: server.errors(server.token()), "the issue")
    until(lambda: server.errors(server.token())[0]["total_count"] == 2, "both events")
    assert row["error_type"] == "HelloBloop"


def test_two_copies_have_ports_secrets_and_data_of_their_own(make_run: Callable[[str], MadeServer]):
    first, second = make_run("a").start(), make_run("b").start()

    assert first.secret_path.read_text() != second.secret_path.read_text()
    done = subprocess.run(["bash", "-c", pasted_curl(second.output)], capture_output=True, text=True, timeout=20)

    assert json.loads(done.stdout) == {"status": "accepted"}
    assert until(lambda: second.errors(second.token()), "the event in the second copy")
    assert first.errors(first.token()) == []
