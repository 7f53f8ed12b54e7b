"""A real bloop for tests: started by its command on a free port, with its own data; it leaves no trace."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import psutil

from bloop.accounts.sign_ins.store import create_sign_in
from bloop.base import config
from bloop.base.clock import now_ms
from bloop.db import connection
from bloop.ring import Segment
from tests.stored import request_ids
from tests.waiting import until

BLOOP = Path(sys.executable).with_name("bloop")
START_S = 60.0
STOP_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """Ours without bloop's settings, and with compiled modules kept: seven processes start for every server."""
    dropped = ("bloop", "pythondontwritebytecode", "make", "mflags", "args")  # make exports its own
    return {name: value for name, value in os.environ.items() if not name.lower().startswith(dropped)}


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class BloopServer:
    """`bloop up` on one folder. Start, stop and kill it as often as you like; the folder stays."""

    def __init__(self, folder: Path, *, quiet: bool = False, **variables: str) -> None:
        """`quiet`: it prints no keys and links, which takes another process, a quarter of a start's CPU time."""
        self.folder = folder
        self.port = free_port()
        self.secret = secrets.token_hex(32)
        self.database_path = folder / "bloop.db"
        self.env = clean_environment() | {
            "BLOOP__AUTH__HMAC_SECRET": self.secret,
            "BLOOP__DATABASE__PATH": str(self.database_path),
            "BLOOP__DATABASE__DISK_FREE_BYTES_MIN": "0",  # no test depends on how full this machine's disk is
            "BLOOP__SERVER__HOST": "127.0.0.1",
            "BLOOP__SERVER__PORT": str(self.port),
            "BLOOP__SERVER__WORKERS": "2",
            "BLOOP__INGEST__CHANNEL_CAPACITY": "8192",
            "BLOOP__RATE_LIMIT__PER_SECOND": "0",
            **variables,
        }
        self.settings = config.load(None, self.env)
        self.process: subprocess.Popen[bytes] | None = None
        self.command = [str(BLOOP), "up", *(["--quiet"] if quiet else [])]
        self.runs = 0

    # Start and stop

    def start(self, *, wait: bool = True) -> BloopServer:
        assert self.process is None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.runs += 1
        with self.stdout_path.open("wb") as out, self.stderr_path.open("wb") as err:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        assert self.process is not None
        running = self.process
        until(lambda: "\nready http" in f"\n{self.output}" or running.poll() is not None, "ready", START_S)
        assert running.poll() is None, f"ended with {running.returncode}:\n{self.log}"

    def interrupt(self) -> None:
        """Send SIGINT to its process group, as a terminal does on Ctrl-C."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGINT)

    def wait_ended(self, within_s: float = STOP_S) -> int:
        assert self.process is not None
        code = self.process.wait(within_s)
        self.process = None
        return code

    def stop(self) -> int:
        self.interrupt()
        return self.wait_ended()

    def kill_supervisor(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def end(self) -> None:
        """End it in any state; for fixtures."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def remove_traces(self) -> None:
        """End it, and remove the remains of a failed test."""
        self.end()
        for process in self.family():
            process.kill()
        until(lambda: not self.family(), "its processes to end")
        Segment.unlink(self.settings.ring_name)

    # Its output

    @property
    def stdout_path(self) -> Path:
        return self.folder / f"stdout-{self.runs}.txt"

    @property
    def stderr_path(self) -> Path:
        return self.folder / f"stderr-{self.runs}.txt"

    @property
    def output(self) -> str:
        return self.stdout_path.read_text()

    @property
    def log(self) -> str:
        return self.stderr_path.read_text()

    # Its processes

    def pids(self, kind: str) -> list[int]:
        """Live processes of a kind: `supervisor`, `writer`, `ingest`, `dashboard` (the masters), `ingest-worker` …"""
        if self.process is None or self.process.poll() is not None:
            return []
        if kind == "supervisor":
            return [self.process.pid]
        name, _, is_worker = kind.partition("-")
        masters = [p for p in _children(self.process.pid) if _name(p) == f"bloop-{name}"]
        processes = [child for master in masters for child in _children(master.pid)] if is_worker else masters
        return [p.pid for p in processes]

    def family(self) -> list[psutil.Process]:
        """Every process that works on this folder, whatever its parent."""
        marker = f"BLOOP__DATABASE__PATH={self.database_path}\0".encode()
        return [process for process in psutil.process_iter() if marker in _environment(process.pid)]

    def leftovers(self) -> list[str]:
        """Remains that a clean stop must not leave: processes, shared memory, sockets, pid files."""
        shared = [f"/dev/shm{name}" for name in (self.settings.ring_name,)]
        shared.append(f"/dev/shm/sem.{self.settings.ring_name[1:]}.bell")
        files = [path for path in (*shared, str(self.settings.run_dir)) if os.path.exists(path)]
        return files + [f"{p.pid}: {_command(p)}" for p in self.family()]

    # Requests and queries

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as client:
            client.request(method, path, body, dict(headers or {}))
            response = client.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())

    def status(self, method: str, path: str) -> int:
        """The status of the answer; 0 when the connection is refused or dies."""
        try:
            return self.request(method, path).status
        except (OSError, http.client.HTTPException):
            return 0

    def send(self, *events: dict[str, Any], key: str | None = None) -> Answer:
        """One event by the single route, several as a batch; signed with `key` or the secret."""
        path, body = ("/v1/ingest", events[0]) if len(events) == 1 else ("/v1/ingest/batch", {"events": list(events)})
        raw = json.dumps(body).encode()
        return self.request("POST", path, raw, signed(raw, key or self.secret, name_key=key is not None))

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on this server's settings."""
        done = subprocess.run(
            [str(BLOOP), *arguments], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=60
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def token(self, project: str = "default", scopes: str = "errors:read") -> str:
        return self.cli("token", "create", "test", "--project", project, "--scopes", scopes).stdout.strip()

    def session(self, user_id: str | None = None) -> str:
        """The cookie of a signed-in user; without `user_id`, of the operator."""
        with contextlib.closing(connection.open_control(self.database_path)) as db, connection.immediate(db):
            return create_sign_in(db, user_id, now_ms=now_ms(), ttl_s=3600)

    def errors(self, token: str, query: str = "limit=200") -> Any:
        answer = self.request("GET", f"/v1/errors?{query}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status == 200, answer
        return answer.json

    @contextlib.contextmanager
    def reader(self) -> Iterator[apsw.Connection]:
        with contextlib.closing(connection.open_reader(self.database_path)) as db:
            yield db

    def stored_ids(self) -> list[str]:
        """Every stored event's request id, duplicates included."""
        with self.reader() as db:
            return [name for name in request_ids(db) if name is not None]

    def ring_stat(self) -> Any:
        """Waiting, accepted, spilled and dropped records by lane."""
        return json.loads(self.cli("ring", "stat", "--json").stdout)

    def ledger(self) -> dict[tuple[int, int], int]:
        """(project id, outcome) → count since the beginning."""
        with self.reader() as db:
            return {(p, o): n for p, o, n in db.execute("SELECT project_id, outcome, count FROM ledger_totals")}


def event(request_id: str | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": now_ms(),
        "source": "api",
        "environment": "test",
        "release": "1.0.0",
        "error_type": "TestError",
        "message": "made by a test",
        "request_id": request_id,
        **fields,
    }


def signed(raw: bytes, key: str, *, name_key: bool = False) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "X-Signature": hmac.new(key.encode(), raw, hashlib.sha256).hexdigest(),
    }
    return headers | ({"X-Project-Key": key} if name_key else {})


def sign_in_link(text: str) -> str:
    link = re.search(r"https?://\S+/auth/login\?token=\S+", text)
    assert link, text
    return link[0]


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def _name(process: psutil.Process) -> str:
    """Its name in the kernel; forks share their supervisor's command line."""
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # gone, a zombie, or another user's
        return b""
