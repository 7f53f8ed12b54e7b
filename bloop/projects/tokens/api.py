"""/v1/tokens: create, list, revoke; for admins and the creator of the token's project. Times in seconds."""

from __future__ import annotations

from typing import Any

import falcon

from bloop.auth import scopes
from bloop.auth.access import creator_id, may_grant, may_manage, may_revoke
from bloop.auth.principal import Principal
from bloop.base.errors import Forbidden, InvalidField, NotFound
from bloop.db.engine import Db
from bloop.projects.read import ProjectRow, get_project
from bloop.projects.tokens import store as tokens
from bloop.projects.tokens.read import TokenRow, get_token, list_tokens
from bloop.projects.tokens.store import NewToken
from bloop.site.bodies import answer_json, read_json, text_in
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

NO_ACCESS = "you do not have access to this project"
NO_REVOKING = "you do not have permission to revoke this token"
ADMINS_ONLY = "metrics:read is about every project: only admins make such tokens"
GONE = "token not found or already revoked"


class TokensApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        token, project = create(
            self._deps,
            principal_of(req),
            reference=text_in(body, "project_id"),
            name=text_in(body, "name"),
            scope_names=_read_names(body.get("scopes")),
            expires_in_days=_read_days(body.get("expires_in_days")),
        )
        resp.status = falcon.HTTP_201
        answer_json(resp, token._asdict() | {"project_id": project.public_id})

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        reference = req.get_param("project_id")
        if not reference:
            raise InvalidField("project_id", "project_id is required")
        with self._deps.database.reader() as db:
            project = get_project(db, reference)
            if project is None:
                raise NotFound("project not found")
            check_access(principal_of(req), project)
            rows = list_tokens(db, project.id)
        answer_json(resp, [*map(_token_json, rows)])

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, token_id: str) -> None:
        revoke(self._deps, principal_of(req), token_id)
        answer_json(resp, {"revoked": token_id})


# Changes that the settings pages make too -----------------------------------------------------------------------------


def create(
    deps: Deps,
    principal: Principal,
    *,
    reference: str,
    name: str,
    scope_names: list[str],
    expires_in_days: int | None,
) -> tuple[NewToken, ProjectRow]:
    """Raises: InvalidField, Forbidden."""
    granted = scopes.parse(scope_names)
    if not may_grant(principal, granted):
        raise Forbidden(ADMINS_ONLY)

    def change(db: Db) -> tuple[NewToken, ProjectRow]:
        project = get_project(db, reference) if reference else None
        if project is None:
            raise InvalidField("project_id", "project not found")
        check_access(principal, project)
        token = tokens.create_token(
            db,
            name=name,
            project_id=project.id,
            scopes=granted,
            now_ms=deps.now_ms(),
            expires_in_days=expires_in_days,
            created_by=creator_id(principal),
        )
        return token, project

    return deps.database.change(change)


def revoke(deps: Deps, principal: Principal, token_id: str) -> None:
    """Raises: NotFound, Forbidden."""

    def change(db: Db) -> None:
        token = get_token(db, token_id)
        if token is None:
            raise NotFound(GONE)
        project = get_project(db, token.project_public_id)
        if project is None or not may_revoke(principal, token.created_by, project.created_by):
            raise Forbidden(NO_REVOKING)
        tokens.revoke_token(db, token_id, deps.now_ms())

    deps.database.change(change)


def check_access(principal: Principal, project: ProjectRow) -> None:
    """Raises: Forbidden."""
    if not may_manage(principal, project.created_by):
        raise Forbidden(NO_ACCESS)


def _read_names(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InvalidField("scopes", "scopes must be an array of strings")
    return value


def _read_days(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise InvalidField("expires_in_days", "expires_in_days must be a whole number")
    return value


def _token_json(row: TokenRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "token_prefix": row.token_prefix,
        "project_id": row.project_public_id,
        "scopes": row.scopes.split(),
        "created_by": row.created_by,
        "created_by_name": row.created_by_name,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
        "revoked_at": row.revoked_at,
    }
