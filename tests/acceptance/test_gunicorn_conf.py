"""The processes without their supervisor, as a service manager runs them; ingest by Gunicorn's own command."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bloop.ring import Segment
from tests.acceptance.harness import BloopServer, event, until

ROOT = Path(__file__).parents[2]
GUNICORN = Path(sys.executable).with_name("gunicorn")

Run = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def run(make_server: Callable[..., BloopServer]) -> Iterator[tuple[BloopServer, Run]]:
    """Starts single processes on one server's settings; stops them in the opposite order."""
    server = make_server()
    server.folder.mkdir()
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(server.stderr_path.open("wb"))

        def start(*command: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([*command], cwd=server.folder, env=server.env, stderr=log)
            stack.callback(process.wait, 20)
            stack.callback(process.send_signal, signal.SIGTERM)
            return process

        yield server, start
    Segment.unlink(server.settings.ring_name)


def is_up(server: BloopServer, path: str) -> bool:
    try:
        return server.request("OPTIONS", path).status < 500
    except OSError:
        return False


def test_gunicorn_runs_the_ingest_server_by_its_settings_file(run: tuple[BloopServer, Run]):
    server, start = run
    start(sys.executable, "-P", "-m", "workers.writer")
    start(str(GUNICORN), "-c", str(ROOT / "gunicorn.conf.py"))
    until(lambda: is_up(server, "/v1/ingest"), "ingest to answer", 20)

    sent, page = server.send(event("by-gunicorn")), server.request("GET", "/health")

    assert sent.json == {"status": "accepted"}
    assert page.status == 503  # there is no dashboard
    until(lambda: server.stored_ids() == ["by-gunicorn"], "the event to be stored")


def test_processes_find_each_other_in_any_order(run: tuple[BloopServer, Run]):
    server, start = run
    start(sys.executable, "-P", "-m", "workers.dashboard")
    start(sys.executable, "-P", "-m", "workers.ingest")
    until(lambda: server.settings.run_dir.exists(), "the first process")
    start(sys.executable, "-P", "-m", "workers.writer")

    until(lambda: is_up(server, "/v1/ingest") and server.request("GET", "/ready").status == 200, "readiness", 20)
    sent = server.send(event("any-order"))

    assert sent.json == {"status": "accepted"}
    until(lambda: server.stored_ids() == ["any-order"], "the event to be stored")


def test_ingest_that_cannot_start_says_so_by_its_exit_code(run: tuple[BloopServer, Run]):
    server, start = run
    server.env["BLOOP__AUTH__HMAC_SECRET"] = "short"

    process = start(sys.executable, "-P", "-m", "workers.ingest")

    assert process.wait(20) == 78
    assert "auth.hmac_secret" in server.log
