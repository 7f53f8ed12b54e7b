"""The one list of dialects, and all that follows from it: paths, routes, where their numbers are.

A dialect's number (`Route.dialect`) and a route's place in it stand in shared memory and outlive upgrades: append,
never renumber. 0 is native.
"""

from __future__ import annotations

from collections.abc import Iterable

from bloop.base.meters import RouteMeters
from bloop.ingest.dialect import Dialect, Endpoint
from bloop.ingest.dialects import native

DIALECTS: tuple[Dialect, ...] = (native.DIALECT,)


def endpoints(dialects: Iterable[Dialect] = DIALECTS) -> list[Endpoint]:
    return [endpoint for dialect in dialects for endpoint in dialect.endpoints]


METERS = RouteMeters([endpoint.route for endpoint in endpoints()])
PATHS = tuple(dict.fromkeys(endpoint.route.path for endpoint in endpoints()))
