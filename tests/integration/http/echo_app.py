"""The WSGI app behind both workers in these tests: it answers with the request and the process that served it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import FrameType
from typing import Any

from bloop.http.dashboard_server import DashboardApp
from tests.integration.http.wire import PATIENCE_S

Environ = dict[str, Any]
JSON = ("Content-Type", "application/json")


def app(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    route = ROUTES.get(environ["PATH_INFO"].rsplit("/", 1)[-1], echo)
    return route(environ, start_response)


def echo(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    answer = {name: value for name, value in environ.items() if isinstance(value, str)}
    answer |= {"pid": os.getpid(), "body_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    encoded = json.dumps(answer).encode()
    start_response("200 OK", [JSON, ("Content-Length", str(len(encoded)))])
    return [encoded]


def boom(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    raise RuntimeError("boom")


def boom_late(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [JSON])
    yield b"{"
    raise RuntimeError("boom")


def lying(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"abc"]


def splitting(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("X-Note", "a\r\nSet-Cookie: b")])
    return [b"abc"]


def silent(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    return [b"abc"]


def pieces(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    write = start_response("200 OK", [])
    write(b"zero ")
    yield b"one "
    yield b""
    yield b"two"


def big(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"x" * int(environ["QUERY_STRING"])]


def empty(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    status = {"204": "204 No Content", "304": "304 Not Modified"}[environ["QUERY_STRING"]]
    start_response(status, [("X-Kept", "yes"), ("Connection", "keep-alive")])
    return [b"not to be sent"]


def in_flight(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Writes to disk that it has begun, and answers once its worker got SIGTERM."""
    stop_signals: SimpleQueue[int] = SimpleQueue()  # the only queue that a signal handler may put into
    usual = signal.getsignal(signal.SIGTERM)

    def on_sigterm(signum: int, frame: FrameType | None) -> None:
        usual(signum, frame)
        stop_signals.put(signum)

    signal.signal(signal.SIGTERM, on_sigterm)
    Path(environ["QUERY_STRING"]).touch()
    stop_signals.get(timeout=PATIENCE_S)
    return echo(environ, start_response)


class Counting:
    """A channel that counts up."""

    number = 0

    def pull(self) -> bytes:
        self.number += 1
        return b"data: %d\n\n" % self.number

    def closed(self) -> None:
        pass


def stream(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A stream that goes on without its thread."""
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    environ["bloop.stream"](Counting())
    return [b"data: 0\n\n"]


def until_stopping(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Makes a file and works until that is removed, or the worker says it is stopping."""
    file = Path(environ["QUERY_STRING"])
    file.touch()
    deadline_s = time.monotonic() + PATIENCE_S
    pace = Event()  # never set: only the timeout ends a wait
    while file.exists() and not environ["bloop.is_stopping"]() and time.monotonic() < deadline_s:
        pace.wait(0.01)
    return echo(environ, start_response)


def note(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Writes to disk that it was called."""
    Path(environ["HTTP_X_NOTE"]).touch()
    start_response("200 OK", [("Content-Length", "0")])
    return []


ROUTES: dict[str, Callable[..., Iterable[bytes]]] = {
    "boom": boom,
    "boom-late": boom_late,
    "lying": lying,
    "splitting": splitting,
    "silent": silent,
    "pieces": pieces,
    "big": big,
    "empty": empty,
    "in-flight": in_flight,
    "stream": stream,
    "until-stopping": until_stopping,
    "note": note,
}


def body_bytes_max(method: str, path: bytes) -> int:
    return 0 if method == "GET" else 100_000


dashboard = DashboardApp(app, body_bytes_max, probe_paths=frozenset({"/probe"}))
