"""The route of the live stream."""

from __future__ import annotations

from bloop.auth.access import credential
from bloop.auth.scopes import Scope
from bloop.live.stream import Stream
from bloop.site.deps import Deps
from bloop.site.routes import Routes


def mount(routes: Routes, deps: Deps) -> None:
    stream = Stream(deps)
    deps.gauges["streams"] = lambda: stream.clients
    routes.add("/v1/stream", stream, GET=credential(Scope.ERRORS_READ))
