"""The environment that systemd gives a unit's process, and its messages to systemd: sd_notify(3), systemd.exec(5).

SYSTEMD-1  In a process that systemd did not start, nothing here has an effect.
SYSTEMD-2  Sending a message never fails and never waits: a message that systemd does not accept is dropped.
SYSTEMD-3  The environment is for this process only: it is removed from os.environ, and forks of this process send
    nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import MutableMapping
from typing import NamedTuple

FIRST_LISTEN_FD = 3


class UnitEnvironment(NamedTuple):
    """The settings in the environment of a unit's process."""

    notify_path: str = ""  # empty: send no messages
    watchdog_s: float = 0.0  # systemd ends the process after this silence; 0: no watchdog
    listen_fds: int = 0  # listening sockets, from descriptor 3 on
    journal: bool = False  # stderr goes to journald


def take(environ: MutableMapping[str, str], *, pid: int, stderr_fd: int) -> UnitEnvironment:
    """Read and remove the variables (SYSTEMD-3), except LISTEN_*: Gunicorn reads those itself."""
    notify_path = environ.pop("NOTIFY_SOCKET", "")
    watchdog_us = _number(environ.pop("WATCHDOG_USEC", ""))
    watched_pid = _number(environ.pop("WATCHDOG_PID", "")) or pid
    listens = _number(environ.get("LISTEN_PID", "")) == pid
    return UnitEnvironment(
        notify_path=notify_path if notify_path.startswith(("/", "@")) else "",
        watchdog_s=watchdog_us / 1e6 if watched_pid == pid else 0.0,
        listen_fds=_number(environ.get("LISTEN_FDS", "")) if listens else 0,
        journal=_is_journal(environ.get("JOURNAL_STREAM", ""), stderr_fd),
    )


def _is_journal(stream: str, fd: int) -> bool:
    """Whether `fd` is the stream of journald that JOURNAL_STREAM names by device and inode, and was not redirected."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


class Unit:
    """This process as a unit of systemd. `alive` may be called at any rate."""

    def __init__(self) -> None:
        self._pinged_at = float("-inf")  # monotonic; zero would be recent on a machine that just booted
        self._status = ""
        self.begin(UnitEnvironment())

    def begin(self, environment: UnitEnvironment) -> None:
        """Send messages from this process, from now on."""
        self.environment = environment
        self.ping_every_s = environment.watchdog_s / 3
        self._pid = os.getpid()

    @property
    def is_this_process(self) -> bool:
        """False in its forks."""
        return os.getpid() == self._pid

    def ready(self, status: str) -> None:
        """Report that the unit does its work from now on."""
        self._status = status
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Send one line for `systemctl status`."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={status}")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=stopping")

    def alive(self) -> None:
        """Reset the watchdog. Call it from the loop that does the work, so that a hanging loop is noticed."""
        if self.ping_every_s and time.monotonic() - self._pinged_at >= self.ping_every_s:
            self._pinged_at = time.monotonic()
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        path = self.environment.notify_path
        if not path or not self.is_this_process:
            return
        address = "\0" + path[1:] if path.startswith("@") else path
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), address)
