"""The HTML routes and the assets they load. Resources read and hand rows to pages.py; nothing is decided here.

LIST-1  One page is one snapshot: everything it shows is read in a single read transaction.
LIST-2  A change is a POST that answers 303 back to the page it came from, so reloading never repeats it.
"""

from __future__ import annotations

import falcon

from bloop.base.errors import InvalidParameter
from bloop.issues import read as issues
from bloop.issues.listing import pages as issue_list
from bloop.issues.listing.first_event import setup
from bloop.issues.listing.page_read import read_list
from bloop.issues.listing.pages import NO_MESSAGES, ListMessages
from bloop.issues.listing.state import IssueView
from bloop.projects import read as projects
from bloop.projects.read import visible_projects
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.links import issue_href
from bloop.site.params import text_params
from bloop.site.principal import principal_of

ASSET_MAX_AGE_S = 31_536_000


class IssueList:
    """GET /"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        view = IssueView.from_params(text_params(req))
        show_list(self._deps, req, resp, view, NO_MESSAGES)


def show_list(deps: Deps, req: falcon.Request, resp: falcon.Response, view: IssueView, messages: ListMessages) -> None:
    """Answer with the list that `view` names; 400 when its search cannot be understood."""
    now_ms, principal = deps.now_ms(), principal_of(req)
    try:
        view.query  # noqa: B018 - raises
    except InvalidParameter as error:
        messages = messages._replace(problem=error.reason)
        resp.status = falcon.HTTP_400
    with deps.database.reader() as db:
        project_ids = visible_projects(db, principal, view.project)
        if issue_list.is_reference(view.q) and (named := issues.get_issue(db, project_ids, view.q)):
            raise falcon.HTTPSeeOther(issue_href(named.short_id))
        address = ("/", view.params())
        shell = deps.scoped_shell(db, req, view.scope, lambda slug: view.in_project(slug).href, address)
        rows = read_list(db, project_ids, view, principal.user_id, now_ms, is_readable=not messages.problem)
        target = projects.list_projects(db, project_ids[:1])
    hint = setup(target[0].slug, target[0].name, deps.settings.auth.rp_origin) if target else None
    page = issue_list.page(shell, view, rows, hint, now_ms, messages, may_share=principal.is_admin)
    send_page(deps, req, resp, page)
