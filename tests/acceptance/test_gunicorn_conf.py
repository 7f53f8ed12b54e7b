"""The processes without their supervisor, as a service manager runs them; ingest by Gunicorn's own command."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bloop.ring import Segment
from tests.acceptance.harness import BloopServer, event
from tests.waiting import until

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


def test_gunicorn_runs_the_ingest_server_by_its_settings_file(run: tuple[BloopServer, Run]):
    server, start = run
    start(sys.executable, "-P", "-m", "workers.writer")
    start(str(GUNICORN), "-c", str(ROOT / "gunicorn.conf.py"))
    until(lambda: server.status("OPTIONS", "/v1/ingest") == 204, "ingest to answer", 20)

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

    until(lambda: server.status("GET", "/ready") == 200, "readiness", 20)
    sent = server.send(event("any-order"))

    assert sent.json == {"status": "accepted"}
    until(lambda: server.stored_ids() == ["any-order"], "the event to be stored")


def test_ingest_that_cannot_start_has_its_own_exit_code(run: tuple[BloopServer, Run]):
    server, start = run
    server.env["BLOOP__AUTH__HMAC_SECRET"] = "short"

    process = start(sys.executable, "-P", "-m", "workers.ingest")

    assert process.wait(20) == 78
    assert "auth.hmac_secret" in server.log


def test_ring_that_is_not_ours_ends_the_ingest_server(run: tuple[BloopServer, Run]):
    """Trying again changes nothing, so the worker's refusal ends its master, with the code that says so."""
    server, start = run
    name = server.settings.ring_name
    Path(f"/dev/shm{name}").write_bytes(b"x" * 8192)

    process = start(sys.executable, "-P", "-m", "workers.ingest")

    assert process.wait(20) == 78
    assert f"cannot start: shared memory {name} is not a bloop ring" in server.log


def test_systemd_is_notified_when_a_process_is_ready_alive_and_stopping(run: tuple[BloopServer, Run], tmp_path: Path):
    server, start = run
    heard: dict[str, list[str]] = {"writer": [], "ingest": [], "dashboard": []}
    with contextlib.ExitStack() as stack:
        listeners = {}
        for name in heard:
            listeners[name] = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            listeners[name].bind(str(tmp_path / name))
            listeners[name].setblocking(False)

        def has_heard(name: str, word: str) -> bool:
            with contextlib.suppress(BlockingIOError):
                heard[name].append(listeners[name].recv(4096).decode())
            return any(word in message for message in heard[name])

        processes = {}
        for name in ("ingest", "dashboard", "writer"):
            server.env |= {"NOTIFY_SOCKET": str(tmp_path / name), "WATCHDOG_USEC": "3000000"}
            processes[name] = start(sys.executable, "-P", "-m", "workers.command", name)
            if name != "writer":  # a master without a worker that answers is not ready
                until(lambda name=name: has_heard(name, "WATCHDOG=1"), f"{name} to live", 20)
                assert not has_heard(name, "READY=1")
        for name in heard:
            until(lambda name=name: has_heard(name, "READY=1"), f"{name} to be ready", 20)
        for name, process in processes.items():
            process.send_signal(signal.SIGTERM)
            until(lambda name=name: has_heard(name, "STOPPING=1"), f"{name} to stop", 20)
            assert process.wait(20) == 0

    assert [message for message in heard["writer"] if "READY" in message] == ["READY=1\nSTATUS=storing"]
    assert [message for message in heard["ingest"] if "READY" in message] == ["READY=1\nSTATUS=serving"]
