"""Routes of issues: the JSON API, the pages, and the same pages for programs."""

from __future__ import annotations

from bloop.auth.access import PAGE, SESSION, credential
from bloop.auth.scopes import Scope
from bloop.issues.comments.api import CommentsApi
from bloop.issues.comments.forms import CommentForms
from bloop.issues.comments.model import BODY_BYTES_MAX
from bloop.issues.counts.api import StatsApi
from bloop.issues.deletion.views import DeleteForms
from bloop.issues.detail.api import IssueApi, Trends
from bloop.issues.detail.documents import IssueDocument, ListDocument
from bloop.issues.detail.views import IssueResource
from bloop.issues.listing.api import Errors
from bloop.issues.listing.views import IssueList
from bloop.issues.saved_views.api import ViewsApi
from bloop.issues.saved_views.views import SaveView, ViewsSettings
from bloop.issues.search.api import EventsApi
from bloop.issues.search.suggestions import Completion, PaletteIssues
from bloop.issues.search.views import SearchResource
from bloop.issues.status.bulk_api import BulkApi
from bloop.issues.status.bulk_form import BulkForm
from bloop.issues.status.forms import IssueForms
from bloop.issues.tags.api import TagsApi
from bloop.issues.undo.views import UndoApi, UndoForm
from bloop.site.deps import Deps
from bloop.site.paging import Pager
from bloop.site.routes import Routes
from bloop.site.settings_nav import VIEWS

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
    comments, path = CommentsApi(deps), "/v1/errors/{fingerprint:ref}/comments"
    routes.add(path, comments, body_bytes_max=BODY_BYTES_MAX, GET=_READ, POST=_WRITE)
    one = f"{path}/{{comment_id:int}}"
    routes.add(one, comments, suffix="one", body_bytes_max=BODY_BYTES_MAX, PUT=_WRITE, DELETE=_WRITE)
    routes.add("/v1/errors/{fingerprint:ref}/tags", TagsApi(deps), GET=_READ)
    routes.add("/v1/errors/bulk", BulkApi(deps), POST=_WRITE)
    routes.add("/v1/events", EventsApi(deps), GET=_READ)
    routes.add("/v1/undo/{undo_id}", UndoApi(deps), POST=_WRITE)
    views = ViewsApi(deps)
    routes.add("/v1/views", views, GET=SESSION, POST=SESSION)
    routes.add("/v1/views/{view_id:int}", views, suffix="one", PUT=SESSION, DELETE=SESSION)
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
    for name in ("events", "tags", "activity"):
        routes.add(f"/issues/{{ref}}/{name}", issue, suffix=name, GET=PAGE)
    routes.add("/issues/{ref}/status", forms, suffix="status", POST=PAGE)
    routes.add("/issues/{ref}/assign", forms, suffix="assign", POST=PAGE)
    comments = CommentForms(deps)
    routes.add("/issues/{ref}/comments", comments, body_bytes_max=BODY_BYTES_MAX, POST=PAGE)
    one = "/issues/{ref}/comments/{comment_id:int}"
    routes.add(one, comments, suffix="one", body_bytes_max=BODY_BYTES_MAX, POST=PAGE)
    routes.add(f"{one}/delete", comments, suffix="delete", POST=PAGE)
    delete = DeleteForms(deps)
    routes.add("/issues/delete", delete, GET=PAGE, POST=PAGE)
    routes.add("/issues/{ref}/delete", delete, suffix="issue", POST=PAGE)
    routes.add("/issues/bulk", BulkForm(deps), GET=PAGE, POST=PAGE)
    routes.add("/undo/{undo_id}", UndoForm(deps), POST=PAGE)
    views = ViewsSettings(deps)
    routes.add("/views", SaveView(deps), POST=PAGE)
    routes.add(VIEWS.href, views, GET=PAGE)
    routes.add(f"{VIEWS.href}/sort", views, suffix="sort", POST=PAGE)
    routes.add(f"{VIEWS.href}/{{view_id:int}}", views, suffix="one", POST=PAGE)
    routes.add(f"{VIEWS.href}/{{view_id:int}}/move", views, suffix="move", POST=PAGE)
    routes.add(f"{VIEWS.href}/{{view_id:int}}/delete", views, suffix="delete", POST=PAGE)


def _mount_documents(routes: Routes, deps: Deps) -> None:
    one, many = IssueDocument(deps), ListDocument(deps)
    for kind in ("md", "json"):
        routes.add(f"/issues.{kind}", many, suffix=kind, GET=_READ)
        routes.add(f"/issues/{{ref}}.{kind}", one, suffix=kind, GET=_READ)
        routes.add(f"/issues/{{ref}}/events/{{event_id:int}}.{kind}", one, suffix=f"event_{kind}", GET=_READ)
    routes.add("/issues/{ref}.csv", one, suffix="csv", GET=_READ)
