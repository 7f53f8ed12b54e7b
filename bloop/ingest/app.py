"""The routes SDKs send to: `POST /v1/ingest` and `POST /v1/ingest/batch`.

I1  Checks run in one order: rate limit, signature present, signature is hex, body size, project key, signature, JSON,
    fields. The first that fails is the answer; 4xx bodies are `{"error": …}`.
    All before the JSON is gate.py.
I2  Every record that reaches a worker is counted RECEIVED once, and either pushed or counted under what became of it.
    A request refused before its records are known counts as one. RECEIVED is booked before the push, so a worker
    killed in between leaves a difference the writer can see.
I3  A refusal is booked to the project the request names, proven or not, so its owner sees it; 0 when it names none.
I4  Nothing here waits: no database, no lock held across I/O. A full lane is answered 200 with `dropped`.
I5  Every answer of these routes may be read by any web page (CORS): browsers are clients, and the signature, not the
    origin, is the credential.
"""

from __future__ import annotations

import abc
import io
import re
from collections.abc import Callable, Iterable
from typing import Any

import falcon
import orjson

from bloop.base import clock
from bloop.base.client_address import ClientAddresses
from bloop.base.errors import InvalidEvent
from bloop.base.json_body import decode_json
from bloop.base.outcomes import Category, Outcome
from bloop.base.rate_limit import RateLimiter
from bloop.grouping import v1
from bloop.ingest.dialects.native import parse_event
from bloop.ingest.gate import Gate
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.limits import Limits
from bloop.ingest.signature import sign
from bloop.records.event import Event
from bloop.records.record import EVENT_FORM, FINGERPRINT_BY_CLIENT, Sink, encode_event
from bloop.site import errors

_ACCEPTED = b'{"status":"accepted"}'
_DROPPED = b'{"status":"dropped"}'
_METHODS = ("OPTIONS", "POST")
_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST, PUT, OPTIONS",  # PUT is for trace updates; one answer fits all ingest routes
    "Access-Control-Allow-Headers": "Content-Type, Content-Encoding, X-Signature, X-Project-Key, Authorization",
    "Access-Control-Max-Age": "86400",
}


def create_ingest_app(
    *,
    sink: Sink,
    keys: ProjectKeys,
    limits: Limits,
    rate_limit: RateLimiter,
    trusted_proxies: Iterable[str],
    now_ms: Callable[[], int] = clock.now_ms,
) -> falcon.App[Any, Any]:
    """A WSGI application that answers the ingest routes, and 404 for everything else."""
    app = falcon.App()
    errors.install(app)
    mount_ingest(
        app, sink=sink, keys=keys, limits=limits, rate_limit=rate_limit, trusted_proxies=trusted_proxies, now_ms=now_ms
    )
    return app


def mount_ingest(
    app: falcon.App[Any, Any],
    *,
    sink: Sink,
    keys: ProjectKeys,
    limits: Limits,
    rate_limit: RateLimiter,
    trusted_proxies: Iterable[str],
    now_ms: Callable[[], int] = clock.now_ms,
) -> None:
    """Add the ingest routes to `app`, which must have `errors.install`ed.

    Paths with repeated or trailing slashes, which some clients build, are the same routes. They go through sinks, asked
    only when no route matched, so well-formed paths pay nothing for it.
    """
    gate = Gate(sink, keys, rate_limit, ClientAddresses(trusted_proxies), now_ms)
    for path, resource in (
        ("/v1/ingest", SingleResource(gate, sink, limits, now_ms)),
        ("/v1/ingest/batch", BatchResource(gate, sink, limits, now_ms)),
    ):
        app.add_route(path, resource)
        app.add_sink(resource.on_sloppy_path, re.compile(path.replace("/", "/+") + "/*$"))


def make_sender(
    *, sink: Sink, keys: ProjectKeys, limits: Limits, now_ms: Callable[[], int] = clock.now_ms
) -> Callable[[str, bytes], bool]:
    """A client inside this process, for test events: what it sends passes every check but the rate limit.

    It is called with a project's key and a body, says whether the record was taken (False: the ring is full), and
    raises what the route would refuse the body with.
    """
    gate = Gate(sink, keys, RateLimiter(0, 1), ClientAddresses(), now_ms)
    route = SingleResource(gate, sink, limits, now_ms)

    def send(key: str, body: bytes) -> bool:
        env = {
            "HTTP_X_PROJECT_KEY": key,
            "HTTP_X_SIGNATURE": sign(key.encode(), body).hex(),
            "HTTP_USER_AGENT": "bloop",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "REMOTE_ADDR": "127.0.0.1",
        }
        return route.answer(env) == _ACCEPTED

    return send


class _Resource(abc.ABC):
    """What the two routes share: wiring, CORS, and one event's way into the sink."""

    def __init__(self, gate: Gate, sink: Sink, limits: Limits, now_ms: Callable[[], int]) -> None:
        self._gate, self._sink, self._limits, self._now_ms = gate, sink, limits, now_ms

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header(*_ANY_ORIGIN)
        resp.data = self.answer(req.env)

    def on_options(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header(*_ANY_ORIGIN)
        resp.set_headers(_PREFLIGHT)
        resp.status = falcon.HTTP_204

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.set_header(*_ANY_ORIGIN)
        raise falcon.HTTPMethodNotAllowed(_METHODS)

    on_head = on_put = on_patch = on_delete = on_get

    def on_sloppy_path(self, req: falcon.Request, resp: falcon.Response, **_: Any) -> None:
        {"POST": self.on_post, "OPTIONS": self.on_options}.get(req.method, self.on_get)(req, resp)

    @abc.abstractmethod
    def answer(self, env: dict[str, Any]) -> bytes:
        """Take in what the request holds and say what became of it."""

    def _push(self, project_id: int, received_at_ms: int, event: Event, fingerprint: str | None) -> bool:
        algorithm = FINGERPRINT_BY_CLIENT
        if fingerprint is None:
            fingerprint = v1.compute(event.source, event.error_type, event.route, event.message, event.stack)
            algorithm = v1.ALGORITHM
        return self._sink.push(EVENT_FORM, encode_event(project_id, received_at_ms, fingerprint, algorithm, event))


class SingleResource(_Resource):
    """`POST /v1/ingest`: the body is one event."""

    def answer(self, env: dict[str, Any]) -> bytes:
        project_id, body = self._gate.admit(env, self._limits.payload_bytes_max)
        received_at_ms = self._now_ms()
        try:
            event, fingerprint = parse_event(decode_json(body), self._limits, received_at_ms)
        except InvalidEvent as error:
            self._gate.refuse(env, project_id, Outcome.INVALID, error)
            raise
        self._sink.count(project_id, Category.EVENT, Outcome.RECEIVED)
        if self._push(project_id, received_at_ms, event, fingerprint):
            return _ACCEPTED
        self._sink.count(project_id, Category.EVENT, Outcome.RING_FULL)
        return _DROPPED


class BatchResource(_Resource):
    """`POST /v1/ingest/batch`: the body is `{"events": […]}`. One bad element costs only itself."""

    def answer(self, env: dict[str, Any]) -> bytes:
        project_id, body = self._gate.admit(env, self._limits.batch_bytes_max)
        received_at_ms = self._now_ms()
        elements = self._elements(env, project_id, body)
        if elements:
            self._sink.count(project_id, Category.EVENT, Outcome.RECEIVED, len(elements))
        accepted, dropped = 0, 0
        faults: list[dict[str, Any]] = []
        for index, element in enumerate(elements):
            try:
                event, fingerprint = parse_event(element, self._limits, received_at_ms)
            except InvalidEvent as error:
                if not faults:  # one note for the batch
                    self._gate.note(env, project_id, Outcome.INVALID, error)
                faults.append(_fault(index, error))
                continue
            if self._push(project_id, received_at_ms, event, fingerprint):
                accepted += 1
            else:
                dropped += 1
        if faults:
            self._sink.count(project_id, Category.EVENT, Outcome.INVALID, len(faults))
        if dropped:
            self._sink.count(project_id, Category.EVENT, Outcome.RING_FULL, dropped)
        return orjson.dumps({"accepted": accepted, "dropped": dropped, "errors": faults})

    def _elements(self, env: dict[str, Any], project_id: int, body: bytes) -> list[Any]:
        """The array in the body; a batch refused as a whole is counted here."""
        try:
            elements = _events_of(decode_json(body))
        except InvalidEvent as error:
            self._gate.refuse(env, project_id, Outcome.INVALID, error)
            raise
        if len(elements) > self._limits.batch_events_tolerated:
            refusal = InvalidEvent("events", f"batch exceeds max size of {self._limits.batch_events_max}")
            self._gate.refuse(env, project_id, Outcome.TOO_LARGE, refusal, len(elements))
            raise refusal
        return elements


def _events_of(data: Any) -> list[Any]:
    if not isinstance(data, dict):
        raise InvalidEvent("", "batch must be a JSON object")
    events = data.get("events")
    if not isinstance(events, list):
        raise InvalidEvent("events", "events is required" if events is None else "events must be an array")
    return events


def _fault(index: int, error: InvalidEvent) -> dict[str, Any]:
    path = f"events[{index}].{error.path}" if error.path else f"events[{index}]"
    return {"index": index, "error": f"validation error: {error.reason}", "path": path}
