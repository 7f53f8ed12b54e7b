"""The Gunicorn worker class of the dashboard: Gunicorn's `gthread`, which also receives clients from ingest workers.

DASHBOARD-1  A thread only gets requests whose headers are complete. The main loop collects headers without waiting, for
    new, kept-alive and handed-over connections alike, so slow clients cannot occupy the threads.
DASHBOARD-2  A thread waits a bounded time for a body, and for a peer to read the answer. To the app, a client that is
    too slow looks like one that disconnected: ConnectionResetError.
DASHBOARD-3  A full worker stops receiving hand-offs; they wait in a bounded queue, then ingest answers 503.
DASHBOARD-4  A stopping worker serves every client that was already passed to it, and ends open streams. An app that
    streams by itself can call `environ["bloop.is_stopping"]`.
DASHBOARD-5  An endless answer occupies no thread: the app gives a channel to `environ["bloop.stream"]`, starts the
    answer and returns; the client then belongs to one thread that writes to all such clients (streams.py).

One process: the hand-off path belongs to the newest worker, so `workers = 1`. Gunicorn still needs a `bind` (a
Unix socket, or a loopback port for the proxy). Its `limit_request_line` should be 8190, as long as ingest lets request
lines be, and `control_socket_disable = True`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import partial
from typing import Any, ClassVar

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from bloop.base.memory import Leftovers
from bloop.http.dashboard_client import BoundedSocket, DashboardClient
from bloop.http.handoff import HandoffListener, receive
from bloop.http.ingest_worker import refuse_tls
from bloop.http.limits import RECV_BYTES, HttpLimits
from bloop.http.refusal import Refused, refusal_bytes
from bloop.http.request import incomplete_head_fault, skip_empty_lines
from bloop.http.streams import Streams

DASHBOARD_LIMITS = HttpLimits(body_timeout_s=120.0)  # source maps are uploaded here

_RECEIVED_PER_EVENT_MAX = 32
_LINGERING_MAX = 256


class DashboardWorker(ThreadWorker):
    """Made by `make_dashboard_worker`. Everything runs in the main thread, except `handle` and the app it calls, which
    run in the pool and use the two functions in the environ."""

    handoff_path: ClassVar[str]
    limits: ClassVar[HttpLimits] = DASHBOARD_LIMITS
    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handoff: HandoffListener | None = None
        self._peers: set[socket.socket] = set()  # ingest workers
        self._heads: dict[DashboardClient, tuple[bytes, float]] = {}  # incomplete, with the deadline for the rest
        self._lingering: dict[DashboardClient, float] = {}  # answered, with the time to close them
        self._stop_by_s = float("inf")
        self._streams: Streams | None = None
        self._has_run = False
        self._leftovers = Leftovers()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Called by Gunicorn before the first fork."""
        refuse_tls(cfg)
        super().check_config(cfg, log)
        if cfg.workers > 1:
            message = "only one of %d dashboard workers receives handed-over clients; set workers = 1"
            log.warning(message, cfg.workers, extra={"action": "other_workers"})

    def load_wsgi(self) -> None:
        super().load_wsgi()
        app: Any = self.wsgi

        def app_with_streams(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            sock: BoundedSocket = environ["gunicorn.socket"]
            environ["bloop.is_stopping"] = self._is_stopping
            environ["bloop.stream"] = sock.listen_to
            answer: Iterable[bytes] = app(environ, start_response)
            sock.leave_open(start_response.__self__)  # the response it is a method of
            return answer

        self.wsgi = app_with_streams

    def _is_stopping(self) -> bool:
        return not self.alive

    def run(self) -> None:
        self._handoff = HandoffListener(self.handoff_path)
        self._streams = Streams(on_closed=self._stream_ended)
        try:
            super().run()
        finally:
            self._leave_handoff(adopt=False)
            self._has_run = True
            self._end_streams()
            for client in [*self._heads, *self._lingering]:
                client.close()

    # -- clients in ----------------------------------------------------------------------------------------------

    def set_accept_enabled(self, enabled: bool) -> None:
        """Extend Gunicorn's switch for accepting connections to handed-over clients (DASHBOARD-3, DASHBOARD-4)."""
        if enabled != self._accepting and self._handoff is not None:
            self._watch_handoff(enabled)
        super().set_accept_enabled(enabled)
        if not self.alive:
            self._end_streams()
            self._stop_by_s = time.monotonic() + STOP_KEEPALIVE_LINGER
            self._leave_handoff(adopt=True)

    def _watch_handoff(self, enabled: bool) -> None:
        assert self._handoff is not None
        if enabled:
            self.poller.register(self._handoff.socket, selectors.EVENT_READ, self._accept_peer)
            for peer in self._peers:
                self.poller.register(peer, selectors.EVENT_READ, self._receive_clients)
        else:
            for watched in (self._handoff.socket, *self._peers):
                self.poller.unregister(watched)

    def _accept_peer(self, _: socket.socket) -> None:
        assert self._handoff is not None
        peer = self._handoff.accept()
        if peer is not None:
            self._peers.add(peer)
            self.poller.register(peer, selectors.EVENT_READ, self._receive_clients)

    def _receive_clients(self, peer: socket.socket) -> None:
        try:
            for _ in range(_RECEIVED_PER_EVENT_MAX):
                received = receive(peer) if self.nr_conns < self.worker_connections else None
                if received is None:
                    return
                self._adopt(*received)
        except (EOFError, OSError):  # the ingest worker stopped or was killed
            self.poller.unregister(peer)
            self._peers.discard(peer)
            peer.close()

    def _leave_handoff(self, adopt: bool) -> None:
        """Release the path; with `adopt`, serve the clients that wait in the queues (HANDOFF-3)."""
        if self._handoff is None:
            return
        while (peer := self._handoff.accept()) is not None:
            self._peers.add(peer)
        self._handoff.close()
        self._handoff = None
        for peer in self._peers:
            with peer:
                if adopt:
                    self._adopt_waiting(peer)
        self._peers.clear()

    def _adopt_waiting(self, peer: socket.socket) -> None:
        try:
            peer.shutdown(socket.SHUT_RD)  # from now on sends to us fail, and ingest connects to our successor
            while (received := receive(peer)) is not None:
                self._adopt(*received)
        except (EOFError, OSError):
            pass

    def accept(self, listener: Any) -> None:
        """Gunicorn's callback for a connection on one of its own listeners."""
        try:
            sock, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self._adopt(sock.detach(), b"")

    def _adopt(self, fd: int, data: bytes) -> None:
        sock = BoundedSocket(fd, self.limits)
        try:
            client = DashboardClient(self.cfg, sock, self._linger)
        except OSError:
            sock.close()
            return
        self.nr_conns += 1
        client.give_back(data)
        self.enqueue_req(client)

    # -- heads (DASHBOARD-1) -------------------------------------------------------------------------------------

    def enqueue_req(self, conn: DashboardClient) -> None:
        """Extend Gunicorn's only entry to the thread pool: first collect the head of the request."""
        conn.sock.setblocking(False)
        self._collect_head(conn, conn.take_unread(), time.monotonic() + self.limits.header_timeout_s)

    def _collect_head(self, client: DashboardClient, data: bytes, deadline_s: float) -> None:
        try:
            while not self._is_complete(data := skip_empty_lines(data)):
                more = client.sock.recv(RECV_BYTES)
                if not more:
                    self._drop(client)
                    return
                data += more
        except BlockingIOError:
            self._heads[client] = (data, deadline_s)
            self.poller.register(client.sock, selectors.EVENT_READ, partial(self._on_head_readable, client))
        except OSError:
            self._drop(client)
        except Refused as refused:
            self._refuse(client, refused)
        else:
            client.give_back(data)
            client.sock.expect_body()
            super().enqueue_req(client)

    def _is_complete(self, data: bytes) -> bool:
        end = data.find(b"\r\n\r\n") + 4
        if end > self.limits.header_bytes_max:
            raise Refused(431, "headers too large")
        if end == 3 and data and (fault := incomplete_head_fault(data, self.limits)) is not None:
            raise fault
        return end > 3

    def _on_head_readable(self, client: DashboardClient, sock: socket.socket) -> None:
        self.poller.unregister(sock)
        self._collect_head(client, *self._heads.pop(client))

    # -- streams (DASHBOARD-5) -----------------------------------------------------------------------------------

    def finish_request(self, conn: DashboardClient, fs: Any) -> None:
        """Extend Gunicorn's end of a request: a client with a stream stays, and counts as a connection."""
        channel, has_begun = conn.sock.take_channel()
        if channel is None:
            super().finish_request(conn, fs)
        elif has_begun and self._streams is not None and fs.exception() is None:
            self._streams.add(conn.sock, channel)
        else:
            channel.closed()
            super().finish_request(conn, fs)

    def _stream_ended(self) -> None:
        """Called in the streaming thread. After the main loop has ended, its queue is closed and no count is needed."""
        if not self._has_run:
            self.method_queue.defer(self._forget_stream)

    def _forget_stream(self) -> None:
        self.nr_conns -= 1

    def _end_streams(self) -> None:
        if self._streams is not None:
            self._streams.close()
            self._streams = None

    def _refuse(self, client: DashboardClient, refused: Refused) -> None:
        self.nr_conns -= 1
        date_line = f"Date: {formatdate(usegmt=True)}\r\n".encode("ascii")
        with contextlib.suppress(OSError):
            client.sock.send(refusal_bytes(refused, date_line))
        client.close(graceful=True)

    def _drop(self, client: DashboardClient) -> None:
        self.nr_conns -= 1
        client.close()

    # -- clients out ---------------------------------------------------------------------------------------------

    def _linger(self, client: DashboardClient) -> bool:
        """Keep reading from an answered client until it closes or `linger_timeout_s` passes; False if that fails."""
        if len(self._lingering) >= _LINGERING_MAX:
            return False
        try:
            client.sock.shutdown(socket.SHUT_WR)
            client.sock.setblocking(False)
        except OSError:
            return False
        self._lingering[client] = time.monotonic() + self.limits.linger_timeout_s
        self.poller.register(client.sock, selectors.EVENT_READ, partial(self._on_lingering_readable, client))
        return True

    def _on_lingering_readable(self, client: DashboardClient, sock: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            if not self._discard(sock):
                del self._lingering[client]
                self.poller.unregister(sock)
                client.close()

    def _discard(self, sock: socket.socket) -> bool:
        try:
            return bool(sock.recv(RECV_BYTES))
        except ConnectionError:
            return False

    def murder_pending(self) -> None:
        """Extend Gunicorn's sweep, once a second and after every event, to clients that send a head or linger."""
        super().murder_pending()
        self._leftovers.give_back()
        now_s = time.monotonic()
        late = [client for client, (_, until_s) in self._heads.items() if min(until_s, self._stop_by_s) <= now_s]
        for client in late:
            data, _ = self._heads.pop(client)
            self.poller.unregister(client.sock)
            if data:
                self._refuse(client, Refused(408, "request took too long"))
            else:
                self._drop(client)
        for client in [client for client, until_s in self._lingering.items() if until_s <= now_s]:
            del self._lingering[client]
            self.poller.unregister(client.sock)
            client.close()


def make_dashboard_worker(handoff_path: str, limits: HttpLimits = DASHBOARD_LIMITS) -> type[DashboardWorker]:
    """A worker class that receives clients at `handoff_path`, a Unix socket it creates (mode 0600) and removes.

    It uses the header bounds of `limits` and the timeouts for headers, bodies, writing and lingering; everything else
    is a setting of Gunicorn (`threads`, `keepalive`, `worker_connections`, `limit_request_*`, `graceful_timeout`).
    """
    return type("DashboardWorker", (DashboardWorker,), {"handoff_path": handoff_path, "limits": limits})
