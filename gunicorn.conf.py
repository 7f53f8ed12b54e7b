"""Gunicorn's settings for the ingest processes: the public port.

`python -m workers.ingest` runs this file with its own `settings`, and with a listening socket if its supervisor opened
one; `gunicorn -c gunicorn.conf.py` works too and reads the settings itself. The dashboard's: workers/dashboard.py.
"""

from bloop.base.config import load
from bloop.http.ingest_worker import make_ingest_worker
from bloop.http.limits import MIB, HttpLimits
from bloop.ingest.registry import METERS
from workers import ingest, serving

settings = globals().get("settings") or load()
listen_fd = globals().get("listen_fd")

globals().update(serving.common_options(settings))

bind = ingest.bind_address(settings) if listen_fd is None else f"fd://{listen_fd}"
backlog = 2048  # connections the kernel holds while every worker is busy or being restarted
workers = settings.ingest_workers
worker_class = make_ingest_worker(
    is_ours=ingest.is_ours,
    handoff_path=str(settings.handoff_path),
    limits=HttpLimits(
        connections_max=settings.ingest.connections_max,
        # A client with thousands of devices behind one address, or a load test, keeps this many open; the rest is for
        # everybody else.
        address_connections_max=ingest.address_connections_max(settings),
        address_held_bytes_max=8 * MIB,  # two of the largest bodies at once
    ),
    meters=METERS,
    report=ingest.report,
    trusted_proxies=settings.server.trusted_proxies,
    https=settings.https,
)
graceful_timeout = ingest.GRACEFUL_S
proc_name = "bloop-ingest"
wsgi_app = "workers.ingest:app()"
