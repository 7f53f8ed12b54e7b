"""`/ledger`: the outcome of every received record."""

from __future__ import annotations

import falcon

from bloop.base.errors import InvalidParameter
from bloop.ledger import pages as ledger_page
from bloop.ledger import read as ledger
from bloop.ledger.api import accounted_projects, first_bucket_ms
from bloop.ledger.pages import LedgerSpan
from bloop.ledger.read import list_rejections
from bloop.projects.read import get_project, list_projects
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.principal import principal_of

REJECTIONS_MAX = 50  # on the page; the API has the rest


class LedgerView:
    """GET /ledger"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        reference, span = req.get_param("project") or "", _span(req)
        ring = self._deps.ring_stat()
        with self._deps.database.reader() as db:
            project_ids = accounted_projects(db, principal, reference)
            chosen = get_project(db, reference) if reference else None
            visible = list_projects(db, principal.project_ids)
            since_ms = first_bucket_ms(now_ms, span.ms, span.bucket_ms)
            page = ledger_page.ledger_page(
                self._deps.shell(db, principal, chosen.slug if chosen else ""),
                visible,
                chosen=chosen,
                span=span,
                totals=ledger.totals(db, project_ids),
                buckets=ledger.buckets_since(db, project_ids, since_ms, bucket_ms=span.bucket_ms),
                overflows=ledger.overflows_since(db, project_ids, since_ms),
                waiting=ring.pending_records if ring else 0,
                rejections=list_rejections(db, project_ids, REJECTIONS_MAX),
                is_admin=principal.is_admin,
                now_ms=now_ms,
            )
        send_page(self._deps, req, resp, page)


def _span(req: falcon.Request) -> LedgerSpan:
    name = "t" if req.get_param("t") else "span"  # which it was called before
    value = req.get_param(name)
    try:
        return LedgerSpan(value) if value else LedgerSpan.DAY
    except ValueError:
        raise InvalidParameter(name, f"must be one of {', '.join(LedgerSpan)}") from None
