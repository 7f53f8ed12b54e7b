"""GET /health (the process runs, and its problems: always 200) and GET /ready (it can take traffic: 200 or 503).

Both answer without credentials, so they return codes and ratios, never names, paths or counts. The dashboard's
server keeps a thread for them (routes.PROBE_PATHS), and they read over a connection of their own
(`Deps.probe_database`), so slow pages delay neither.
"""

from __future__ import annotations

import logging

import falcon
import orjson

from bloop.base.errors import BloopError
from bloop.base.reasons import STOPS_SERVICE, Reason
from bloop.db import errors as db_errors
from bloop.db.pool import DatabasePool
from bloop.health.files import disk_free_bytes
from bloop.health.model import Vitals, list_reasons
from bloop.health.read import check_database
from bloop.issues.limits.read import LimitUsage, list_usages
from bloop.processes.read import process_states, troubles
from bloop.ring.segment import WriterState
from bloop.site.deps import Deps

CONNECTION_WAIT_S = 1.0  # a probe should not wait longer

log = logging.getLogger(__name__)


def read_vitals(deps: Deps, database: DatabasePool | None = None) -> Vitals:
    """Check the database (over `database` instead of the one for pages), the disk and the ring. Never raises."""
    ring = deps.ring_stat()
    background, limits = _read_database(deps, database or deps.database)
    return Vitals(
        db_ok=background is not None,
        background=background or (),
        limits=limits,
        disk_free_bytes=disk_free_bytes(deps.settings.database_path.parent),
        ring_fill=None if ring is None else ring.fill,
        writer_seen_ms=None if ring is None else ring.heartbeat_ms,
        writer_disk_full=ring is not None and ring.writer_state is WriterState.DISK_FULL,
        writer_busy=ring is not None and ring.writer_state is WriterState.BUSY,
        db_damaged=deps.database.is_damaged or (ring is not None and ring.writer_state is WriterState.DAMAGED),
    )


class Health:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        vitals, problems = self._check()
        body = {
            "status": "degraded" if problems else "ok",
            "db_ok": vitals.db_ok,
            "buffer_usage": round(min(max(vitals.ring_fill or 0.0, 0.0), 1.0), 4),
            "reasons": problems,
        }
        _send(resp, body)

    def on_get_ready(self, req: falcon.Request, resp: falcon.Response) -> None:
        problems = [reason for reason in self._check()[1] if reason in STOPS_SERVICE]
        resp.status = falcon.HTTP_503 if problems else falcon.HTTP_200
        _send(resp, {"ready": not problems, "reasons": problems})

    def _check(self) -> tuple[Vitals, list[Reason]]:
        vitals = read_vitals(self._deps, self._deps.probe_database)
        minimum = self._deps.settings.database.disk_free_bytes_min
        return vitals, list_reasons(vitals, now_ms=self._deps.now_ms(), disk_free_bytes_min=minimum)


def _read_database(deps: Deps, database: DatabasePool) -> tuple[tuple[Reason, ...] | None, tuple[LimitUsage, ...]]:
    """The problems that background processes report, None when the database does not respond; limits nearly met."""
    now_ms = deps.now_ms()
    try:
        with database.reader(wait_s=CONNECTION_WAIT_S) as db:
            check_database(db)
            reported = tuple(troubles(process_states(db), now_ms))
            return reported, tuple(list_usages(db, deps.settings.limits, now_ms))
    except (BloopError, db_errors.Error) as error:
        log.warning("the database does not respond: %s", error, extra={"action": "db_unreachable"})
        return None, ()


def _send(resp: falcon.Response, body: object) -> None:
    resp.set_header("Cache-Control", "no-store")
    resp.content_type = falcon.MEDIA_JSON
    resp.data = orjson.dumps(body)
