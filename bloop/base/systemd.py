"""What systemd tells the process of a unit, and what the process says back: sd_notify(3), systemd.exec(5).

Y1  Started by anything else, everything here does nothing.
Y2  Saying something never fails and never waits: a message that systemd does not take is dropped.
Y3  What was told is for this process. It is taken out of the environment, and a fork of this process stays silent.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping
from typing import NamedTuple

FIRST_LISTEN_FD = 3


class Told(NamedTuple):
    """What the environment of a unit's process says."""

    notify_path: str = ""  # empty: nobody listens
    watchdog_s: float = 0.0  # silence after which the process is taken for dead; 0: nobody watches
    listen_fds: int = 0  # listening sockets, from descriptor 3 on
    journal: bool = False  # stderr goes to journald


def take(environ: MutableMapping[str, str], *, pid: int, stderr_fd: int) -> Told:
    """Read and remove (Y3). The listening sockets stay announced: Gunicorn asks for them itself."""
    notify_path = environ.pop("NOTIFY_SOCKET", "")
    watchdog_us = _number(environ.pop("WATCHDOG_USEC", ""))
    watched_pid = _number(environ.pop("WATCHDOG_PID", "")) or pid
    listens = _number(environ.get("LISTEN_PID", "")) == pid
    return Told(
        notify_path=notify_path if notify_path.startswith(("/", "@")) else "",
        watchdog_s=watchdog_us / 1e6 if watched_pid == pid else 0.0,
        listen_fds=_number(environ.get("LISTEN_FDS", "")) if listens else 0,
        journal=_is_journal(environ.get("JOURNAL_STREAM", ""), stderr_fd),
    )


def _is_journal(stream: str, fd: int) -> bool:
    """JOURNAL_STREAM names the device and inode of journald's stream; stderr may have been sent elsewhere since."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


class Unit:
    """This process as systemd sees it. `alive` may be called as often as one likes."""

    def __init__(self) -> None:
        self._pinged_at = float("-inf")  # monotonic; zero would be a moment ago on a machine that just booted
        self._status = ""
        self.begin(Told())

    def begin(self, told: Told) -> None:
        """From now on this process is the one that speaks."""
        self.told = told
        self.ping_every_s = told.watchdog_s / 3
        self._pid = os.getpid()

    @property
    def is_this_process(self) -> bool:
        """False in its forks."""
        return os.getpid() == self._pid

    def ready(self, status: str) -> None:
        """What the unit is for works from now on."""
        self._status = status
        self._say(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        if status != self._status:
            self._status = status
            self._say(f"STATUS={status}")

    def stopping(self) -> None:
        self._say("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        """From the loop that does the work, so that it says what it means."""
        if self.ping_every_s and time.monotonic() - self._pinged_at >= self.ping_every_s:
            self._pinged_at = time.monotonic()
            self._say("WATCHDOG=1")

    def _say(self, message: str) -> None:
        path = self.told.notify_path
        if not path or not self.is_this_process:
            return
        address = "\0" + path[1:] if path.startswith("@") else path
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.setblocking(False)
            speaker.sendto(message.encode(), address)
