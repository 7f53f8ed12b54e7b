"""GET /metrics: bloop's counters in the Prometheus format.

They cover the whole installation, so access is for this machine, users, and tokens with the scope for it (ACCESS-7).
A scrape reads stored sums and a few words of shared memory; values it cannot read are left out.
"""

from __future__ import annotations

import logging

import falcon
from prometheus_client.exposition import choose_encoder

from bloop.base.errors import BloopError
from bloop.db import errors as db_errors
from bloop.db.checkpoint import log_path
from bloop.health.api import CONNECTION_WAIT_S, read_vitals
from bloop.health.exposition import PROJECTS_MAX, Families, ScrapeData
from bloop.health.files import disk_free_bytes, file_bytes
from bloop.health.model import list_reasons
from bloop.health.read import DatabaseMetrics, read_metrics
from bloop.site.deps import Deps

log = logging.getLogger(__name__)


class Metrics:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        encode, content_type = choose_encoder(req.get_header("Accept") or "")
        resp.data = encode(Families(self.read()))
        resp.content_type = content_type
        resp.set_header("Cache-Control", "no-store")

    def read(self) -> ScrapeData:
        deps, now_ms = self._deps, self._deps.now_ms()
        path = deps.settings.database_path
        vitals, ring_sample = read_vitals(deps), deps.sample_ring()
        return ScrapeData(
            now_ms=now_ms,
            read=self._read(now_ms),
            ring=deps.ring_stat(),
            meters=ring_sample.meters if ring_sample else None,
            oldest_ms=ring_sample.oldest_ms if ring_sample else None,
            disk_free_bytes=disk_free_bytes(path.parent),
            database_bytes=file_bytes(path),
            wal_bytes=file_bytes(log_path(path)),
            reasons=list_reasons(vitals, now_ms=now_ms, disk_free_bytes_min=deps.settings.database.disk_free_bytes_min),
            answers=deps.answered.answers(),
            took=deps.answered.took(),
            streams=deps.gauges["streams"]() if "streams" in deps.gauges else 0,
        )

    def _read(self, now_ms: int) -> DatabaseMetrics | None:
        try:
            with self._deps.database.reader(wait_s=CONNECTION_WAIT_S) as db:
                return read_metrics(db, now_ms, projects_max=PROJECTS_MAX)
        except (BloopError, db_errors.Error) as error:
            log.warning("metrics without the database: %s", error, extra={"action": "metrics_incomplete"})
            return None
