"""Routes of issues: the JSON API, the pages, and the same pages for programs."""

from __future__ import annotations

from bloop.auth.access import PAGE, SESSION, credential
from bloop.auth.scopes import Scope
from bloop.issues.counts.api import StatsApi
from bloop.issues.deletion.views import DeleteForms
from bloop.issues.detail.api import IssueApi, Trends
from bloop.issues.detail.documents import IssueDocument, ListDocument
from bloop.issues.detail.views import IssueResource
from bloop.issues.listing.api import Errors
from bloop.issues.listing.views import IssueList
from bloop.issues.search.api import EventsApi
from bloop.issues.search.suggestions import Completion, PaletteIssues
from bloop.issues.search.views import SearchResource
from bloop.issues.status.bulk import BulkApi, BulkForm
from bloop.issues.status.forms import IssueForms
from bloop.site.deps import Deps
from bloop.site.paging import Pager
from bloop.site.routes import Routes

_READ = credential(Scope.ERRORS_READ)
_WRITE = credential(Scope.ERRORS_WRITE)


def mount(routes: Routes, deps: Deps) -> None:
    _mount_api(routes, deps)
    _mount_pages(routes, deps)
    _mount_documents(routes, deps)


def _mount_api(routes: Routes, deps: Deps) -> None:
    pager = Pager()
    lists, issue = Errors(deps, pager), IssueApi(deps, pager)
    routes.add("/v1/errors", lists, GET=_READ)
    routes.add("/v1/releases/{release:ref}/errors", lists, suffix="release", GET=_READ)
    routes.add("/v1/errors/{fingerprint:ref}", issue, GET=_READ, DELETE=_WRITE)
    for name in ("occurrences", "trend", "history"):
        routes.add(f"/v1/errors/{{fingerprint:ref}}/{name}", issue, suffix=name, GET=_READ)
    for name in ("resolve", "ignore", "mute", "unresolve", "assign"):
        routes.add(f"/v1/errors/{{fingerprint:ref}}/{name}", issue, suffix=name, POST=_WRITE)
    routes.add("/v1/errors/bulk", BulkApi(deps), POST=_WRITE)
    routes.add("/v1/events", EventsApi(deps), GET=_READ)
    routes.add("/v1/trends", Trends(deps), GET=_READ)
    routes.add("/v1/stats", StatsApi(deps), GET=_READ)


def _mount_pages(routes: Routes, deps: Deps) -> None:
    issue, forms = IssueResource(deps), IssueForms(deps)
    routes.add("/", IssueList(deps), GET=PAGE)
    routes.add("/search", SearchResource(deps), GET=PAGE)
    routes.add("/search/complete", Completion(deps), GET=SESSION)
    routes.add("/search/issues", PaletteIssues(deps), GET=SESSION)
    routes.add("/issues/{ref}", issue, GET=PAGE)
    routes.add("/issues/{ref}/events/{event_id:int}", issue, suffix="event", GET=PAGE)
    routes.add("/issues/{ref}/status", forms, suffix="status", POST=PAGE)
    routes.add("/issues/{ref}/assign", forms, suffix="assign", POST=PAGE)
    delete = DeleteForms(deps)
    routes.add("/issues/delete", delete, GET=PAGE, POST=PAGE)
    routes.add("/issues/{ref}/delete", delete, suffix="issue", POST=PAGE)
    routes.add("/issues/bulk", BulkForm(deps), GET=PAGE, POST=PAGE)


def _mount_documents(routes: Routes, deps: Deps) -> None:
    one, many = IssueDocument(deps), ListDocument(deps)
    for kind in ("md", "json"):
        routes.add(f"/issues.{kind}", many, suffix=kind, GET=_READ)
        routes.add(f"/issues/{{ref}}.{kind}", one, suffix=kind, GET=_READ)
        routes.add(f"/issues/{{ref}}/events/{{event_id:int}}.{kind}", one, suffix=f"event_{kind}", GET=_READ)
    routes.add("/issues/{ref}.csv", one, suffix="csv", GET=_READ)
