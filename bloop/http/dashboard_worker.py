"""The Gunicorn worker class of the dashboard: receives clients from ingest workers, answers them on threads.

What it promises: dashboard_server.py. One process: the hand-off path belongs to the newest worker, so `workers = 1`.
Gunicorn still needs a `bind` (a Unix socket, or a loopback port for the proxy) and `control_socket_disable = True`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from bloop.http.dashboard_server import DashboardApp, DashboardServer
from bloop.http.gateway import Gateway
from bloop.http.limits import KIB, MIB, HttpLimits
from bloop.http.loop_worker import LoopWorker

# A page is some 50 KB and a form a few hundred bytes: who needs longer than these times has a line of less than
# 4 KB/s, or no intention to finish.
DASHBOARD_LIMITS = HttpLimits(
    held_bytes_max=64 * MIB,
    address_held_bytes_max=20 * MIB,  # the longest answer, and some to spare
    address_connections_max=256,  # an office behind one address: forty browsers with six connections each
    body_timeout_s=10.0,
    write_timeout_s=10.0,
    bytes_per_s_min=4 * KIB,
    request_timeout_s=120.0,
    send_buffer_bytes=256 * KIB,
)
THREADS = 8


class DashboardWorker(LoopWorker):
    """Made by `make_dashboard_worker`. The app is a `DashboardApp`, or any WSGI app."""

    handoff_path: ClassVar[str]
    threads: ClassVar[int] = THREADS
    spool_folder: ClassVar[Path | str]
    is_multithreaded: ClassVar[bool] = True
    software: ClassVar[str] = "bloop-dashboard"

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        if cfg.workers > 1:
            message = "only one of %d dashboard workers receives handed-over clients; set workers = 1"
            log.warning(message, cfg.workers, extra={"action": "other_workers"})

    def make_server(self) -> DashboardServer:
        app = self.wsgi if isinstance(self.wsgi, DashboardApp) else DashboardApp(self.wsgi)
        return DashboardServer(
            self.listeners(),
            app,
            Gateway(app.wsgi, self.limits, https=self.https),
            self.base_environ(),
            self.limits,
            self.PIPE[0],
            handoff_path=self.handoff_path,
            threads=self.threads,
            spool_folder=self.spool_folder,
            trusted_proxies=self.trusted_proxies,
        )


def make_dashboard_worker(
    handoff_path: str,
    limits: HttpLimits = DASHBOARD_LIMITS,
    *,
    threads: int = THREADS,
    spool_folder: Path | str | None = None,
    trusted_proxies: Iterable[str] = (),
    https: bool = False,
) -> type[DashboardWorker]:
    """A worker class that receives clients at `handoff_path`, a Unix socket it creates (mode 0600) and removes.

    Long bodies wait in unnamed files in `spool_folder`, by default the system's folder for such. The rest is as for
    `make_ingest_worker`.
    """
    members: dict[str, object] = {
        "handoff_path": handoff_path,
        "limits": limits,
        "threads": threads,
        "spool_folder": tempfile.gettempdir() if spool_folder is None else spool_folder,
        "trusted_proxies": tuple(trusted_proxies),
        "https": https,
    }
    return type("DashboardWorker", (DashboardWorker,), members)
