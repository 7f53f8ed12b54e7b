"""A machine booted by systemd: a container over the tree, with a temporary disk and its own network only."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from tests.acceptance.harness import Answer, until
from tests.systemd.tree import ROOT, Unavailable

BOOT_S = 40.0
HALT_S = 40.0
POWER_OFF = signal.SIGRTMIN + 4  # systemd(1)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PORT = 5332


class Machine:
    """Made by `booted`. `run` runs a command inside; `outside` is a command on its network with our files."""

    def __init__(self, leader: int, sources: Path) -> None:
        self.leader = leader
        self.sources = sources  # a folder of ours, /sources inside

    def run(self, *command: str, check: bool = True, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        entered = ["nsenter", "--all", f"--target={self.leader}", "env", "-i", f"PATH={PATH}", "LANG=C.UTF-8", *command]
        done = subprocess.run(entered, capture_output=True, text=True, timeout=timeout_s)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def output(self, *command: str) -> str:
        return self.run(*command).stdout.strip()

    def python(self, script: str, *arguments: str) -> str:
        """Run a script by the Python of the installed bloop, with its packages."""
        return self.output("/opt/bloop/current/bin/python", "-P", "-c", script, *arguments)

    def write(self, path: str, text: str) -> None:
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && printf %s "$2" >"$1"', "sh", path, text)

    def unit_property(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.output("systemctl", "show", "--property", name, "--value", unit)

    def journal(self, *arguments: str) -> str:
        return self.output("journalctl", "--quiet", "--no-pager", "--output=cat", *arguments)

    def outside(self, *command: str) -> list[str]:
        """The command line that runs outside, with our files and programs, on the machine's network."""
        return ["nsenter", f"--net=/proc/{self.leader}/ns/net", "--", *command]

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: str = "") -> Answer:
        output = self.output("python3", "-c", _REQUEST, str(PORT), method, path, json.dumps(dict(headers or {})), body)
        answer = json.loads(output)
        return Answer(answer["status"], answer["headers"], answer["body"].encode())

    def is_answering(self, path: str = "/ready") -> bool:
        """Whether a GET of `path` answers 200."""
        request = self.run("python3", "-c", _REQUEST, str(PORT), "GET", path, "{}", "", check=False)
        return request.returncode == 0 and json.loads(request.stdout)["status"] == 200


_REQUEST = """
import http.client, json, sys
port, method, path, headers, body = sys.argv[1:]
client = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
client.request(method, path, body or None, json.loads(headers))
answer = client.getresponse()
headers = {name.lower(): value for name, value in answer.getheaders()}
print(json.dumps({"status": answer.status, "headers": headers, "body": answer.read().decode()}))
"""


@contextlib.contextmanager
def booted(tree: Path, wheels: Path, folder: Path) -> Iterator[Machine]:
    """Boot, with /sources and /wheels; it leaves no trace.

    Raises:
        Unavailable: this machine cannot boot one.
    """
    sources, log = folder / "sources", folder / "console.log"
    sources.mkdir()
    bound = [f"--bind-ro={sources}:/sources", f"--bind-ro={wheels}:/wheels"]
    keeps = ["--register=no", "--keep-unit", "--private-network", "--volatile=overlay", "--console=pipe"]
    command = ["systemd-nspawn", "--quiet", *keeps, *bound, f"--directory={tree}", "/lib/systemd/systemd"]
    with log.open("wb") as out:
        nspawn = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | _hierarchy()
        )
    try:
        until(lambda: nspawn.poll() is not None or _leader(nspawn.pid), "the container to begin", BOOT_S)
        leader = _leader(nspawn.pid)
        if leader is None:
            raise Unavailable(f"systemd-nspawn ended: {_last_line(log)}")
        machine = Machine(leader, sources)
        try:
            until(lambda: nspawn.poll() is not None or _is_up(machine), "systemd to be up", BOOT_S)
        except AssertionError:
            raise Unavailable(f"systemd did not come up in the container: {_last_line(log)}") from None
        if nspawn.poll() is not None:
            raise Unavailable(f"systemd ended in the container: {_last_line(log)}")
        yield machine
    finally:
        _end(nspawn)


def _hierarchy() -> dict[str, str]:
    """The container's systemd needs the layout of control groups that the machine has."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    return {} if unified else {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0"}


def _leader(nspawn: int) -> int | None:
    """Process 1 of the container; a set-up stub may stand between nspawn and it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(nspawn).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "systemd" in child.name() and "nspawn" not in child.name():
                    return child.pid
    return None


def _is_up(machine: Machine) -> bool:
    state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
    return state in ("running", "degraded")


def _last_line(log: Path) -> str:
    return next(reversed(log.read_text(errors="replace").strip().splitlines()), "no output")


def _end(nspawn: subprocess.Popen[bytes]) -> None:
    leader = _leader(nspawn.pid)
    if leader is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, POWER_OFF)
    try:
        nspawn.wait(HALT_S)
    except subprocess.TimeoutExpired:  # its processes end with its process 1
        with contextlib.suppress(ProcessLookupError):
            if leader is not None:
                os.kill(leader, signal.SIGKILL)
        nspawn.kill()
        nspawn.wait()


def module(name: str, *arguments: str) -> list[str]:
    """The command line of a module of these tests, by our own Python."""
    return [sys.executable, "-m", f"tests.systemd.{name}", *arguments]


def copy_sources(folder: Path) -> Path:
    """Copy the files that an installation needs from this checkout; tests may change the copy."""
    for name in ("bloop", "workers", "templates", "systemd", "requirements"):
        _copy(ROOT / name, folder / name)
    for name in ("pyproject.toml", "gunicorn.conf.py", "README.md", "LICENSE"):
        folder.joinpath(name).write_bytes((ROOT / name).read_bytes())
    return folder


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
