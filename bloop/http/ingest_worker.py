"""The Gunicorn worker class of the public port: answers ingest requests itself, hands all others to the dashboard.

A `gunicorn.conf.py` says

    worker_class = make_ingest_worker(is_ours=path_matcher(…), handoff_path="/run/bloop/handoff.sock")
    control_socket_disable = True    # or Gunicorn 27 opens one below $HOME
    worker_tmp_dir = "/dev/shm"      # heartbeats must not wait for a disk

Gunicorn's `max_requests` keeps its meaning too (loop_worker.py says which others do).
The app is called inline and must never wait for anything: one slow answer delays every client of the worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from bloop.base.errors import ConfigError
from bloop.base.meters import RouteMeters, Tally
from bloop.http.gateway import NO_METERS, Gateway
from bloop.http.handoff import HandoffSender
from bloop.http.limits import HttpLimits
from bloop.http.loop_worker import LoopWorker
from bloop.http.request import HeadReader
from bloop.http.server import HttpServer


class IngestWorker(LoopWorker):
    """Made by `make_ingest_worker`."""

    meters: ClassVar[RouteMeters] = NO_METERS
    handoff_path: ClassVar[str | None] = None
    is_ours: ClassVar[Callable[[bytes], bool]] = staticmethod(lambda path: True)
    report: ClassVar[Callable[[Tally], None]] = staticmethod(lambda tally: None)

    def make_server(self) -> HttpServer:
        return HttpServer(
            self.listeners(),
            Gateway(self.wsgi, self.limits, self.meters, https=self.https),
            HeadReader(self.base_environ(), type(self).is_ours, self.limits),
            HandoffSender(self.handoff_path) if self.handoff_path is not None else None,
            self.limits,
            self.PIPE[0],
            shares_listeners=self.cfg.workers > 1,
            trusted_proxies=self.trusted_proxies,
        )

    def after_tick(self, server: HttpServer) -> None:
        type(self).report(server.gateway.tally)


def make_ingest_worker(
    *,
    is_ours: Callable[[bytes], bool] | None = None,
    handoff_path: str | None = None,
    limits: HttpLimits | None = None,
    meters: RouteMeters = NO_METERS,
    report: Callable[[Tally], None] | None = None,
    trusted_proxies: Iterable[str] = (),
    https: bool = False,
) -> type[IngestWorker]:
    """A worker class for these settings.

    `is_ours` gets the decoded path of a request (no query, repeated slashes collapsed) and returns whether the app of
    this worker answers it; every other request goes to the dashboard listening at `handoff_path`. Without
    `handoff_path` the app answers everything. `meters` knows the app's routes; `report` is called about once a second,
    in the worker, with the counts of its answers. `trusted_proxies` have no share (shares.py); `https`: people reach
    this installation over https.
    """
    members: dict[str, object] = {
        "limits": limits or HttpLimits(),
        "handoff_path": handoff_path,
        "meters": meters,
        "trusted_proxies": tuple(trusted_proxies),
        "https": https,
    }
    if handoff_path is not None:
        if is_ours is None:
            raise ConfigError("http.handoff_path", "needs is_ours to tell which requests stay")
        members["is_ours"] = staticmethod(is_ours)
    if report is not None:
        members["report"] = staticmethod(report)
    return type("IngestWorker", (IngestWorker,), members)
