"""What a unit's process is told and says (bloop/base/systemd.py)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bloop.base import systemd
from bloop.base.systemd import Unit, UnitEnvironment, take

PID = 4711


def told(stderr_fd: int = 2, **variables: str) -> UnitEnvironment:
    return take(dict(variables), pid=PID, stderr_fd=stderr_fd)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(manager: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(manager.recv(4096).decode())
        except BlockingIOError:
            return messages


def unit(manager: socket.socket, **rest: float) -> Unit:
    made = Unit()
    made.begin(UnitEnvironment(notify_path=manager.getsockname(), **rest))
    return made


class TestTaking:
    def test_nothing_in_the_environment_is_nothing_told(self):
        assert told() == UnitEnvironment("", 0.0, 0, journal=False)

    def test_what_was_told_is_gone_from_the_environment_but_the_sockets(self):
        environ = {
            "NOTIFY_SOCKET": "/run/systemd/notify",
            "WATCHDOG_USEC": "30000000",
            "WATCHDOG_PID": str(PID),
            "LISTEN_FDS": "2",
            "LISTEN_PID": str(PID),
        }

        found = take(environ, pid=PID, stderr_fd=2)

        assert found == UnitEnvironment("/run/systemd/notify", 30.0, 2, journal=False)
        assert sorted(environ) == ["LISTEN_FDS", "LISTEN_PID"]

    @pytest.mark.parametrize(
        "variables",
        [
            {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
            {"WATCHDOG_USEC": "soon"},
            {"LISTEN_FDS": "1"},
            {"LISTEN_FDS": "1", "LISTEN_PID": "1"},
            {"LISTEN_FDS": "-1", "LISTEN_PID": str(PID)},
            {"NOTIFY_SOCKET": "vsock:2:1234"},
            {"JOURNAL_STREAM": "8:12345"},
            {"JOURNAL_STREAM": "rubbish"},
        ],
    )
    def test_what_is_meant_for_others_or_not_understood_is_not_taken(self, variables: dict[str, str]):
        assert told(**variables) == UnitEnvironment()

    def test_stderr_that_is_the_journals_stream_is_noticed_and_one_sent_elsewhere_too(self, tmp_path: Path):
        with (tmp_path / "stream").open("w") as stream, (tmp_path / "file").open("w") as elsewhere:
            status = os.fstat(stream.fileno())
            name = f"{status.st_dev}:{status.st_ino}"

            assert told(stream.fileno(), JOURNAL_STREAM=name).journal
            assert not told(elsewhere.fileno(), JOURNAL_STREAM=name).journal

    def test_closed_stderr_is_no_journal(self):
        read_fd, write_fd = os.pipe()
        os.close(read_fd)
        os.close(write_fd)

        assert not told(write_fd, JOURNAL_STREAM="1:1").journal


class TestSaying:
    def test_ready_status_and_stopping_arrive_in_order(self, manager: socket.socket):
        speaker = unit(manager)

        speaker.ready("storing")
        speaker.status("storing")  # nothing new
        speaker.status("not storing")
        speaker.stopping()

        assert heard(manager) == [
            "READY=1\nSTATUS=storing",
            "STATUS=not storing",
            "STOPPING=1\nSTATUS=stopping",
        ]

    def test_signs_of_life_are_as_rare_as_they_may_be(self, manager: socket.socket):
        speaker = unit(manager, watchdog_s=3600.0)

        for _ in range(1000):
            speaker.alive()

        assert heard(manager) == ["WATCHDOG=1"]

    def test_first_sign_of_life_waits_for_nothing_on_a_machine_that_just_booted(
        self, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
    ):
        now_s = [0.5]
        monkeypatch.setattr(systemd, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
        speaker = unit(manager, watchdog_s=30.0)

        speaker.alive()
        now_s[0] += speaker.ping_every_s - 0.1
        speaker.alive()
        assert heard(manager) == ["WATCHDOG=1"]

        now_s[0] += 0.2
        speaker.alive()
        assert heard(manager) == ["WATCHDOG=1"]

    def test_nobody_is_told_of_life_without_a_watchdog(self, manager: socket.socket):
        unit(manager).alive()

        assert heard(manager) == []

    def test_abstract_address_is_understood(self):
        name = f"bloop-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(f"\0{name}")
            listener.setblocking(False)
            speaker = Unit()
            speaker.begin(UnitEnvironment(notify_path=f"@{name}"))

            speaker.ready("serving")

            assert heard(listener) == ["READY=1\nSTATUS=serving"]

    def test_listener_that_is_gone_or_full_is_no_trouble(self, manager: socket.socket, tmp_path: Path):
        speaker = Unit()
        speaker.begin(UnitEnvironment(notify_path=str(tmp_path / "nobody")))
        speaker.ready("serving")
        crowd = unit(manager)

        for number in range(5000):  # far more than a socket's queue takes
            crowd.status(str(number))

        assert len(heard(manager)) < 5000

    def test_fork_of_the_process_stays_silent(self, manager: socket.socket):
        speaker = unit(manager, watchdog_s=0.001)
        child = os.fork()
        if child == 0:
            speaker.ready("the child")
            speaker.alive()
            os._exit(0)
        os.waitpid(child, 0)

        assert heard(manager) == []
        assert speaker.is_this_process
