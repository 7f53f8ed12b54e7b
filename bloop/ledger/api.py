"""GET /v1/ledger: records received, stored and not stored, by reason. GET /v1/rejections: samples of refusals.

A token or a named project is limited to that project. A signed-in user who names none sees everything, including
requests without a project and deleted projects: only then does the ledger of the whole installation balance.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import falcon

from bloop.auth.principal import Principal
from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.outcomes import Outcome
from bloop.db.engine import Db
from bloop.ledger import read as ledger
from bloop.ledger.read import RejectionRow, list_rejections
from bloop.projects.read import visible_projects
from bloop.site import params
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

HOURS_DEFAULT = 24
HOURS_MAX = 720


class Bucket(StrEnum):
    HOUR = "hour"
    DAY = "day"

    @property
    def ms(self) -> int:
        return HOUR_MS if self is Bucket.HOUR else DAY_MS


class LedgerApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        bucket = params.choice(req, "bucket", Bucket.HOUR)
        hours = params.integer(req, "hours", HOURS_DEFAULT, low=1, high=HOURS_MAX)
        since_ms = first_bucket_ms(self._deps.now_ms(), hours * HOUR_MS, bucket.ms)
        with self._deps.database.reader() as db:
            project_ids = accounted_projects(db, principal_of(req), req.get_param("project_id"))
            totals = ledger.totals(db, project_ids)
            counts = ledger.buckets_since(db, project_ids, since_ms, bucket_ms=bucket.ms)
            overflows = ledger.overflows_since(db, project_ids, since_ms)
        buckets: dict[int, dict[str, int]] = {}
        for start_ms, outcome, count in counts:
            buckets.setdefault(start_ms, {})[outcome.label] = count
        answer_json(
            resp,
            {
                "totals": {outcome.label: totals.get(outcome, 0) for outcome in Outcome},
                "in_flight": in_flight(totals),
                "bucket": bucket.value,
                "buckets": [{"start": start_ms, **outcomes} for start_ms, outcomes in buckets.items()],
                "overflowed": {limit.key: count for limit, count in overflows.items()},
            },
        )

    def on_get_rejections(self, req: falcon.Request, resp: falcon.Response) -> None:
        limit = params.limit(req)
        with self._deps.database.reader() as db:
            project_ids = accounted_projects(db, principal_of(req), req.get_param("project_id"))
            rows = list_rejections(db, project_ids, limit)
        answer_json(resp, [*map(_rejection_json, rows)])


def accounted_projects(db: Db, principal: Principal, reference: str | None) -> tuple[int, ...]:
    """The projects whose ledger a request asks for.

    Raises:
        NotFound: `reference` names no visible project.
    """
    if principal.project_ids is None and not reference:
        return ledger.all_project_ids(db)
    return visible_projects(db, principal, reference)


def in_flight(totals: dict[Outcome, int]) -> int:
    """Received and neither stored nor refused: waiting in the ring. 0 once everything is settled."""
    return totals.get(Outcome.RECEIVED, 0) - sum(n for o, n in totals.items() if o is not Outcome.RECEIVED)


def first_bucket_ms(now_ms: int, span_ms: int, bucket_ms: int) -> int:
    """The start of the oldest bucket of a span that ends with the current bucket."""
    return now_ms - now_ms % bucket_ms - (math.ceil(span_ms / bucket_ms) - 1) * bucket_ms


def _rejection_json(row: RejectionRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "rejected_at": row.rejected_at_ms,
        "project_id": row.project_public_id,
        "reason": row.outcome.label,
        "detail": row.detail,
        "key_prefix": row.key_prefix,
        "size_bytes": row.size_bytes,
        "client": row.client,
        "user_agent": row.user_agent,
    }
