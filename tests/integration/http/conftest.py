"""Real Gunicorn processes on loopback, started by the tests that need them and gone when those end."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.http.wire import PATIENCE_S, Wire

ROOT = Path(__file__).resolve().parents[3]

_COMMON = """
control_socket_disable = True
worker_tmp_dir = "/dev/shm"
graceful_timeout = 5
"""

_INGEST = """
from bloop.http.ingest_worker import make_ingest_worker
from bloop.http.limits import HttpLimits
worker_class = make_ingest_worker(
    is_ours=lambda path: path.startswith(b"/v1/"), handoff_path={handoff_path!r}, limits=HttpLimits({limits})
)
workers = {workers}
"""

_DASHBOARD = """
from dataclasses import replace
from bloop.http.dashboard_worker import DASHBOARD_LIMITS, make_dashboard_worker
worker_class = make_dashboard_worker(
    {handoff_path!r}, replace(DASHBOARD_LIMITS, {limits}), threads=3, spool_folder={folder!r}
)
"""


class Gunicorn:
    """One Gunicorn master with its workers. Its listening socket exists before it does, so clients never race it."""

    def __init__(self, folder: Path, name: str, settings: str, extra: str = "", app: str = "app") -> None:
        self._config = folder / f"{name}.conf.py"
        self._log = folder / f"{name}.log"
        self._workers: list[psutil.Process] = []
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
            self.port: int = listener.getsockname()[1]
            bind = f'bind = "fd://{listener.fileno()}"\n'
            self._config.write_text(_COMMON + bind + settings + extra)
            command = [
                sys.executable,
                "-m",
                "gunicorn",
                "-c",
                str(self._config),
                f"tests.integration.http.echo_app:{app}",
            ]
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    command, cwd=ROOT, pass_fds=[listener.fileno()], stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )

    def wire(self, receive_buffer_bytes: int | None = None) -> Wire:
        return Wire(self.port, receive_buffer_bytes)

    def worker_pids(self) -> set[int]:
        return {child.pid for child in psutil.Process(self._process.pid).children()}

    def worker_fds(self) -> int:
        """Open descriptors of all workers together."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.worker_pids())

    def send_signal(self, signum: int) -> None:
        self._process.send_signal(signum)

    def wait(self) -> int:
        return self._process.wait(PATIENCE_S)

    def log(self) -> str:
        return self._log.read_text()

    def begin_to_stop(self) -> None:
        self._workers = psutil.Process(self._process.pid).children() if self._process.poll() is None else []
        self.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Finish stopping, if necessary by force, workers too; then check that no safety net caught an error."""
        try:
            self.wait()
        finally:
            for process in self._workers:
                if process.is_running():
                    process.kill()
            self._process.kill()
            self._process.wait()
        assert "a connection failed and was closed" not in self.log()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http")


def stop_all(servers: list[Gunicorn]) -> None:
    for server in servers:
        server.begin_to_stop()
    for server in servers:
        server.stop()


Start = Callable[..., Gunicorn]


@pytest.fixture(scope="module")
def start_ingest(folder: Path) -> Iterator[Start]:
    """A function that starts an ingest server; `limits` as in HttpLimits(...), `extra` lines for the conf file."""
    servers: list[Gunicorn] = []

    def start(limits: str = "", workers: int = 1, extra: str = "", handoff: str = "handoff.sock") -> Gunicorn:
        settings = _INGEST.format(limits=limits, workers=workers, handoff_path=str(folder / handoff))
        servers.append(Gunicorn(folder, f"ingest{len(servers)}", settings, extra))
        return servers[-1]

    yield start
    stop_all(servers)


@pytest.fixture(scope="module")
def start_dashboard(folder: Path) -> Iterator[Start]:
    """A function that starts a dashboard server and waits until clients can be handed to it."""
    servers: list[Gunicorn] = []

    def start(limits: str = "", extra: str = "", handoff: str = "handoff.sock", app: str = "app") -> Gunicorn:
        settings = _DASHBOARD.format(limits=limits, handoff_path=str(folder / handoff), folder=str(folder))
        servers.append(Gunicorn(folder, f"dashboard{len(servers)}", settings, extra, app))
        with servers[-1].wire() as wire:
            assert wire.get("/page").status == 200
        return servers[-1]

    yield start
    stop_all(servers)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Room for thousands of sockets in this process and in the servers it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, raised), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
