"""The epoll loop of a worker: accepts, dispatches, expires, stops. The dashboard's adds to it (dashboard_server.py).

SERVER-1  One thread. Nothing here or below blocks, except the app while it answers.
SERVER-2  At `connections_max` the connection that has been idle longest is closed for a new one; if none is idle, the
    new one is refused. The same holds for one client address and its share (shares.py).
SERVER-3  When descriptors run out, accepting pauses for a second instead of spinning.
SERVER-4  Deadlines are checked once per `serve` call (about a second): no timer per request.

Sharing a listener between workers: the kernel wakes the first waiter in the listener's queue (EPOLLEXCLUSIVE), which
by itself gives nearly every connection to the same worker, and kept-alive connections stay where they are. So a worker
that accepted a connection stops waiting for a millisecond and then joins the end of the queue: a round robin that needs
no shared state, skips busy workers, and loses nothing when a worker dies, as SO_REUSEPORT would. Each time more
connections wait than it may accept, it doubles the number it accepts, so a burst of connections is not delayed.
"""

from __future__ import annotations

import heapq
import logging
import os
import resource
import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Sequence

from bloop.base.client_address import ClientAddresses
from bloop.http.connection import Connection, crowd_refusal
from bloop.http.gateway import Gateway
from bloop.http.handoff import HandoffSender
from bloop.http.limits import HttpLimits
from bloop.http.peer import FRESH, HEAD, IDLE, Peer
from bloop.http.refusal import Refused
from bloop.http.request import HeadReader
from bloop.http.shares import AddressShare, AddressShares

logger = logging.getLogger(__name__)

_SPARE_DESCRIPTORS = 128  # listeners, logs, the ring, what the app opens
_REFUSED_MAX = 64  # connections beyond the cap that are being answered 503
_ACCEPTED_AT_ONCE_MAX = 64
_ACCEPT_PAUSE_S = 0.001
_EXHAUSTED_PAUSE_S = 1.0
_FRESH_GRACE_S = 1.0  # for the first byte from a client that connected just before a stop
_EVICTED_SHARE = 64  # evict 1/64 of the idle connections at once, to search for them seldom


class HttpServer:
    """Owns the listeners' readiness and every connection; `wake_fd` becoming readable ends the current `serve`."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        gateway: Gateway,
        heads: HeadReader,
        handoff: HandoffSender | None,
        limits: HttpLimits,
        wake_fd: int,
        shares_listeners: bool = False,
        trusted_proxies: Iterable[str] = (),
    ) -> None:
        self.gateway, self.heads, self.handoff, self.limits = gateway, heads, handoff, limits
        self.now_s = time.monotonic()
        self.bytes_held = 0
        self.request_count = 0
        self.ready: deque[Peer] = deque()
        self.shares = AddressShares(limits, ClientAddresses(trusted_proxies))
        self.connections: dict[int, Connection] = {}
        descriptors_max = _raise_descriptor_limit(limits.connections_max)
        self.connections_max = min(limits.connections_max, descriptors_max - _SPARE_DESCRIPTORS)
        self._listeners = {listener.fileno(): listener for listener in listeners}
        self._shares_listeners = shares_listeners
        self._is_accepting = False
        self._accept_again_s = float("-inf")  # while not accepting
        self._accept_max = 1
        self._wake_fd = wake_fd
        self._is_woken = False
        self._epoll = select.epoll()
        self._epoll.register(wake_fd, select.EPOLLIN)
        self.gateway.set_date(time.time())
        self._set_accepting(True)

    def serve(self, for_s: float) -> None:
        """Work for about `for_s` seconds, or until woken; then expire connections past their deadline."""
        poll, connections, ready = self._epoll.poll, self.connections, self.ready
        until_s = time.monotonic() + for_s
        self._is_woken = False
        while not self._is_woken:
            now_s = time.monotonic()
            wait_s = until_s - now_s
            if wait_s <= 0:
                break
            if not self._is_accepting:
                wait_s = self._wait_to_accept(now_s, wait_s)
            events = poll(0 if ready else wait_s)
            self.now_s = time.monotonic()
            for fd, _ in events:
                connection = connections.get(fd)
                if connection is None:
                    self._on_other_event(fd)
                    continue
                try:
                    connection.on_event()
                except Exception:
                    self._drop(connection)
            for _ in range(len(ready)):
                peer = ready.popleft()
                try:
                    peer.on_turn()
                except Exception:
                    self._drop(peer)
        self._sweep()

    def stop(self) -> None:
        """Accept no more connections; answer requests that have arrived, and close idle connections.

        A client that has just connected is about to send its request: it gets _FRESH_GRACE_S for the whole head.
        """
        self._set_accepting(False)
        self._listeners.clear()
        self.gateway.announces_close = True
        self.serve(0.001)
        for connection in list(self.connections.values()):
            if connection.phase == IDLE:
                connection.close()
            elif connection.phase in (FRESH, HEAD):
                connection.deadline_s = min(connection.deadline_s, self.now_s + _FRESH_GRACE_S)

    def close(self) -> None:
        """Close every remaining connection."""
        for connection in list(self.connections.values()):
            connection.close()
        self._epoll.close()
        if self.handoff is not None:
            self.handoff.close()

    # -- called by connections -----------------------------------------------------------------------------------

    def watch(self, peer: Peer, events: int) -> None:
        self._epoll.modify(peer.sock.fileno(), events)

    def unwatch(self, peer: Peer) -> None:
        self._epoll.unregister(peer.sock.fileno())

    def watch_again(self, peer: Peer) -> None:
        self._epoll.register(peer.sock.fileno(), select.EPOLLIN)

    def forget(self, peer: Peer) -> None:
        self.connections.pop(peer.sock.fileno(), None)

    # -- connections in ------------------------------------------------------------------------------------------

    def _on_other_event(self, fd: int) -> None:
        listener = self._listeners.get(fd)
        if listener is not None:
            self._accept_some(listener)
        elif fd == self._wake_fd:
            os.read(fd, 4096)
            self._is_woken = True
        # else: a connection closed by an earlier event of the same batch

    def _accept_some(self, listener: socket.socket) -> None:
        try:
            for _ in range(self._accept_max):
                self._open(*listener.accept())
            self._accept_max = min(2 * self._accept_max, _ACCEPTED_AT_ONCE_MAX)
        except (BlockingIOError, InterruptedError, ConnectionError):
            self._accept_max = 1  # no more wait, another worker was faster, or the client disconnected
        except OSError as error:
            logger.warning("cannot accept connections: %s", error, extra={"action": "accept_failed"})
            self._pause_accepting(_EXHAUSTED_PAUSE_S)
            return
        if self._shares_listeners:
            self._pause_accepting(_ACCEPT_PAUSE_S)

    def _pause_accepting(self, for_s: float) -> None:
        self._set_accepting(False)
        self._accept_again_s = time.monotonic() + for_s

    def _wait_to_accept(self, now_s: float, wait_s: float) -> float:
        """End a pause that is over; return how long to wait for events, `wait_s` at most."""
        pause_s = self._accept_again_s - now_s
        if pause_s > 0:
            return min(pause_s, wait_s)
        self._set_accepting(True)
        return wait_s

    def _open(self, sock: socket.socket, address: object) -> Connection | None:
        """Add a connection; None when it was refused."""
        is_crowded = len(self.connections) >= self.connections_max and not self._evict()
        if is_crowded and len(self.connections) >= self.connections_max + _REFUSED_MAX:
            sock.close()
            return None
        connection = self._add(sock, address)
        if is_crowded:
            connection.refuse(Refused(503, "too many connections", retry_after_s=1))
            return None
        if connection.share.is_over and not self._evict_from(connection.share):
            connection.refuse(crowd_refusal())
            return None
        return connection

    def _add(self, sock: socket.socket, address: object) -> Connection:
        sock.setblocking(False)  # TCP_NODELAY is inherited from the listener
        connection = self._connect(sock, address)
        self.connections[sock.fileno()] = connection
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        return connection

    def _connect(self, sock: socket.socket, address: object) -> Connection:
        return Connection(self, sock, address)

    def _evict(self) -> bool:
        """Close some of the connections that have been idle longest; False when none is idle."""
        idle = [connection for connection in self.connections.values() if connection.phase == IDLE]
        evicted_count = len(idle) // _EVICTED_SHARE + 1
        for connection in heapq.nsmallest(evicted_count, idle, key=lambda connection: connection.deadline_s):
            connection.close()
        return bool(idle)

    def _evict_from(self, share: AddressShare) -> bool:
        """Close the connection of an address that has been idle longest; False when none is idle."""
        idle = [peer for peer in share.members if peer.phase == IDLE]
        if idle:
            min(idle, key=lambda peer: peer.deadline_s).close()
        return bool(idle)

    def _drop(self, peer: Peer) -> None:
        """A safety net that should never be needed: a bug in the server costs one connection, not all of them."""
        logger.exception("a connection failed and was closed", extra={"action": "connection_failed"})
        peer.close()

    def _set_accepting(self, is_accepting: bool) -> None:
        if is_accepting != self._is_accepting:
            self._is_accepting = is_accepting
            for fd in self._listeners:
                if is_accepting:
                    self._epoll.register(fd, select.EPOLLIN | select.EPOLLEXCLUSIVE)
                else:
                    self._epoll.unregister(fd)

    def _sweep(self) -> None:
        self.now_s = now_s = time.monotonic()
        self.gateway.set_date(time.time())
        for connection in list(self.connections.values()):
            if connection.deadline_s <= now_s:
                connection.expire()


def _raise_descriptor_limit(connections: int) -> int:
    """Raise this process's descriptor limit as far as needed and allowed; return how many it may use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _SPARE_DESCRIPTORS + _REFUSED_MAX
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return needed if soft == resource.RLIM_INFINITY else min(soft, needed)
