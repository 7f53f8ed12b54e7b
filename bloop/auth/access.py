"""The one place that decides who may call what. Pure: no database, no clock, no HTTP.

A1  Every route says what it needs, per method; a route that says nothing admits nobody.
A2  An API token never leaves its project, whatever the request names.
A3  A credential that is wrong is refused even where another one on the same request would do.
A4  Session-only routes take no token: tokens are for machines, and none of their scopes covers them.
A5  Everybody signed in may make a project. What is hard to undo (rename, rotate, delete, its tokens) is for admins and
    for whoever made it; the route lets people in, `may_manage` asks about the row.
A6  Alert rules of a project are for whoever may manage it and for its tokens with the scope; those over all projects,
    which tell of everything, are for admins, and no token sees them.
A7  The metrics are about the whole installation, and the one exception to A2: a token with the scope `metrics:read`
    sees all of them. So only admins make such tokens, and the numbers say no more of a project than its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bloop.auth.principal import Principal, PrincipalKind
from bloop.auth.scopes import Scope
from bloop.base.errors import Forbidden, Unauthorized


class Door(StrEnum):
    OPEN = "open"  # anybody: health, the sign-in page
    SIGNED = "signed"  # the route checks an HMAC signature over the body itself
    MACHINE = "machine"  # a process of this machine itself (base/client_address.py), else as for a credential
    CREDENTIAL = "credential"  # an API token with `scope`, or a session
    SESSION = "session"  # a person
    ADMIN = "admin"  # a person who is admin, or the operator


@dataclass(frozen=True, slots=True)
class Need:
    """What one method of one route asks for. `page`: a visitor without a session is sent to the sign-in page."""

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
    """A token with `scope`, or anybody signed in."""
    return Need(Door.CREDENTIAL, scope)


def check(principal: Principal, need: Need) -> None:
    """Return when `principal` may pass.

    Raises:
        Unauthorized: no credential that this door takes.
        Forbidden: a good one that lacks the scope or the role.
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
    """A7, for a token somebody makes."""
    return principal.is_admin or Scope.METRICS_READ not in scopes


def may_manage(principal: Principal, project_created_by: str | None) -> bool:
    """A5, for one project."""
    return principal.is_admin or _made_by(principal, project_created_by)


def may_revoke(principal: Principal, token_created_by: str | None, project_created_by: str | None) -> bool:
    """Whoever may manage the project, and whoever made the token."""
    return may_manage(principal, project_created_by) or _made_by(principal, token_created_by)


def may_see_alerts(principal: Principal, project_id: int | None) -> bool:
    """A6, for the rules of one project; None: those over all."""
    return principal.project_ids is None or project_id in principal.project_ids


def may_change_alerts(principal: Principal, project_id: int | None, project_created_by: str | None) -> bool:
    """A6, once the door has asked for the scope."""
    if principal.kind is PrincipalKind.TOKEN:
        return may_see_alerts(principal, project_id)
    return principal.is_admin if project_id is None else may_manage(principal, project_created_by)


def creator_id(principal: Principal) -> str | None:
    """What `created_by` holds for something `principal` makes: a person's account id, None for the operator."""
    return principal.id if principal.kind is PrincipalKind.USER else None


def _made_by(principal: Principal, created_by: str | None) -> bool:
    return principal.kind is PrincipalKind.USER and created_by == principal.id
