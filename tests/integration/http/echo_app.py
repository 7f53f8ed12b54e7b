"""The WSGI app behind both workers in these tests: it answers with the request and the process that served it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import FrameType
from typing import Any

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


def stream(environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
    """An endless stream that ends when the worker says it is stopping."""
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    is_stopping = environ["bloop.is_stopping"]
    pace = Event()  # never set: only the timeout ends a wait
    number = 0
    while not is_stopping():
        yield b"data: %d\n\n" % number
        number += 1
        pace.wait(0.02)
    yield b"data: end\n\n"


def read_or_gone(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Reads the body and writes to disk how the read ended."""
    outcome = "read"
    try:
        environ["wsgi.input"].read()
    except ConnectionError:
        outcome = "gone"
    with open(environ["HTTP_X_NOTE"] + ".part", "w") as note:
        note.write(outcome)
    os.rename(environ["HTTP_X_NOTE"] + ".part", environ["HTTP_X_NOTE"])
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
    "read-or-gone": read_or_gone,
}
