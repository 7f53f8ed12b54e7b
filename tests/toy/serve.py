"""`python -m tests.toy.serve`: `bloop up` with one feature and one dialect more in its two lists."""

from __future__ import annotations

import contextlib
import sys

from bloop import features
from bloop.base import clock, config
from bloop.base.meters import RouteMeters
from bloop.db import connection, migrate
from bloop.ingest import registry
from tests.toy import pings


def main() -> int:
    features.FEATURES += (pings.FEATURE,)
    registry.DIALECTS += (pings.DIALECT,)
    endpoints = registry.endpoints(registry.DIALECTS)
    registry.METERS = RouteMeters([endpoint.route for endpoint in endpoints])
    registry.PATHS = tuple(dict.fromkeys(endpoint.route.path for endpoint in endpoints))
    from workers import process, supervisor  # only now: these read the lists when they are imported

    settings = config.load(None)
    migrate.migrate(settings.database_path, clock.now_ms())
    with contextlib.closing(connection.open_control(settings.database_path)) as db:
        db.execute(pings.SCHEMA)
    flags = process.parse_flags("supervisor")
    return process.run("supervisor", lambda settings: supervisor.main(settings, flags))


if __name__ == "__main__":
    sys.exit(main())
