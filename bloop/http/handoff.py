"""Passing a connected client from an ingest worker to the dashboard process.

The two meet on a Unix SEQPACKET socket: one message is one client, its descriptor (SCM_RIGHTS) and the bytes already
read from it. The kernel keeps the boundaries, so neither side frames anything and nobody ever sees half a client.

H1  The sender never waits. A dashboard that is not there, or does not keep up, is a refusal for that one request.
H2  The socket path belongs to the newest dashboard process: it binds aside and renames into place, so there is no
    instant without a listener, and nobody removes a path that is no longer his.
H3  A client that was sent and not yet received survives a graceful stop: the receiver first stops the senders, then
    empties its queue. It does not survive SIGKILL; the client sees a closed connection.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys

from bloop.http.limits import KIB
from bloop.http.refusal import Refused

# Never reached: at most one head and one read (limits.RECV_BYTES) are in hand when a request is handed over.
MESSAGE_BYTES_MAX = 128 * KIB
_SEND_BUFFER_BYTES = 256 * KIB
_BACKLOG = 64
_CONTROL_BYTES = socket.CMSG_LEN(4)  # room for one descriptor, a C int, and for no second
_RETRY_AFTER_S = 2
_OVERLOADED = frozenset({errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM})


class HandoffSender:
    """The ingest side: one per worker, connected when first needed and again when the dashboard was restarted."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._peer: socket.socket | None = None

    def send(self, client: socket.socket, data: bytes) -> None:
        """Pass `client` on; on return the dashboard's copy is in its queue and ours may be closed. Raises Refused."""
        assert 0 < len(data) <= MESSAGE_BYTES_MAX
        # Twice, because a dashboard that restarted since the last time is only noticed by sending.
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
        aside = f"{path}.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)  # left by a killed process that had our pid
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.socket.setblocking(False)
            self.socket.bind(aside)
            os.chmod(aside, 0o600)  # before listen(): nobody can connect until then
            self.socket.listen(_BACKLOG)
            self._inode = os.stat(aside).st_ino
            os.rename(aside, path)
        except OSError:
            self.socket.close()
            raise

    def accept(self) -> socket.socket | None:
        """The next ingest worker that connected, or None."""
        try:
            peer, _ = self.socket.accept()
        except OSError:
            return None  # gone again, or out of descriptors: it will knock again
        peer.setblocking(False)
        return peer

    def close(self) -> None:
        self.socket.close()
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)


def receive(peer: socket.socket) -> tuple[int, bytes] | None:
    """The next client's descriptor (the caller's to close) with its first bytes; None when none waits.

    Raises EOFError when the ingest worker has gone, or another OSError than EAGAIN as the kernel gave it.
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
