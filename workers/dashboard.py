"""The dashboard server, `python -m workers.dashboard [--config PATH]`: pages, API and streams, on threads.

D1  Connections come from the ingest workers through the hand-off socket, or from a reverse proxy through a Unix socket
    of its own. It has no TCP port.
D2  One worker process: its threads share the read connections, the caches and one lane of the ring, for requests to the
    ingest routes that arrive on a connection it already has.
"""

from __future__ import annotations

import contextlib
import sys

from bloop.base.config import Settings
from bloop.http.dashboard_worker import DASHBOARD_LIMITS, make_dashboard_worker
from bloop.site.app import assemble
from workers import process, serving

GRACEFUL_S = 5  # streams end at once when asked; what is left then are slow queries, and they have a limit of their own


def build(settings: Settings, handles: contextlib.ExitStack) -> serving.WsgiApp:
    """The app of the worker. Runs after the fork."""
    segment, lane = serving.join_ring(settings, handles)
    keys = serving.make_keys(settings, segment)
    return assemble(settings, segment=segment, sink=lane, keys=keys, handles=handles)


def prepare(settings: Settings) -> serving.Application:
    """The server, for `serving.run`."""
    settings.run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    options = serving.house_rules(settings) | {
        "bind": f"unix:{settings.dashboard_path}",
        "workers": 1,
        "threads": settings.tuning.dashboard_threads,
        "keepalive": int(DASHBOARD_LIMITS.keepalive_timeout_s),  # an idle connection costs no thread
        "worker_class": make_dashboard_worker(handoff_path=str(settings.handoff_path)),
        "graceful_timeout": GRACEFUL_S,
        "proc_name": "bloop-dashboard",
    }
    return serving.Application(settings, options, build)


def run(settings: Settings) -> int:
    """Be the dashboard server. Returns the exit code."""
    return serving.run(prepare(settings))


if __name__ == "__main__":
    sys.exit(process.run("dashboard", run))
