"""Entering, stopping and ending a process (workers/process.py)."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from bloop.base.errors import ConfigError, QueryTimeout, RingMismatch, RingMissing, SchemaTooNew
from tests.waiting import until
from workers import process
from workers.process import StopFlag

SECRET = "x" * 32


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[None]:
    """Signal and log handlers and this process's name as they were; a good environment.

    A test process that is called `bloop-…` passes for a process of every server it starts (bloop/cli/family.py).
    """
    name_file = Path("/proc/self/comm")
    name = name_file.read_text().strip()
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setenv("BLOOP__AUTH__HMAC_SECRET", SECRET)
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}
    root = logging.getLogger()
    level, log_handlers = root.level, root.handlers[:]
    yield
    root.handlers[:] = log_handlers
    root.setLevel(level)
    for signum, handler in handlers.items():
        signal.signal(signum, handler)
    name_file.write_text(name)


class TestStopFlag:
    @pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
    def test_is_set_by_the_signals_that_ask_to_stop(self, signum: int):
        stop = StopFlag()
        stop.install()
        assert not stop.is_set()

        os.kill(os.getpid(), signum)

        assert stop.wait(5)
        assert stop.signum == signum

    def test_wait_ends_soon_after_the_signal(self):
        stop = StopFlag()
        stop.install()
        started = time.monotonic()
        later = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
        later.start()

        assert stop.wait(30)

        later.join()
        assert time.monotonic() - started < 5

    def test_wait_without_a_signal_says_so(self):
        assert StopFlag().wait(0.01) is False


class TestExitCodes:
    @pytest.mark.parametrize(
        ("raised", "code"),
        [
            (None, 0),
            (RingMissing("late"), process.EXIT_FAILED),
            (QueryTimeout("late"), process.EXIT_FAILED),
            (RingMismatch("foreign"), process.EXIT_CANNOT_START),
            (SchemaTooNew("from the future"), process.EXIT_CANNOT_START),
            (ConfigError("server.port", "in use"), process.EXIT_CANNOT_START),
            (apsw.BusyError("database is locked"), process.EXIT_FAILED),
            (ZeroDivisionError(), process.EXIT_FAILED),
        ],
    )
    def test_what_ended_the_process_decides(self, raised: Exception | None, code: int):
        def main(settings: object) -> None:
            if raised is not None:
                raise raised

        assert process.run("test", main, []) == code

    def test_main_may_choose_its_code(self):
        assert process.run("test", lambda settings: 5, []) == 5

    def test_bad_setting_is_one_line_with_its_key(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        monkeypatch.setenv("BLOOP__SERVER__PORT", "no")

        code = process.run("test", never, [])

        assert code == process.EXIT_CANNOT_START
        assert capsys.readouterr().err == "bloop: server.port: must be a whole number, not 'no'\n"

    @pytest.mark.parametrize(
        ("raised", "said"),
        [
            (RingMismatch("another layout"), "cannot start: another layout"),
            (apsw.BusyError("database is locked"), "stopped: BusyError: database is locked"),
        ],
        ids=["ring", "database"],
    )
    def test_expected_trouble_is_one_line_of_log(
        self, raised: Exception, said: str, capsys: pytest.CaptureFixture[str]
    ):
        process.run("test", raising(raised), [])

        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith(f"test[{os.getpid()}] error {said}")

    def test_unexpected_trouble_shows_where(self, capsys: pytest.CaptureFixture[str]):
        process.run("test", raising(ZeroDivisionError("oops")), [])

        assert "ZeroDivisionError: oops" in capsys.readouterr().err

    def test_settings_come_from_the_named_file(self, tmp_path: object):
        path = f"{tmp_path}/other.toml"
        with open(path, "w", encoding="utf-8") as file:
            file.write("[server]\nport = 7777")
        seen = []

        process.run("test", lambda settings: seen.append(settings.server.port), ["--config", path])

        assert seen == [7777]

    def test_process_is_named_for_what_it_does(self):
        name = Path("/proc/self/comm")
        before = name.read_text()
        seen = []

        process.run("test", lambda settings: seen.append(name.read_text()), [])

        assert seen == ["bloop-test\n"]
        name.write_text(before)


ORPHAN = """
import os, subprocess, sys
from workers import process
process.die_with_parent(os.getppid())
print(os.getpid(), flush=True)
sys.stdin.read()
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {ORPHAN!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
print(child.stdout.readline().strip(), flush=True)
sys.stdin.read()
"""


class TestDieWithParent:
    def test_child_is_killed_with_a_killed_parent(self):
        with subprocess.Popen(
            [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as parent:
            assert parent.stdout
            child = int(parent.stdout.readline())
            assert alive(child)

            parent.kill()

        until(lambda: not alive(child), "the child to die")

    def test_child_whose_parent_was_faster_dies_at_once(self):
        code = "from workers import process; process.die_with_parent(1); print('lives')"

        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20)

        assert done.returncode == -signal.SIGKILL
        assert done.stdout == b""


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def raising(error: Exception) -> Callable[[object], None]:
    def main(settings: object) -> None:
        raise error

    return main


def never(settings: object) -> None:
    raise AssertionError("must not be reached")
