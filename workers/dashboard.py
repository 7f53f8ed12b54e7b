"""The dashboard server, `python -m workers.dashboard [--config PATH]`: pages, API and streams, on threads.

D1  Connections come from the ingest workers through the hand-off socket, or from a reverse proxy through a Unix socket
    of its own. It has no TCP port. Both ways end in the same loop and parser that ingest has (bloop/http/).
D2  One worker process: its threads share the read connections, the caches and one lane of the ring, for requests to the
    ingest routes that arrive on a connection it already has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading

from bloop import features
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.rate_limit import RateLimiter
from bloop.db.pool import DatabasePool
from bloop.health.routes import PROBE_PATHS
from bloop.http.dashboard_server import DashboardApp
from bloop.http.dashboard_worker import DASHBOARD_LIMITS, make_dashboard_worker
from bloop.ingest.app import make_sender, mount_ingest
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.limits import Limits
from bloop.projects.purger import Purger
from bloop.records.record import Sink, received_at_ms
from bloop.ring.peek import oldest_payloads
from bloop.ring.segment import RingStat, Segment
from bloop.site.app import App, create_dashboard_app
from bloop.site.deps import Deps, Hooks, RingSample
from bloop.site.render import Renderer
from workers import ingest, process, serving

PROBE_TIMEOUT_MS = 1000  # who asks for health gives up soon
GRACEFUL_S = 5  # streams end at once when asked; what is left then are slow queries, and they have a limit of their own


def build(settings: Settings, handles: contextlib.ExitStack) -> DashboardApp:
    """The app of the worker. Runs after the fork."""
    segment, lane = serving.join_ring(settings, handles)
    keys = serving.make_keys(settings, segment)
    return assemble(settings, segment=segment, sink=lane, keys=keys, handles=handles)


def assemble(
    settings: Settings, *, segment: Segment, sink: Sink, keys: ProjectKeys, handles: contextlib.ExitStack
) -> DashboardApp:
    """The app of one worker process, after the fork; what it opens is closed with `handles`."""
    database = DatabasePool(
        settings.database_path,
        pool_size=settings.tuning.read_connections,
        query_timeout_ms=settings.database.query_timeout_ms,
    )
    handles.callback(database.close)
    probe_database = DatabasePool(settings.database_path, pool_size=1, query_timeout_ms=PROBE_TIMEOUT_MS)
    handles.callback(probe_database.close)

    def ring_stat() -> RingStat | None:
        return segment.stat() if segment.is_current else None

    def sample_ring() -> RingSample | None:
        if not segment.is_current:
            return None
        received = map(received_at_ms, oldest_payloads(segment, settings.spill_folder))
        return RingSample(segment.meters(), min((at_ms for at_ms in received if at_ms is not None), default=None))

    shared_sink, limits = SharedSink(sink), Limits.of(settings.ingest)
    keys.report_uses_to(shared_sink.push)
    purger = Purger(settings.database_path, clock.now_ms)
    purger.start()
    handles.callback(purger.stop)
    deps = Deps(
        settings=settings,
        database=database,
        ring_stat=ring_stat,
        sample_ring=sample_ring,
        bump_generation=segment.bump_generation,
        render=Renderer(),
        now_ms=clock.now_ms,
        hooks=Hooks.resolve(features.hooks()),
        wake_purger=purger.wake,
        probe_database=probe_database,
        send_signed=make_sender(sink=shared_sink, keys=keys, limits=limits),
    )
    limit = settings.rate_limit

    def mount_signed(app: App) -> None:
        mount_ingest(
            app,
            sink=shared_sink,
            keys=keys,
            limits=limits,
            rate_limit=RateLimiter(limit.per_second, limit.burst_size),
            work=ingest.work_budget(limit),
            trusted_proxies=settings.server.trusted_proxies,
        )

    app, routes = create_dashboard_app(deps, features.mounts(), mount_signed)

    def body_bytes_max(method: str, path: bytes) -> int:
        if ingest.is_ours(path):
            return DASHBOARD_LIMITS.body_bytes_max
        return routes.body_bytes_max(method, path.decode("utf-8", "replace"))

    return DashboardApp(app, body_bytes_max, PROBE_PATHS)


class SharedSink:
    """A lane belongs to one thread at a time; the dashboard has several."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._lock = sink, threading.Lock()

    def push(self, form: int, payload: bytes) -> bool:
        with self._lock:
            return self._sink.push(form, payload)

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        with self._lock:
            self._sink.count(project_id, category, outcome, n)


def prepare(settings: Settings) -> serving.Application:
    """The server, for `serving.run`."""
    settings.run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    options = serving.common_options(settings) | {
        "bind": f"unix:{settings.dashboard_path}",
        "workers": 1,
        "worker_class": make_dashboard_worker(
            str(settings.handoff_path),
            dataclasses.replace(DASHBOARD_LIMITS, address_connections_max=settings.server.address_connections_max),
            threads=settings.tuning.dashboard_threads,
            spool_folder=settings.database_path.parent,
            trusted_proxies=settings.server.trusted_proxies,
            https=settings.https,
        ),
        "graceful_timeout": GRACEFUL_S,
        "proc_name": "bloop-dashboard",
    }
    return serving.Application(settings, options, build)


def run(settings: Settings) -> int:
    """Be the dashboard server. Returns the exit code."""
    return serving.run(prepare(settings))


if __name__ == "__main__":
    sys.exit(process.run("dashboard", run))
