"""One bloop per folder (bloop/base/pid_file.py, INSTANCE-1 to INSTANCE-3), tried with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bloop.base.pid_file import AlreadyRunning, Instance, RunningInstance, find_running

HOLD = """
import sys, os
from pathlib import Path
from bloop.base.pid_file import Instance
instance = Instance.claim(Path(sys.argv[1]))
print(os.getpid(), flush=True)
"""
WAIT = "sys.stdin.read()\n"
# The supervisor's child: inherits the open file, lives on after its parent.
WITH_CHILD = """
import subprocess
child = subprocess.Popen(["cat"], pass_fds=[instance.fd])
print(child.pid, flush=True)
"""


@contextmanager
def holder(path: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD + code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bloop.pid"


def test_claim_writes_the_pid_and_release_removes_the_file(path: Path):
    instance = Instance.claim(path)

    assert path.read_text() == f"{os.getpid()}\n"

    instance.release()
    instance.release()

    assert not path.exists()


def test_running_bloop_is_found_with_what_it_published_until_it_ends(path: Path):
    with holder(path, "instance.publish({'server.port': 7000})\nprint(flush=True)\n" + WAIT) as bloop:
        assert bloop.stdout is not None
        bloop.stdout.readline()
        bloop.stdout.readline()

        assert find_running(path.parent) == RunningInstance(bloop.pid, {"server.port": 7000})

    assert path.exists(), "a killed bloop leaves its file"
    assert find_running(path.parent) is None


@pytest.mark.parametrize("text", ["", "x", "\xff", "12\n{", "12\n[]", "12\n" + "[" * 9000])
def test_file_without_a_running_bloop_is_never_believed(path: Path, text: str):
    path.write_text(text)

    assert find_running(path.parent) is None


def test_looking_for_a_bloop_makes_no_file_and_takes_no_lock(path: Path):
    assert find_running(path.parent) is None
    assert find_running(path.parent / "nowhere") is None
    assert list(path.parent.iterdir()) == []

    with holder(path, WAIT) as bloop:
        assert bloop.stdout is not None
        bloop.stdout.readline()
        assert find_running(path.parent) == RunningInstance(bloop.pid, {})
        with pytest.raises(AlreadyRunning):
            Instance.claim(path)


def test_second_bloop_is_refused_at_once_by_name(path: Path):
    with holder(path, WAIT) as first:
        assert first.stdout
        pid = first.stdout.readline().strip()

        with pytest.raises(AlreadyRunning, match=rf"process {pid} holds {path}"):
            Instance.claim(path, leftovers_wait_s=60)


def test_file_of_a_killed_bloop_is_taken_over(path: Path):
    with holder(path, WAIT) as first:
        assert first.stdout
        first.stdout.readline()
        first.kill()
        first.wait()
    assert path.exists()

    instance = Instance.claim(path)

    assert path.read_text() == f"{os.getpid()}\n"
    instance.release()


def test_zombie_of_a_killed_bloop_does_not_hold_the_folder(path: Path):
    with holder(path, WAIT) as first:
        assert first.stdout
        first.stdout.readline()
        first.kill()
        os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet buried

        Instance.claim(path).release()


def test_newcomer_waits_for_the_children_of_a_killed_bloop(path: Path):
    with holder(path, WITH_CHILD + WAIT) as first, ExitStack() as cleanup:
        assert first.stdout
        assert first.stdin
        first.stdout.readline()
        first.stdout.readline()
        first.kill()
        first.wait()
        with pytest.raises(AlreadyRunning, match="processes of an earlier run still hold"):
            Instance.claim(path, leftovers_wait_s=0.1)

        ending = threading.Timer(0.2, first.stdin.close)  # `cat` ends with its input
        cleanup.callback(ending.join)
        ending.start()

        Instance.claim(path, leftovers_wait_s=10).release()


def test_file_removed_between_open_and_lock_is_opened_anew(path: Path, monkeypatch: pytest.MonkeyPatch):
    """The old bloop released after we opened its file: its lock is worth nothing, the next one would not see it."""
    opened: list[int] = []
    real_open = os.open

    def open_and_lose(*args: object, **kwargs: object) -> int:
        fd = real_open(*args, **kwargs)
        if not opened:
            os.unlink(path)
        opened.append(fd)
        return fd

    monkeypatch.setattr(os, "open", open_and_lose)

    instance = Instance.claim(path)

    assert len(opened) == 2
    assert os.fstat(instance.fd).st_ino == path.stat().st_ino
    instance.release()
