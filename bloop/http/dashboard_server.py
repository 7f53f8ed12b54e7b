"""The loop of the dashboard: ingest's loop, with threads that call the app and clients that ingest workers hand over.

    main loop       collects head and body ──▶ a thread calls the app ──▶ main loop sends at the peer's speed
    (HEAD, BODY)                               (WORKING)                  (WRITING)

DASHBOARD-1  A thread gets only requests whose head and body are complete. Of the answer it sends what the socket takes
    at once. The main loop does everything that can wait for a peer, so slow clients cost a connection, never a thread.
DASHBOARD-2  A body longer than its route takes is refused at its announcement; most routes take none (`body_bytes_max`
    of the app). Long ones wait in a file (spool.py).
DASHBOARD-3  A full server receives no more clients; they wait in a bounded queue, then ingest answers 503.
DASHBOARD-4  A stopping server answers every client that was already passed to it, and ends open streams. An app that
    works for long can call `environ["bloop.is_stopping"]`.
DASHBOARD-5  An endless answer occupies no thread: the app gives a channel to `environ["bloop.stream"]`, starts the
    answer and returns; the client then belongs to one thread that writes to all such clients (streams.py).
DASHBOARD-6  Probes (`probe_paths`: health and readiness) have a thread of their own: they are answered while every
    other thread is busy.
DASHBOARD-7  A request is answered within `request_timeout_s`, if only with 503; what its thread still does is then for
    nobody. Uploads are timed from the end of their body.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from bloop.http.connection import Connection, memory_refusal
from bloop.http.gateway import Gateway, WsgiApp, logger
from bloop.http.handoff import HandoffListener, receive
from bloop.http.limits import HttpLimits
from bloop.http.peer import BODY, CLOSED, IDLE, WORKING, WRITING, Peer
from bloop.http.refusal import Refused
from bloop.http.request import BodyBytesMax, Environ, HeadReader, RequestLine, wants_keep_alive
from bloop.http.server import HttpServer
from bloop.http.spool import Spool, SpoolFolder, Store
from bloop.http.streams import StreamChannel, Streams
from bloop.http.thread_pool import ThreadPool

_RECEIVED_PER_EVENT_MAX = 32
_NEVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class DashboardApp:
    """The app with what the loop must know about it; itself a WSGI app too."""

    wsgi: WsgiApp
    body_bytes_max: BodyBytesMax | None = None  # None: every route takes `HttpLimits.body_bytes_max`
    probe_paths: frozenset[str] = frozenset()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self.wsgi(environ, start_response)


class Response(NamedTuple):
    """What a thread gives back."""

    payload: bytes
    keeps_alive: bool
    channel: StreamChannel | None = None


_GONE = -1  # instead of a number of bytes sent


@dataclass(eq=False, slots=True)
class PageRequest:
    """A complete request on its way through a thread."""

    connection: DashboardConnection
    environ: Environ
    line: RequestLine
    body: BytesIO | Spool
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_cancelled: bool = False  # changed with `lock` held

    def send(self, payload: bytes) -> int:
        """Send what the socket takes at once, from the request's thread: one switch of threads less before the first
        byte arrives. Returns the number of bytes sent, or _GONE.

        The lock keeps the main loop from closing the socket meanwhile, when its descriptor could become another's.
        """
        with self.lock:
            if self.is_cancelled:
                return 0
            try:
                return self.connection.sock.send(payload)
            except (BlockingIOError, InterruptedError):
                return 0
            except OSError:
                return _GONE


class ThreadGateway(Gateway):
    """The gateway of one thread. Date and closing are the main loop's; answers are counted by the app."""

    def __init__(self, app: WsgiApp, limits: HttpLimits, main: Gateway) -> None:
        super().__init__(app, limits)
        self._refusal_lines = main._refusal_lines
        self._main = main
        self._channel: StreamChannel | None = None

    def respond(self, environ: Environ, line: RequestLine) -> Response:
        """Call the app. Never raises."""
        environ["bloop.stream"] = self._keep
        self.date_line = self._main.date_line
        try:
            body = self._body_of(self._app(environ, self._start_response))
            channel = self._channel
            keeps_alive = channel is None and wants_keep_alive(environ, line) and not self._main.announces_close
            payload = self._join(self._head(), body, line, keeps_alive, is_endless=channel is not None)
            return Response(payload, keeps_alive, channel)
        except Exception:
            logger.exception("a request failed", extra={"action": "request_failed"})  # never its path (LOG-2)
            if self._channel is not None:
                self._channel.closed()
            return Response(self.refuse(Refused(500, "internal error")), keeps_alive=False)
        finally:
            self._status = self._channel = None
            self._heads.clear()  # answers to people rarely repeat, and their heads hold cookies

    def _keep(self, channel: StreamChannel) -> None:
        """Called by the app: its answer continues with the bytes that `channel` gives."""
        self._channel = channel


class DashboardConnection(Connection):
    """One client of the dashboard. Only the main loop's thread uses it."""

    __slots__ = ("_answer_by_s", "_job")
    _server: DashboardServer

    def __init__(self, server: DashboardServer, sock: socket.socket, address: object) -> None:
        self._answer_by_s = _NEVER_S
        self._job: PageRequest | None = None
        super().__init__(server, sock, address)

    def expire(self) -> None:
        if self.phase != WORKING:
            super().expire()
            return
        self._cancel()
        self._server.watch_again(self)
        self.refuse(Refused(503, "the request took too long", retry_after_s=1))

    def close(self) -> None:
        self._cancel()
        super().close()

    def _cancel(self) -> None:
        if self._job is not None:
            with self._job.lock:
                self._job.is_cancelled = True
            self._job = None

    # -- a request in --------------------------------------------------------------------------------------------

    def _begin(self, line: RequestLine, head: bytes, data: bytes) -> bytes | None:
        timeout_s = self._server.limits.request_timeout_s
        self._answer_by_s = self._server.now_s + timeout_s if timeout_s else _NEVER_S
        return super()._begin(line, head, data)

    def _store(self) -> Store:
        return self._server.new_spool()

    def _feed(self, data: bytes) -> bytes | None:
        assert self._pending is not None
        if _is_in_file(self._pending[2].stream):
            self._answer_by_s = _NEVER_S  # an upload: only its pace counts
        return super()._feed(data)

    def _extend(self, byte_count: int, timeout_s: float) -> None:
        super()._extend(byte_count, timeout_s)
        self.deadline_s = min(self.deadline_s, self._answer_by_s)

    def _enter(self, phase: int, for_s: float) -> None:
        super()._enter(phase, for_s)
        if phase in (BODY, WORKING, WRITING):
            self.deadline_s = min(self.deadline_s, self._answer_by_s)

    def _answer(self, line: RequestLine, environ: Environ, body: BytesIO | Spool, rest: bytes) -> bytes | None:
        """Give the request to a thread. Nothing is read until the answer is here."""
        server = self._server
        environ["wsgi.input"] = body
        environ["REMOTE_ADDR"] = self._address
        environ["REMOTE_PORT"] = self._port
        self.buffer = rest
        body_bytes = 0 if _is_in_file(body) else int(environ.get("CONTENT_LENGTH", 0))
        try:
            self._count_for_client(environ)
            if not self._hold(len(rest) + body_bytes):
                raise memory_refusal()
        except Refused:
            body.close()
            raise
        server.request_count += 1
        # Gone from epoll: it would report a peer that has hung up again and again.
        server.unwatch(self)
        if self._answer_by_s == _NEVER_S and (timeout_s := server.limits.request_timeout_s):
            self._answer_by_s = server.now_s + timeout_s
        self._enter(WORKING, _NEVER_S)
        self._job = PageRequest(self, environ, line, body)
        server.submit(self._job)
        return None

    # -- its answer out ------------------------------------------------------------------------------------------

    def on_response(self, job: PageRequest, response: Response, sent: int) -> None:
        """A thread has finished `job`, perhaps too late, and has sent so many bytes of the answer, or _GONE."""
        job.body.close()
        if job.is_cancelled:
            if response.channel is not None:
                response.channel.closed()
            return
        self._job = None
        self._hold(0)
        rest, self.buffer = self.buffer, b""
        if response.channel is not None:
            self._server.stream(self, response)
            return
        self.phase = IDLE
        self._server.watch_again(self)
        if sent == _GONE:
            self.close()
            return
        self._lingers = not response.keeps_alive
        unsent = response.payload[sent:]
        if unsent and not self._send(unsent, rest, closes=not response.keeps_alive):
            return
        if response.keeps_alive:
            self._end_turn(rest)
        else:
            self._finish()

    def _end_turn(self, data: bytes) -> None:
        self._answer_by_s = _NEVER_S
        if self.share is not self._peer_share:
            self._count_for(self._peer_share)
        super()._end_turn(data)


def _is_in_file(body: object) -> bool:
    return isinstance(body, Spool) and body.is_in_file


class DashboardServer(HttpServer):
    """Owns the threads, the streams and the socket that clients are handed over on, besides what every server owns."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        app: DashboardApp,
        gateway: Gateway,
        base_environ: Environ,
        limits: HttpLimits,
        wake_fd: int,
        *,
        handoff_path: str,
        threads: int,
        spool_folder: Path | str,
        trusted_proxies: Iterable[str] = (),
    ) -> None:
        environ = base_environ | {"bloop.is_stopping": lambda: gateway.announces_close}
        heads = HeadReader(environ, lambda path: True, limits, app.body_bytes_max)
        super().__init__(listeners, gateway, heads, None, limits, wake_fd, trusted_proxies=trusted_proxies)
        self._app = app
        self._local = threading.local()  # a gateway per thread
        self._threads: ThreadPool[PageRequest] = ThreadPool("pages", threads, self._work)
        self._probe_thread: ThreadPool[PageRequest] = ThreadPool("probes", 1, self._work)
        self._spool_folder = SpoolFolder(spool_folder, limits.spooled_bytes_max)
        # What other threads want the main loop to call, about which connection.
        self._calls: deque[tuple[DashboardConnection, Callable[[], None]]] = deque()
        self._calls_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._calls_lock = threading.Lock()
        self._is_closed = False
        self._epoll.register(self._calls_fd, select.EPOLLIN)
        self._streams = Streams()
        self._streaming: set[DashboardConnection] = set()
        self._peers: dict[int, socket.socket] = {}  # ingest workers
        self._is_receiving = True
        self._handoff_listener: HandoffListener | None = HandoffListener(handoff_path)
        self._epoll.register(self._handoff_listener.socket.fileno(), select.EPOLLIN)

    # -- threads -------------------------------------------------------------------------------------------------

    def submit(self, job: PageRequest) -> None:
        is_probe = job.environ["PATH_INFO"] in self._app.probe_paths
        (self._probe_thread if is_probe else self._threads).submit(job)

    def new_spool(self) -> Spool:
        return Spool(self.limits.memory_body_bytes_max, self._spool_folder)

    def _work(self, job: PageRequest) -> None:
        """Answer one request, in a thread."""
        response, sent = Response(b"", keeps_alive=False), 0
        if not job.is_cancelled:
            gateway: ThreadGateway | None = getattr(self._local, "gateway", None)
            if gateway is None:
                gateway = self._local.gateway = ThreadGateway(self._app.wsgi, self.limits, self.gateway)
            response = gateway.respond(job.environ, job.line)
            if response.channel is None:
                sent = job.send(response.payload)
        self._call(job.connection, partial(job.connection.on_response, job, response, sent))

    def _call(self, connection: DashboardConnection, call: Callable[[], None]) -> None:
        """Have the main loop call it; from any thread. Nothing happens once the server has closed."""
        with self._calls_lock:
            if not self._is_closed:
                self._calls.append((connection, call))
                os.eventfd_write(self._calls_fd, 1)

    def _take_calls(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._calls_fd)
        while self._calls:
            connection, call = self._calls.popleft()
            try:
                call()
            except Exception:
                self._drop(connection)

    # -- streams (DASHBOARD-5) -----------------------------------------------------------------------------------

    def stream(self, connection: DashboardConnection, response: Response) -> None:
        """Pass a connection to the streaming thread; it stays one of its address until the stream ends."""
        assert response.channel is not None
        if self.gateway.announces_close:
            response.channel.closed()
            connection.close()
            return
        self.forget(connection)
        connection.phase = CLOSED  # for the main loop: the socket is the streaming thread's
        self._streaming.add(connection)
        ended = partial(self._call, connection, partial(self._forget_stream, connection))
        self._streams.add(connection.sock, response.channel, response.payload, ended)

    def _forget_stream(self, connection: DashboardConnection) -> None:
        self._streaming.discard(connection)
        self.shares.leave(connection.share, connection)
        self._receive_again()

    # -- clients handed over -------------------------------------------------------------------------------------

    def _on_other_event(self, fd: int) -> None:
        if fd == self._calls_fd:
            self._take_calls()
        elif fd in self._peers:
            self._receive_clients(fd)
        elif self._handoff_listener is not None and fd == self._handoff_listener.socket.fileno():
            self._accept_peer()
        else:
            super()._on_other_event(fd)

    def _accept_peer(self) -> None:
        assert self._handoff_listener is not None
        peer = self._handoff_listener.accept()
        if peer is not None:
            self._peers[peer.fileno()] = peer
            if self._is_receiving:
                self._epoll.register(peer.fileno(), select.EPOLLIN)

    def _receive_clients(self, fd: int) -> None:
        try:
            for _ in range(_RECEIVED_PER_EVENT_MAX):
                if self._is_full and not self._evict():
                    self._set_receiving(False)
                    return
                received = receive(self._peers[fd])
                if received is None:
                    return
                self._adopt(*received)
        except (EOFError, OSError):  # the ingest worker stopped or was killed
            self._epoll.unregister(fd)
            self._peers.pop(fd).close()

    @property
    def _is_full(self) -> bool:
        return len(self.connections) + len(self._streaming) >= self.connections_max

    def _set_receiving(self, is_receiving: bool) -> None:
        """Stop receiving clients, or begin again (DASHBOARD-3)."""
        self._is_receiving = is_receiving
        for fd in self._peers:
            if is_receiving:
                self._epoll.register(fd, select.EPOLLIN)
            else:
                self._epoll.unregister(fd)

    def _receive_again(self) -> None:
        if not self._is_receiving and not self._is_full:
            self._set_receiving(True)

    def forget(self, peer: Peer) -> None:
        super().forget(peer)
        self._receive_again()

    def _adopt(self, fd: int, data: bytes) -> None:
        sock = socket.socket(fileno=fd)
        try:
            address = sock.getpeername()
        except OSError:  # the client has disconnected
            sock.close()
            return
        connection = self._open(sock, address)
        if connection is not None:
            try:
                connection.take(data)
            except Exception:
                self._drop(connection)

    def _connect(self, sock: socket.socket, address: object) -> Connection:
        if self.limits.send_buffer_bytes:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.limits.send_buffer_bytes)
        return DashboardConnection(self, sock, address)

    # -- stop ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        self.gateway.announces_close = True
        self._leave_handoff(adopt=True)
        self._streams.close()
        super().stop()

    def close(self) -> None:
        self._leave_handoff(adopt=False)
        self._streams.close()
        super().close()
        self._threads.close()
        self._probe_thread.close()
        with self._calls_lock:
            self._is_closed = True
            os.close(self._calls_fd)

    def _leave_handoff(self, adopt: bool) -> None:
        """Release the path; with `adopt`, serve the clients that wait in the queues (HANDOFF-3)."""
        if self._handoff_listener is None:
            return
        while (peer := self._handoff_listener.accept()) is not None:
            self._peers[peer.fileno()] = peer
        self._handoff_listener.close()
        self._handoff_listener = None
        peers, self._peers = self._peers, {}
        self._is_receiving = True
        for peer in peers.values():
            with peer:
                if adopt:
                    self._adopt_waiting(peer)

    def _adopt_waiting(self, peer: socket.socket) -> None:
        with contextlib.suppress(EOFError, OSError):
            peer.shutdown(socket.SHUT_RD)  # from now on sends to us fail, and ingest connects to our successor
            while (received := receive(peer)) is not None:
                self._adopt(*received)
