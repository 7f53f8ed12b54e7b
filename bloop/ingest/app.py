"""The ingest routes as a WSGI application: every dialect's paths, their CORS, and the answers of `admit`.

4xx bodies are `{"error": …}`. Every answer of these routes may be read by any web page: browsers are clients, and the
credential, not the origin, decides.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from typing import Any

import falcon

from bloop.base import clock
from bloop.base.client_address import ClientAddresses
from bloop.base.rate_limit import RateLimiter, WorkBudget
from bloop.ingest import registry
from bloop.ingest.admit import Admission, Intake
from bloop.ingest.dialect import Dialect
from bloop.ingest.dialects import native
from bloop.ingest.hmac_signature import sign
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.limits import Limits
from bloop.records.record import Sink

_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST, PUT, OPTIONS",  # PUT is for trace updates; one answer fits all ingest routes
    "Access-Control-Allow-Headers": "Content-Type, Content-Encoding, X-Signature, X-Project-Key, Authorization",
    "Access-Control-Max-Age": "86400",
}


def mount_ingest(
    app: falcon.App[Any, Any],
    *,
    sink: Sink,
    keys: ProjectKeys,
    limits: Limits,
    rate_limit: RateLimiter,
    trusted_proxies: Iterable[str],
    work: WorkBudget | None = None,
    now_ms: Callable[[], int] = clock.now_ms,
    dialects: Iterable[Dialect] = registry.DIALECTS,
) -> None:
    """Add the ingest routes to `app`, which must have `errors.install`ed.

    Paths with repeated or trailing slashes, which some clients build, are the same routes. They go through sinks, asked
    only when no route matched, so well-formed paths pay nothing for it.
    """
    intake = Intake(
        sink=sink,
        keys=keys,
        limits=limits,
        rate_limit=rate_limit,
        addresses=ClientAddresses(trusted_proxies),
        now_ms=now_ms,
        work=work,
    )
    by_path: dict[str, dict[str, Admission]] = {}
    for dialect in dialects:
        credential = dialect.credential(keys)
        for endpoint in dialect.endpoints:
            admissions = by_path.setdefault(endpoint.route.path, {})
            admissions[endpoint.route.method] = Admission(endpoint, credential, intake)
    for path, admissions in by_path.items():
        resource = IngestResource(admissions)
        app.add_route(path, resource)
        app.add_sink(resource.on_sloppy_path, _sloppy(path))


def make_sender(
    *, sink: Sink, keys: ProjectKeys, limits: Limits, now_ms: Callable[[], int] = clock.now_ms
) -> Callable[[str, bytes], bool]:
    """A client inside this process, for test events: what it sends passes every check but the rate limit.

    It is called with a project's key and a body, says whether the record was taken (False: the ring is full), and
    raises what the route would refuse the body with.
    """
    intake = Intake(
        sink=sink,
        keys=keys,
        limits=limits,
        rate_limit=RateLimiter(0, 1),
        addresses=ClientAddresses(),
        now_ms=now_ms,
    )
    admission = Admission(native.SINGLE, native.DIALECT.credential(keys), intake)

    def send(key: str, body: bytes) -> bool:
        env = {
            "HTTP_X_PROJECT_KEY": key,
            "HTTP_X_SIGNATURE": sign(key.encode(), body).hex(),
            "HTTP_USER_AGENT": "bloop",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "REMOTE_ADDR": "127.0.0.1",
        }
        return admission.admit(env, {}) == native.ACCEPTED

    return send


class IngestResource:
    """One path, with what takes in by each method it has."""

    def __init__(self, admissions: dict[str, Admission]) -> None:
        self._admissions = admissions
        self._methods = ("OPTIONS", *admissions)

    def on_post(self, req: falcon.Request, resp: falcon.Response, **path_values: str) -> None:
        resp.set_header(*_ANY_ORIGIN)
        admission = self._admissions.get(req.method)
        if admission is None:
            raise falcon.HTTPMethodNotAllowed(self._methods)
        resp.data = admission.admit(req.env, path_values)

    on_put = on_get = on_head = on_patch = on_delete = on_post

    def on_options(self, req: falcon.Request, resp: falcon.Response, **_: str) -> None:
        resp.set_header(*_ANY_ORIGIN)
        resp.set_headers(_PREFLIGHT)
        resp.status = falcon.HTTP_204

    def on_sloppy_path(self, req: falcon.Request, resp: falcon.Response, **path_values: str) -> None:
        (self.on_options if req.method == "OPTIONS" else self.on_post)(req, resp, **path_values)


def _sloppy(path: str) -> re.Pattern[str]:
    segments = (f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part) for part in path.split("/"))
    return re.compile("/+".join(segments) + r"/*\Z")  # `$` also matches before a line feed
