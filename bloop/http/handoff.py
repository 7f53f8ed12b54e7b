"""Passing a connected client from an ingest worker to the dashboard process.

Both use a Unix SEQPACKET socket: one message is one client, its descriptor (SCM_RIGHTS) and the bytes already read from
it. The kernel keeps the message boundaries, so no message is ever received in part.

HANDOFF-1  The sender never waits. If the dashboard is down or its queue is full, that one request is refused.
HANDOFF-2  The socket path belongs to the newest dashboard process: it binds under a temporary name and renames, so
    there is no instant without a listener. A process removes the path only while it still owns it.
HANDOFF-3  A client that was sent and not yet received survives a graceful stop: the receiver first stops the senders,
    then empties its queue. It does not survive SIGKILL; the client sees a closed connection.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys

from bloop.http.limits import KIB
from bloop.http.refusal import Refused

# Never reached: at most one head and one read (limits.RECV_BYTES) have arrived when a request is handed over.
MESSAGE_BYTES_MAX = 128 * KIB
_SEND_BUFFER_BYTES = 256 * KIB
_BACKLOG = 64
_CONTROL_BYTES = socket.CMSG_LEN(4)  # room for one descriptor, a C int, and for no second
_RETRY_AFTER_S = 2
_OVERLOADED = frozenset({errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM})


class HandoffSender:
    """The ingest side: one per worker; connects on first use and again after a restart of the dashboard."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._peer: socket.socket | None = None

    def send(self, client: socket.socket, data: bytes) -> None:
        """Pass `client` on. On return the dashboard's copy is queued and ours may be closed. Raises Refused."""
        assert 0 < len(data) <= MESSAGE_BYTES_MAX
        # Twice: that the dashboard has restarted shows only when a send fails.
        for _ in range(2):
            try:
                peer = self._peer or self._connect()
                socket.send_fds(peer, [data], [client.fileno()])
            except OSError as error:
                if error.errno in _OVERLOADED:
                    raise Refused(503, "dashboard is busy", _RETRY_AFTER_S) from None
                self.close()
            else:
                return
        raise Refused(503, "dashboard is not running", _RETRY_AFTER_S)

    def _connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            peer.setblocking(False)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            peer.connect(self._path)
        except OSError:
            peer.close()
            raise
        self._peer = peer
        return peer

    def close(self) -> None:
        if self._peer is not None:
            self._peer.close()
            self._peer = None


class HandoffListener:
    """The dashboard side: owns the path (mode 0600, so only the same user may pass clients)."""

    def __init__(self, path: str) -> None:
        self._path = path
        temporary_path = f"{path}.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary_path)  # from a killed process that had our pid
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.socket.setblocking(False)
            self.socket.bind(temporary_path)
            os.chmod(temporary_path, 0o600)  # before listen(): no process can connect until then
            self.socket.listen(_BACKLOG)
            self._inode = os.stat(temporary_path).st_ino
            os.rename(temporary_path, path)
        except OSError:
            self.socket.close()
            raise

    def accept(self) -> socket.socket | None:
        """The next ingest worker that connected, or None."""
        try:
            peer, _ = self.socket.accept()
        except OSError:
            return None  # the worker closed it, or we are out of descriptors: it will connect again
        peer.setblocking(False)
        return peer

    def close(self) -> None:
        self.socket.close()
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)


def receive(peer: socket.socket) -> tuple[int, bytes] | None:
    """The next client's descriptor (the caller closes it) with its first bytes; None when no client waits.

    Raises EOFError when the ingest worker is gone, and every OSError but EAGAIN as the kernel gave it.
    """
    while True:
        try:
            # Not socket.recv_fds(): Python 3.11's drops the flags, and children would inherit every client.
            data, control, _, _ = peer.recvmsg(MESSAGE_BYTES_MAX, _CONTROL_BYTES, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        for level, kind, descriptor in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                return int.from_bytes(descriptor, sys.byteorder), data
        if not data:
            raise EOFError
        # Out of descriptors: the kernel delivered the bytes and dropped the client. Try the next one.
