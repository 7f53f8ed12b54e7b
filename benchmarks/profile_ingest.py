"""The ingest path alone, in this process: connection, HTTP, Falcon, signature, JSON, fingerprint, record; no kernel.

Requests are rendered before the clock starts and handed to the worker's own connection code by an object that plays the
socket; records end in a sink that forgets them. System calls and the ring are left out.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import falcon

from benchmarks.stopwatch import Steps
from bloop.base.client_address import ClientAddresses
from bloop.base.clock import now_ms
from bloop.base.rate_limit import RateLimiter
from bloop.bench import rendering
from bloop.bench.corpus import Corpus
from bloop.bench.rendering import Request, Target
from bloop.grouping import fingerprint_v1 as v1
from bloop.http.connection import Connection
from bloop.http.gateway import Gateway, WsgiApp
from bloop.http.limits import HttpLimits
from bloop.http.request import HeadReader
from bloop.http.server import HttpServer
from bloop.ingest import compose, credentials
from bloop.ingest.admit import Admission
from bloop.ingest.credentials import SignedBody
from bloop.ingest.dialects import native
from bloop.ingest.keys import ProjectKey, ProjectKeys
from bloop.ingest.limits import Limits
from workers.ingest import create_ingest_app

SECRET = "s" * 32
PROJECT_KEY = "bloop_" + "0f" * 32
WARM_UP = 500
NO_LIMIT_PER_S = 1e9  # the limiter runs, and admits every request


class ForgettingSink:
    """Accepts every record and keeps none."""

    pushed = 0

    def push(self, form: int, payload: bytes) -> bool:
        self.pushed += 1
        return True

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        pass


class LoopedSocket:
    """Plays the socket: every `recv` is one request, every `send` takes all."""

    def __init__(self) -> None:
        self.incoming = b""
        self.sent = b""

    def recv(self, size: int) -> bytes:
        return self.incoming

    def send(self, data: bytes) -> int:
        self.sent = data
        return len(data)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass


class Hello:
    """The cost of Falcon on this worker, with an app that does nothing."""

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = b'{"status":"accepted"}'


def ingest_wsgi(sink: ForgettingSink) -> WsgiApp:
    keys = ProjectKeys(lambda: [ProjectKey(1, PROJECT_KEY)], lambda: 1, SECRET, lambda: 1)
    limiter = RateLimiter(NO_LIMIT_PER_S, 1_000_000)
    return create_ingest_app(sink=sink, keys=keys, limits=Limits(), rate_limit=limiter, trusted_proxies=())


def hello_wsgi() -> WsgiApp:
    app = falcon.App()
    app.add_route("/v1/ingest", Hello())
    return cast(WsgiApp, app)


@contextmanager
def connection_to(app: WsgiApp) -> Iterator[Callable[[bytes], bytes]]:
    """A function from the bytes of a request to the bytes of its answer, through the ingest worker's own code."""
    waker, wakes = os.pipe()
    limits = HttpLimits()
    environ = {
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    server = HttpServer([], Gateway(app, limits), HeadReader(environ, lambda path: True, limits), None, limits, waker)
    sock = LoopedSocket()
    connection = Connection(server, cast(Any, sock), ("127.0.0.1", 40_000))

    def exchange(request: bytes) -> bytes:
        sock.incoming = request
        connection.on_event()
        return sock.sent

    try:
        yield exchange
    finally:
        server.close()
        os.close(waker)
        os.close(wakes)


# Own time of each; functions without a line count to their caller.
_STEPS = (
    (Connection, "on_event", "connection: framing, keep-alive"),
    (HeadReader, "environ", "HTTP head into environ (llhttp)"),
    (Gateway, "call", "answer into bytes"),
    (Admission, "admit", "admit: order of checks, counts"),
    (SignedBody, "open", "credential: its own part"),
    (RateLimiter, "take", "rate limit"),
    (ClientAddresses, "of", "client address"),
    (ProjectKeys, "verify", "key lookup, HMAC-SHA256"),
    (credentials, "read_body", "body out of the stream"),
    (native, "decode_json", "JSON decoded"),
    (native, "parse_event", "validated"),
    (v1, "compute", "fingerprint"),
    (compose, "encode_event", "record encoded"),
)


def _run(exchange: Callable[[bytes], bytes], requests: list[bytes]) -> float:
    """µs of CPU per request."""
    for request in requests[:WARM_UP]:
        exchange(request)
    start = time.process_time()
    for request in requests:
        exchange(request)
    return (time.process_time() - start) / len(requests) * 1e6


def report(count: int, *, batch: int, deep: bool) -> None:
    """Print µs per event, by step."""
    corpus = Corpus(timestamp_ms=now_ms())
    target = Target(port=80, secret=PROJECT_KEY, project_key=PROJECT_KEY)

    def render(n: int) -> Request:
        return rendering.batch(target, corpus, n * batch, batch) if batch else rendering.single(target, corpus, n)

    requests = [b"".join(render(n)) for n in range(max(count // max(batch, 1), 1))]
    per_request = max(batch, 1)
    sink = ForgettingSink()
    with connection_to(ingest_wsgi(sink)) as exchange:
        answer = exchange(requests[0])
        assert answer.startswith(b"HTTP/1.1 200"), answer
        total_us = _run(exchange, requests)
    kind = f"batches of {batch}" if batch else "single events"
    print(f"{kind}, {sum(map(len, requests)) / len(requests) / per_request:.0f} B per event with headers")
    print(f"  ingest path without kernel   {total_us / per_request:8.2f} µs cpu per event")
    if not batch:
        with connection_to(hello_wsgi()) as exchange:
            print(f"  Falcon hello, same requests  {_run(exchange, requests):8.2f} µs cpu per request")
    steps = Steps()
    with steps.measuring(*_STEPS):  # before the app is made: it looks its functions up once
        app = ingest_wsgi(sink)
        with connection_to(cast(WsgiApp, steps.wrap(app, "Falcon"))) as exchange:
            watched_us = _run(exchange, requests)
    exchanges = len(requests) + min(WARM_UP, len(requests))
    print(f"by step (own time, the stopwatch included: {watched_us / per_request:.1f} µs in all)")
    for label, seconds in sorted(steps.seconds.items(), key=lambda item: -item[1]):
        print(f"  {label:36}{seconds / exchanges / per_request * 1e6:8.2f}")
    if deep:
        with connection_to(ingest_wsgi(sink)) as exchange:
            profiler = cProfile.Profile()
            profiler.runcall(_run, exchange, requests)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
