"""The ingest server, `python -m workers.ingest [--config PATH]`: takes records in, hands every other request over.

INGEST-1  A request never touches the database. Keys are in memory, loaded again when the ring's generation changes.
INGEST-2  Each worker owns one lane of the ring and works in one thread, so its lane needs no lock.
INGEST-3  SIGTERM stops accepting and finishes what is in flight, for GRACEFUL_S at most.
INGEST-4  It listens on the sockets that systemd passes, if it passes any: then those say where, and not `server.port`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import runpy
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import falcon

from bloop.base import clock, config
from bloop.base.config import RateLimit, Settings
from bloop.base.meters import Tally
from bloop.base.rate_limit import RateLimiter, WorkBudget
from bloop.base.systemd import FIRST_LISTEN_FD
from bloop.http.request import path_matcher
from bloop.ingest import registry
from bloop.ingest.app import mount_ingest
from bloop.ingest.dialect import Dialect
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.limits import Limits
from bloop.ingest.registry import PATHS
from bloop.records.record import Sink
from bloop.ring import Producer
from bloop.site import errors
from workers import process, serving

GRACEFUL_S = 10
SETTINGS_FILE = Path(__file__).resolve().parent.parent / "gunicorn.conf.py"

log = logging.getLogger(__name__)

_lanes: list[Producer] = []  # of this worker, for `report`; empty in the master

is_ours = path_matcher(*(spelled for path in PATHS for spelled in (path, path + "/")))


def build(settings: Settings, handles: contextlib.ExitStack) -> serving.WsgiApp:
    """The app of one worker, with its lane and its keys. Runs after the fork."""
    segment, lane = serving.join_ring(settings, handles)
    _lanes.append(lane)
    handles.callback(_lanes.clear)
    limit = settings.rate_limit
    keys = serving.make_keys(settings, segment)
    keys.report_uses_to(lane.push)
    return create_ingest_app(
        sink=lane,
        keys=keys,
        limits=Limits.of(settings.ingest),
        rate_limit=RateLimiter(limit.per_second, limit.burst_size, share=1 / settings.ingest_workers),
        work=work_budget(limit, share=1 / settings.ingest_workers),
        trusted_proxies=settings.server.trusted_proxies,
    )


def create_ingest_app(
    *,
    sink: Sink,
    keys: ProjectKeys,
    limits: Limits,
    rate_limit: RateLimiter,
    trusted_proxies: Iterable[str],
    work: WorkBudget | None = None,
    now_ms: Callable[[], int] = clock.now_ms,
    dialects: Iterable[Dialect] = registry.DIALECTS,
) -> falcon.App[Any, Any]:
    """A WSGI application that answers the ingest routes, and 404 for everything else."""
    app = falcon.App()
    errors.install(app)
    mount_ingest(
        app,
        sink=sink,
        keys=keys,
        limits=limits,
        rate_limit=rate_limit,
        trusted_proxies=trusted_proxies,
        work=work,
        now_ms=now_ms,
        dialects=dialects,
    )
    return app


def work_budget(limit: RateLimit, *, share: float = 1.0) -> WorkBudget:
    """Whoever limits no requests limits none of their work."""
    return WorkBudget(limit.bytes_per_second if limit.per_second else 0, limit.burst_bytes, share=share)


def report(tally: Tally) -> None:
    """Where the dashboard finds it, for /metrics."""
    for lane in _lanes:
        lane.add_meters(tally.take())


def app() -> serving.WsgiApp:
    """For `gunicorn -c gunicorn.conf.py`, which knows the app by name."""
    return serving.build_in_worker(config.load(), build)


def address_connections_max(settings: Settings) -> int:
    """How many connections one client address may have to a worker: a part of all, and never less than pages allow."""
    allowed = settings.server.address_connections_max
    return max(allowed, settings.ingest.connections_max // 4) if allowed else 0


def bind_address(settings: Settings) -> str:
    host = settings.server.host
    return f"[{host}]:{settings.server.port}" if ":" in host else f"{host}:{settings.server.port}"


def prepare(settings: Settings, listen_fd: int | None = None) -> serving.Application:
    """The server, for `serving.run`, on a socket that listens already or on one of its own."""
    for fd in range(FIRST_LISTEN_FD, FIRST_LISTEN_FD + process.unit.environment.listen_fds):
        _compare(settings, fd)
    options = runpy.run_path(str(SETTINGS_FILE), init_globals={"settings": settings, "listen_fd": listen_fd})
    return serving.Application(settings, options, build)


def run(settings: Settings) -> int:
    """Be the ingest server. Returns the exit code."""
    return serving.run(prepare(settings))


def _compare(settings: Settings, fd: int) -> None:
    """Links are made from the settings: say so when they name a port that is not open."""
    with socket.socket(fileno=os.dup(fd)) as listener:
        name = listener.getsockname()
    if isinstance(name, tuple) and name[1] != settings.server.port:
        message = "systemd listens on port %d, server.port says %d: change one of them"
        log.warning(message, name[1], settings.server.port, extra={"action": "other_port"})


if __name__ == "__main__":
    sys.exit(process.run("ingest", run))
