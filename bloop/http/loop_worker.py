"""What both Gunicorn worker classes share: the life of a process around the loop of its server.

Gunicorn's `timeout`, `graceful_timeout`, `bind` and `backlog` keep their meaning. Its request limits, `keepalive`,
`threads`, `worker_connections`, access log and per-request hooks do not apply; `HttpLimits` has the limits.
"""

from __future__ import annotations

import gc
import os
import socket
import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from gunicorn.http.wsgi import WSGIErrorsWrapper
from gunicorn.workers.base import Worker

from bloop.base.errors import ConfigError
from bloop.base.memory import Leftovers
from bloop.http.gateway import Gateway
from bloop.http.limits import HttpLimits
from bloop.http.request import Environ
from bloop.http.server import HttpServer

_TICK_S = 1.0


class LoopWorker(Worker, ABC):
    """Gunicorn creates one per process and calls `run` after the fork. A subclass makes the server."""

    limits: ClassVar[HttpLimits] = HttpLimits()
    trusted_proxies: ClassVar[tuple[str, ...]] = ()
    https: ClassVar[bool] = False
    is_multithreaded: ClassVar[bool] = False
    software: ClassVar[str] = "bloop"  # the app's SERVER_SOFTWARE
    wsgi: Any
    _gateway: Gateway | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Called by Gunicorn before the first fork."""
        refuse_tls(cfg)

    @abstractmethod
    def make_server(self) -> HttpServer:
        """The server of this process, with its listeners. Called once, after the fork."""

    def after_tick(self, server: HttpServer) -> None:
        """Called about once a second, and after the last tick."""

    def run(self) -> None:
        for listener in self.sockets:
            listener.setblocking(False)
        server = self.make_server()
        self._gateway = server.gateway
        # Objects loaded by now live as long as the worker: exclude them from every later collection.
        gc.collect()
        gc.freeze()
        leftovers = Leftovers()
        while self.alive and self.ppid == os.getppid():
            self.notify()
            server.serve(_TICK_S)
            self.after_tick(server)
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
        self.after_tick(server)

    def listeners(self) -> list[socket.socket]:
        return [getattr(listener, "sock", listener) for listener in self.sockets]

    def base_environ(self) -> Environ:
        name = self.sockets[0].getsockname()
        host, port = (name[0], str(name[1])) if isinstance(name, tuple) else ("localhost", "80")
        return {
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": port,
            "SERVER_SOFTWARE": self.software,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": WSGIErrorsWrapper(self.cfg),
            "wsgi.multithread": self.is_multithreaded,
            "wsgi.multiprocess": self.cfg.workers > 1,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }


def refuse_tls(cfg: object) -> None:
    """Refuse to start when TLS is configured: neither worker class speaks it, and plain HTTP would leak secrets."""
    if getattr(cfg, "is_ssl", False):
        raise ConfigError("certfile", "TLS belongs to the proxy in front; bloop's workers speak plain HTTP")
