"""The Gunicorn worker class of the public port: answers ingest requests itself, hands all others to the dashboard.

A `gunicorn.conf.py` says

    worker_class = make_ingest_worker(is_ours=path_matcher(…), handoff_path="/run/bloop/handoff.sock")
    control_socket_disable = True    # or Gunicorn 27 opens one below $HOME
    worker_tmp_dir = "/dev/shm"      # heartbeats must not wait for a disk

Gunicorn's `timeout`, `graceful_timeout`, `max_requests`, `bind` and `backlog` keep their meaning. Its request
limits, `keepalive`, `worker_connections`, access log and per-request hooks do not apply; `HttpLimits` has the limits.
The app is called inline and must never wait for anything: one slow answer delays every client of the worker.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import ClassVar

from gunicorn.http.wsgi import WSGIErrorsWrapper
from gunicorn.workers.base import Worker

from bloop.base.errors import ConfigError
from bloop.base.memory import Leftovers
from bloop.base.meters import RouteMeters, Tally
from bloop.http.gateway import NO_METERS, Gateway
from bloop.http.handoff import HandoffSender
from bloop.http.limits import HttpLimits
from bloop.http.request import Environ, HeadReader
from bloop.http.server import HttpServer

_TICK_S = 1.0


class IngestWorker(Worker):
    """Made by `make_ingest_worker`; Gunicorn creates one per process and calls `run` after the fork."""

    limits: ClassVar[HttpLimits] = HttpLimits()
    meters: ClassVar[RouteMeters] = NO_METERS
    handoff_path: ClassVar[str | None] = None
    is_ours: ClassVar[Callable[[bytes], bool]] = staticmethod(lambda path: True)
    report: ClassVar[Callable[[Tally], None]] = staticmethod(lambda tally: None)
    _gateway: Gateway | None = None

    @classmethod
    def check_config(cls, cfg: object, log: object) -> None:
        """Called by Gunicorn before the first fork."""
        refuse_tls(cfg)

    def run(self) -> None:
        for listener in self.sockets:
            listener.setblocking(False)
        server = self._make_server()
        self._gateway = server.gateway
        # Objects loaded by now live as long as the worker: exclude them from every later collection.
        gc.collect()
        gc.freeze()
        leftovers = Leftovers()
        while self.alive and self.ppid == os.getppid():
            self.notify()
            server.serve(_TICK_S)
            type(self).report(server.gateway.tally)
            leftovers.give_back()
            if server.request_count >= self.max_requests:
                self.log.info("%s restarts after %d requests", self, server.request_count)
                break
        self._stop(server)

    def handle_exit(self, sig: int, frame: object) -> None:
        """On SIGTERM, even the answer in progress announces that its connection closes."""
        super().handle_exit(sig, frame)
        if self._gateway is not None:
            self._gateway.announces_close = True

    def _make_server(self) -> HttpServer:
        heads = HeadReader(self._base_environ(), type(self).is_ours, self.limits)
        handoff = HandoffSender(self.handoff_path) if self.handoff_path is not None else None
        listeners = [getattr(listener, "sock", listener) for listener in self.sockets]
        gateway = Gateway(self.wsgi, self.limits, self.meters)
        shares = self.cfg.workers > 1
        return HttpServer(listeners, gateway, heads, handoff, self.limits, self.PIPE[0], shares_listeners=shares)

    def _stop(self, server: HttpServer) -> None:
        """Finish the requests in flight, for `graceful_timeout` at most."""
        deadline_s = time.monotonic() + self.cfg.graceful_timeout
        server.stop()
        for listener in self.sockets:
            listener.close()
        while server.connections and (remaining_s := deadline_s - time.monotonic()) > 0:
            self.notify()
            server.serve(min(remaining_s, 0.1))
        server.close()
        type(self).report(server.gateway.tally)

    def _base_environ(self) -> Environ:
        name = self.sockets[0].getsockname()
        host, port = (name[0], str(name[1])) if isinstance(name, tuple) else ("localhost", "80")
        return {
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": port,
            "SERVER_SOFTWARE": "bloop",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": WSGIErrorsWrapper(self.cfg),
            "wsgi.multithread": False,
            "wsgi.multiprocess": self.cfg.workers > 1,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }


def make_ingest_worker(
    *,
    is_ours: Callable[[bytes], bool] | None = None,
    handoff_path: str | None = None,
    limits: HttpLimits | None = None,
    meters: RouteMeters = NO_METERS,
    report: Callable[[Tally], None] | None = None,
) -> type[IngestWorker]:
    """A worker class for these settings.

    `is_ours` gets the raw path of a request (no query, repeated slashes collapsed) and returns whether the app of this
    worker answers it; every other request goes to the dashboard listening at `handoff_path`. Without `handoff_path`
    the app answers everything. `meters` knows the app's routes; `report` is called about once a second, in the worker,
    with the counts of its answers.
    """
    members: dict[str, object] = {"limits": limits or HttpLimits(), "handoff_path": handoff_path, "meters": meters}
    if handoff_path is not None:
        if is_ours is None:
            raise ConfigError("http.handoff_path", "needs is_ours to tell which requests stay")
        members["is_ours"] = staticmethod(is_ours)
    if report is not None:
        members["report"] = staticmethod(report)
    return type("IngestWorker", (IngestWorker,), members)


def refuse_tls(cfg: object) -> None:
    """Refuse to start when TLS is configured: neither worker class speaks it, and plain HTTP would leak secrets."""
    if getattr(cfg, "is_ssl", False):
        raise ConfigError("certfile", "TLS belongs to the proxy in front; bloop's workers speak plain HTTP")
