"""`/ledger`, what became of everything that arrived, and `/system`, what ails bloop and what to do about it."""

from __future__ import annotations

import falcon

from bloop.accounts.authenticate import principal_of
from bloop.accounts.views import settings_shell
from bloop.auth.access import PAGE
from bloop.base.errors import InvalidParameter
from bloop.health.pages import SYSTEM_PATH, system_page
from bloop.issues.listing import neighbours as pages
from bloop.issues.listing.state import IssueView
from bloop.ledger import pages as ledger_page
from bloop.ledger import read as ledger
from bloop.ledger.api import accounted_projects, first_bucket_ms
from bloop.ledger.pages import Span
from bloop.ledger.rejections import list_rejections
from bloop.projects.read import get_project, list_projects
from bloop.site import shell as build
from bloop.site.deps import Deps
from bloop.site.html import send_page, wrong_now
from bloop.site.routes import Routes

REJECTIONS_MAX = 50  # on the page; the API has the rest


def mount_ledger_pages(routes: Routes, deps: Deps) -> None:
    """Add them."""
    routes.add(ledger_page.PATH, Ledger(deps), GET=PAGE)
    routes.add(SYSTEM_PATH, System(deps), GET=PAGE)


class Ledger:
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
            seen = list_projects(db, principal.project_ids)
            counts = pages.open_counts(db, [row.id for row in seen])
            since_ms = first_bucket_ms(now_ms, span.ms, span.bucket_ms)
            page = ledger_page.ledger_page(
                build.shell(principal.name, seen, counts, IssueView(), chosen.slug if chosen else ""),
                seen,
                chosen=chosen,
                span=span,
                totals=ledger.totals(db, project_ids),
                buckets=ledger.buckets_since(db, project_ids, since_ms, bucket_ms=span.bucket_ms),
                waiting=ring.pending_records if ring else 0,
                rejections=list_rejections(db, project_ids, REJECTIONS_MAX),
                now_ms=now_ms,
            )
        send_page(self._deps, req, resp, page)


class System:
    """GET /system"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            shell = settings_shell(db, principal_of(req))
        send_page(self._deps, req, resp, system_page(shell, wrong_now(self._deps)))


def _span(req: falcon.Request) -> Span:
    value = req.get_param("span")
    try:
        return Span(value) if value else Span.DAY
    except ValueError:
        raise InvalidParameter("span", f"must be one of {', '.join(Span)}") from None
