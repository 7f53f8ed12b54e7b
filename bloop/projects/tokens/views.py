"""/settings/tokens: create, list and revoke API tokens.

The POST that creates a token answers with it; that page is never compressed or cached. A refused form comes back with
its input, the reason and the status of the error.
"""

from __future__ import annotations

import falcon

from bloop.auth.access import may_manage, may_revoke
from bloop.auth.principal import Principal
from bloop.base.errors import InvalidField
from bloop.db.engine import Db
from bloop.projects.read import ProjectRow, list_projects, require_project
from bloop.projects.tokens import api as tokens
from bloop.projects.tokens.pages import SCOPES, TokenForm, TokenRows, fresh_token, tokens_page
from bloop.projects.tokens.read import TokenRow, list_tokens
from bloop.site import errors
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.html import back_to, send_page, send_secret_page
from bloop.site.principal import principal_of
from bloop.site.settings_nav import TOKENS


class TokenSettings:
    """/settings/tokens; with `?project=`, those of one project."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._show(req, resp, TokenForm())

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req)
        try:
            token, project = tokens.create(
                self._deps,
                principal_of(req),
                reference=form.get("project", ""),
                name=form.get("name", ""),
                scope_names=[name for name in SCOPES if name in form],
                expires_in_days=_read_days(form.get("expires_in_days", "")),
            )
        except InvalidField as error:
            resp.status = errors.status_of(error)
            self._show(req, resp, TokenForm(form, str(error)))
            return
        origin = self._deps.settings.auth.rp_origin
        self._show(req, resp, TokenForm(fresh=fresh_token(token, project.name, origin)))

    def on_post_revoke(self, req: falcon.Request, resp: falcon.Response, token_id: str) -> None:
        tokens.revoke(self._deps, principal_of(req), token_id)
        back_to(resp, TOKENS.href, "revoked")

    def _show(self, req: falcon.Request, resp: falcon.Response, form: TokenForm) -> None:
        principal, chosen = principal_of(req), req.get_param("project") or ""
        with self._deps.database.reader() as db:
            rows = list_projects(db)
            managed = {row.id: row for row in rows if may_manage(principal, row.created_by)}
            project_id = require_project(db, chosen).id if chosen else None
            page = tokens_page(
                self._deps.shell(db, principal),
                TokenRows(
                    _visible_tokens(db, principal, rows, project_id),
                    list(managed.values()),
                    {row.id: row.name for row in rows},
                ),
                form,
                chosen=chosen,
                is_admin=principal.is_admin,
                notice=req.get_param("done") or "",
                now_ms=self._deps.now_ms(),
            )
        if form.fresh is None:
            send_page(self._deps, req, resp, page)
        else:
            send_secret_page(self._deps, req, resp, page)


def _read_days(text: str) -> int | None:
    """Raises: InvalidField."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise InvalidField("expires_in_days", "expires_in_days must be a whole number")
    return int(text)


def _visible_tokens(
    db: Db, principal: Principal, rows: list[ProjectRow], project_id: int | None
) -> list[tuple[TokenRow, bool]]:
    """Tokens the user may revoke: those of projects they manage and those they created. Each with True."""
    creators = {row.id: row.created_by for row in rows}
    return [
        (token, may_revoke(principal, token.created_by, creators.get(token.project_id)))
        for token in list_tokens(db, project_id)
        if may_revoke(principal, token.created_by, creators.get(token.project_id))
    ]
