"""`bloop status` and `bloop doctor` beside a real bloop, healthy and unhealthy."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bloop.base.reasons import Reason
from bloop.cli.processes import KINDS
from bloop.cli.status import REMEDIES
from tests.acceptance.harness import BLOOP, BloopServer, event
from tests.waiting import until


def status(server: BloopServer) -> tuple[int, dict[str, Any]]:
    done = server.cli("status", "--json", check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.faults
def test_status_lists_processes_records_and_problems(server: BloopServer):
    server.send(*(event(str(n)) for n in range(3)))
    until(lambda: len(server.stored_ids()) == 3, "the events to be stored")

    code, current = status(server)

    assert (code, current["state"], current["reasons"]) == (0, "well", [])
    assert {process["name"].partition(" ")[0] for process in current["processes"]} == set(KINDS)
    assert {process["pid"] for process in current["processes"]} == {process.pid for process in server.family()}
    assert current["records"]["day"] == {"received": 3, "stored": 3}
    assert "bloop is healthy" in server.cli("status").stdout

    (writer,) = server.pids("writer")
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))  # every write of the writer fails
    server.send(event("late"))
    until(lambda: status(server)[1]["reasons"] == [Reason.WRITER_BUSY], "the failing disk to be reported")
    assert status(server)[0] == 1
    assert REMEDIES[Reason.WRITER_BUSY] in server.cli("status", check=False).stdout
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    until(lambda: status(server)[0] == 0, "recovery")

    server.stop()
    code, current = status(server)
    assert (code, current["state"]) == (2, "down")
    assert current["records"]["day"]["stored"] == 4


def test_doctor_reports_no_problem_on_a_healthy_server(server: BloopServer):
    done = server.cli("doctor", "--json", check=False)

    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert [f for f in findings.values() if f["verdict"] == "wrong"] == []
    assert done.returncode == 0
    assert {"port", "proxy", "live stream", "public address", "schema"} <= findings.keys()
    assert server.secret not in done.stdout


def left_behind(server: BloopServer) -> tuple[Any, ...]:
    """What a request to this bloop would leave."""
    with server.reader() as db:
        tables = ("ledger_totals", "rejections", "sign_ins", "login_links", "dead_letters")
        rows = tuple(tuple(db.execute(f"SELECT * FROM {table}")) for table in tables)
    return rows, {path.name for path in server.settings.run_dir.iterdir()}


def test_doctor_leaves_nothing_behind(server: BloopServer):
    server.send(event("one"))
    until(lambda: server.stored_ids() == ["one"], "the event to be stored")
    before = left_behind(server)

    server.cli("doctor")
    server.send(event("two"))
    until(lambda: len(server.stored_ids()) == 2, "an event to be stored after anything the doctor sent")

    (totals, *rest), files = left_behind(server)
    (totals_before, *rest_before), files_before = before
    assert (rest, files) == (rest_before, files_before)
    assert {row[2] for row in totals} == {row[2] for row in totals_before}, "no outcome but received and stored"


@pytest.fixture
def neighbour() -> Iterator[socket.socket]:
    """A port on which another program listens, and counts who comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def test_doctor_finds_the_port_of_its_bloop_by_the_data_folder(server: BloopServer):
    env = {name: value for name, value in server.env.items() if not name.startswith("BLOOP__")}
    command = [str(BLOOP), "doctor", "--json", "--data", str(server.folder)]

    done = subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, timeout=60)

    says = {finding["subject"]: finding["says"] for finding in json.loads(done.stdout)}
    (supervisor,) = server.pids("supervisor")
    assert says["instance"] == f"{server.database_path}, process {supervisor}, http://localhost:{server.port}"
    assert says["port"] == f"{server.port} is bloop's"
    assert says["public address"] == f"http://localhost:{server.port} is this bloop"


@pytest.mark.parametrize("is_running", [True, False])
def test_doctor_never_sends_to_a_neighbour(make_server: Any, neighbour: socket.socket, is_running: bool):
    server = make_server()
    server.start()
    if not is_running:
        server.stop()
    port = neighbour.getsockname()[1]
    server.env |= {"BLOOP__SERVER__PORT": str(port), "BLOOP__AUTH__RP_ORIGIN": f"http://localhost:{port}"}

    done = server.cli("doctor", "--json", check=False)

    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert findings["public address"]["verdict"] == "warning"
    assert "was not asked" in findings["public address"]["says"]
    with pytest.raises(BlockingIOError):
        neighbour.accept()


def test_doctor_believes_only_the_bloop_of_its_own_data(make_server: Any):
    ours, other = make_server("ours").start(), make_server("other").start()
    before = left_behind(other)
    ours.env["BLOOP__AUTH__RP_ORIGIN"] = f"http://localhost:{other.port}"

    done = ours.cli("doctor", "--json", check=False)

    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert findings["public address"]["verdict"] == "wrong"
    assert f"not as the bloop of {ours.database_path}" in findings["public address"]["says"]
    assert not {"proxy", "live stream"} & findings.keys()
    assert left_behind(other) == before


def test_status_outside_the_data_folder_says_where_it_looked(tmp_path: Path):
    env = {name: value for name, value in os.environ.items() if not name.lower().startswith("bloop")}

    done = subprocess.run([str(BLOOP), "status"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)

    places = f"{tmp_path}/data/bloop.db or {tmp_path}/bloop.db"
    advice = "and no bloop runs on it; --config or --data name another"
    assert done.stderr == f"bloop: there is no database {places}, {advice}\n"
    assert (done.returncode, done.stdout) == (2, "")


def test_commands_say_which_data_they_use_when_nobody_told_them(server: BloopServer):
    env = {name: value for name, value in server.env.items() if name != "BLOOP__DATABASE__PATH"}

    def stderr(*flags: str) -> str:
        command = [str(BLOOP), "project", "list", *flags]
        return subprocess.run(
            command, cwd=server.folder, env=env, capture_output=True, text=True, timeout=60, check=True
        ).stderr

    assert stderr() == f"bloop: using {server.database_path}\n"
    assert stderr("--data", str(server.folder)) == ""


def test_every_reason_has_a_remedy():
    assert set(REMEDIES) == set(Reason)
