"""Gunicorn's settings for the ingest processes: the public port.

`python -m workers.ingest` runs this file with its own `settings`, and with a listening socket if its supervisor opened
one; `gunicorn -c gunicorn.conf.py` works too and reads the settings itself. The dashboard's: workers/dashboard.py.
"""

from bloop.base.config import load
from bloop.http.ingest_worker import make_ingest_worker
from bloop.http.limits import HttpLimits
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
    limits=HttpLimits(connections_max=settings.ingest.connections_max),
    meters=METERS,
    report=ingest.report,
)
graceful_timeout = ingest.GRACEFUL_S
proc_name = "bloop-ingest"
wsgi_app = "workers.ingest:app()"
