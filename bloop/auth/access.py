"""The one place that decides which principal may use which route. Pure: no database, no clock, no HTTP.

ACCESS-1  Every route declares what each method needs; a route without a declaration admits no request.
ACCESS-2  An API token never reaches another project, whichever one the request names.
ACCESS-3  A wrong credential is refused even if another one on the same request is good.
ACCESS-4  Session-only routes accept no token: tokens are for machines, and no scope covers these routes.
ACCESS-5  Every signed-in user may create a project. Only admins and its creator may do what is hard to undo (rename,
    rotate, delete, its tokens); the route admits all users, `may_manage` checks the row.
ACCESS-6  Users who may manage a project, and its tokens with the scope, may change its alert rules. Rules over all
    projects, whose alerts show everything, are for admins, and no token sees them.
ACCESS-7  The metrics are about the whole installation, and the one exception to ACCESS-2: a token with the scope
    `metrics:read` sees all of them. So only admins create such tokens, and metrics show only the name of a project.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bloop.auth.principal import Principal, PrincipalKind
from bloop.auth.scopes import Scope
from bloop.base.errors import Forbidden, Unauthorized


class Door(StrEnum):
    OPEN = "open"  # every request: health, the sign-in page
    SIGNED = "signed"  # the route checks an HMAC signature over the body itself
    MACHINE = "machine"  # a process on this machine (base/client_address.py), else as CREDENTIAL
    CREDENTIAL = "credential"  # an API token with `scope`, or a session
    SESSION = "session"  # a signed-in user
    ADMIN = "admin"  # an admin, or the operator


@dataclass(frozen=True, slots=True)
class Need:
    """The access that one method of one route needs. `page`: without a session, redirect to the sign-in page."""

    door: Door
    scope: Scope | None = None
    page: bool = False


OPEN = Need(Door.OPEN)
SIGNED = Need(Door.SIGNED)
SESSION = Need(Door.SESSION)
ADMIN = Need(Door.ADMIN)
PAGE = Need(Door.SESSION, page=True)
ADMIN_PAGE = Need(Door.ADMIN, page=True)


METRICS = Need(Door.MACHINE, Scope.METRICS_READ)


def credential(scope: Scope) -> Need:
    """A token with `scope`, or any signed-in user."""
    return Need(Door.CREDENTIAL, scope)


def check(principal: Principal, need: Need) -> None:
    """Return if `principal` may use a route with this need.

    Raises:
        Unauthorized: no credential that this door accepts.
        Forbidden: a good credential that lacks the scope or the role.
    """
    if need.door in (Door.OPEN, Door.SIGNED):
        return
    if principal.kind is PrincipalKind.ANONYMOUS:
        raise Unauthorized("authentication required")
    if principal.kind is PrincipalKind.TOKEN:
        if need.door not in (Door.CREDENTIAL, Door.MACHINE):
            raise Unauthorized("authentication required")
        if need.scope not in principal.scopes:
            raise Forbidden(f"token lacks required scope: {need.scope}")
    if need.door is Door.ADMIN and not principal.is_admin:
        raise Forbidden("admin access required")


def may_grant(principal: Principal, scopes: Iterable[Scope]) -> bool:
    """Whether `principal` may create a token with these scopes (ACCESS-7)."""
    return principal.is_admin or Scope.METRICS_READ not in scopes


def may_manage(principal: Principal, project_created_by: str | None) -> bool:
    """Whether `principal` may rename, rotate or delete a project (ACCESS-5)."""
    return principal.is_admin or _is_creator(principal, project_created_by)


def may_revoke(principal: Principal, token_created_by: str | None, project_created_by: str | None) -> bool:
    """Whether `principal` may manage the project, or created the token."""
    return may_manage(principal, project_created_by) or _is_creator(principal, token_created_by)


def may_see_alerts(principal: Principal, project_id: int | None) -> bool:
    """Whether `principal` may see the rules of a project; None: those over all projects (ACCESS-6)."""
    return principal.project_ids is None or project_id in principal.project_ids


def may_change_alerts(principal: Principal, project_id: int | None, project_created_by: str | None) -> bool:
    """Whether `principal` may change these rules, after its scope was checked (ACCESS-6)."""
    if principal.kind is PrincipalKind.TOKEN:
        return may_see_alerts(principal, project_id)
    return principal.is_admin if project_id is None else may_manage(principal, project_created_by)


def creator_id(principal: Principal) -> str | None:
    """The `created_by` of rows that `principal` creates: a user's account id, None for the operator."""
    return principal.id if principal.kind is PrincipalKind.USER else None


def _is_creator(principal: Principal, created_by: str | None) -> bool:
    return principal.kind is PrincipalKind.USER and created_by == principal.id
