"""A temporary bloop: `bloop up` with its own data on a free loopback port, removed afterwards without a trace.

BENCH-1  All its files are in one temporary folder, which must be on a disk: a WAL on tmpfs has no fsync to wait for.
BENCH-2  After `stop` none of its processes lives, its port is free and its shared memory is gone; otherwise the run is
    an error.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import psutil

from bloop.base import config

SECRET = "bench-" + "5e" * 32
PROGRAM = ("-P", "-m", "bloop.cli.main")
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 90.0
COMMAND_WITHIN_S = 60.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
CLEAN = {"PATH": os.defpath, "LANG": "C.UTF-8"}  # no other variables, so that all runs are alike
MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")


class InstanceError(Exception):
    """bloop did not start, or left processes or files behind."""


class Usage(NamedTuple):
    """CPU seconds since the start of each process, by (pid, part of bloop)."""

    at: float  # time.monotonic()
    cpu_s: dict[tuple[int, str], float]


class Memory(NamedTuple):
    """Proportional set size in bytes: shared pages are divided among the processes that share them."""

    pss: int
    own: int  # anonymous: heap, SQLite's page cache
    shared: int  # the ring, SQLite's -shm
    files: int  # code


# A benchmark measures bloop, not the limits of [limits]. Another tree's bloop may not know these settings.
NO_LIMITS_ENVIRON = {f"BLOOP__LIMITS__{f.name.upper()}": "0" for f in fields(config.ProjectLimits)}


class BenchInstance:
    """One run. Use as a context manager; `folder` may already hold a database at `database`.

    `python` is the interpreter of every process of it. With a PYTHONPATH among the variables it runs the code there.
    """

    def __init__(self, folder: Path, python: Path | None = None, /, **environ: str) -> None:
        check_on_disk(folder)
        self.port = free_port()
        self.database = folder / "bloop.db"
        self.log = folder / "bloop.base.log"
        self._folder = folder
        self._python = str(python or sys.executable)
        self._environ = {
            "BLOOP__SERVER__HOST": "127.0.0.1",
            "BLOOP__SERVER__PORT": str(self.port),
            "BLOOP__DATABASE__PATH": str(self.database),
            "BLOOP__AUTH__HMAC_SECRET": SECRET,
            "BLOOP__AUTH__RP_ORIGIN": f"http://localhost:{self.port}",
            "BLOOP__RATE_LIMIT__PER_SECOND": "0",
            **(NO_LIMITS_ENVIRON if python is None else {}),
            **environ,
        }
        self.settings = config.load(None, self._environ)
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: list[psutil.Process] = []

    def __enter__(self) -> BenchInstance:
        try:
            self._start()
        except Exception:
            self._kill()
            raise
        except BaseException:  # interrupted: stop what has started, so that its shared memory is removed
            with contextlib.suppress(InstanceError):
                self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:
            with contextlib.suppress(InstanceError):
                self.stop()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._python, *PROGRAM, "up", "--quiet"],
                cwd=self._folder,
                env=CLEAN | self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C goes to the harness, which then stops bloop in order
            )
        self._await_ready()
        self.processes()

    def _await_ready(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        deadline = time.monotonic() + READY_WITHIN_S
        printed = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not any(line.startswith(b"ready") for line in printed.splitlines()):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise InstanceError(f"not ready within {READY_WITHIN_S:.0f} s\n{self.log_tail()}")
                data = os.read(self._process.stdout.fileno(), 4096)
                if not data:
                    raise InstanceError(f"bloop up ended while starting\n{self.log_tail()}")
                printed += data

    def command(self, *arguments: str) -> str:
        """The output of `bloop …`, run as the operator of this bloop would.

        Raises:
            InstanceError: it failed; has its message.
        """
        done = subprocess.run(
            [self._python, *PROGRAM, *arguments],
            cwd=self._folder,
            env=CLEAN | self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
        )
        if done.returncode:
            raise InstanceError(f"bloop {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def stop(self) -> None:
        """Stop it in order and check that nothing is left (BENCH-2); idempotent."""
        if self._process is None:
            return
        seen = self._seen
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            raise InstanceError(f"still running {STOP_WITHIN_S:.0f} s after SIGTERM\n{self.log_tail()}") from None
        finally:
            self._kill()
        alive = [process.pid for process in seen if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
        shared = [entry.name for entry in SHARED_MEMORY.iterdir() if self.settings.ring_name[1:] in entry.name]
        if code or alive or shared:
            left = f"exit code {code}, processes left {alive}, shared memory left {shared}"
            raise InstanceError(f"bloop did not stop cleanly: {left}\n{self.log_tail()}")

    def _kill(self) -> None:
        if self._process is None:
            return
        for process in self._seen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # What it costs

    def processes(self) -> dict[int, str]:
        """Every process by pid, named after its part: `writer`, `ingest`, `ingest worker` …"""
        assert self._process is not None
        root = psutil.Process(self._process.pid)
        members = [root, *root.children(recursive=True)]
        known = {process.pid for process in self._seen}
        self._seen += [process for process in members if process.pid not in known]
        return {process.pid: _part(process, root) for process in members}

    def usage(self) -> Usage:
        """CPU seconds, user and system, of every process."""
        spent = {}
        for pid, part in self.processes().items():
            times = psutil.Process(pid).cpu_times()
            spent[pid, part] = times.user + times.system
        return Usage(time.monotonic(), spent)

    def memory(self) -> dict[tuple[int, str], Memory]:
        """Of every process."""
        return {(pid, part): memory_of(pid) for pid, part in self.processes().items()}


def spent(before: Usage, after: Usage) -> dict[str, float]:
    """CPU seconds between two readings, by part. A process that ended in between is an error: its time is lost."""
    gone = before.cpu_s.keys() - after.cpu_s.keys()
    if gone:
        raise InstanceError(f"processes ended while they were measured: {sorted(part for _, part in gone)}")
    by_part: dict[str, float] = {}
    for key, total in after.cpu_s.items():
        by_part[key[1]] = by_part.get(key[1], 0.0) + total - before.cpu_s.get(key, 0.0)
    return by_part


def memory_of(pid: int) -> Memory:
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        sizes = {name: value for name, _, value in (line.partition(":") for line in rollup)}
    kinds = ("Pss", "Pss_Anon", "Pss_Shmem", "Pss_File")
    return Memory(*(int(sizes[kind].split()[0]) * 1024 for kind in kinds))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def check_on_disk(folder: Path) -> None:
    """Refuse a folder in memory (BENCH-1)."""
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    mount = next(parent for parent in (folder.resolve(), *folder.resolve().parents) if parent in mounts)
    if mounts[mount] in MEMORY_FILE_SYSTEMS:
        raise InstanceError(f"{folder} is on {mounts[mount]}: use --dir with a folder on a disk")


def _part(process: psutil.Process, root: psutil.Process) -> str:
    """The part of bloop by thread name, `bloop-writer` …: the processes are forks with the same command line."""
    if process.pid == root.pid:
        return "supervisor"
    name = Path(f"/proc/{process.pid}/comm").read_text().strip().removeprefix("bloop-")
    return name if process.ppid() == root.pid else f"{name} worker"
