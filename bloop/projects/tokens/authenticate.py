"""Finds the principal of a bearer token."""

from __future__ import annotations

from bloop.auth import scopes
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base import credentials
from bloop.db.engine import Db
from bloop.projects.tokens.read import find_grant
from bloop.projects.tokens.store import touch_token
from bloop.site.access import Credential


def find_credential_by_bearer(db: Db, token: str, now_ms: int) -> Credential | None:
    """The grant of this token; None when it is unknown, revoked or expired."""
    grant = find_grant(db, credentials.token_hash(token), now_ms)
    if grant is None:
        return None
    principal = Principal(
        PrincipalKind.TOKEN, grant.id, grant.name, (grant.project_id,), scopes.from_stored(grant.scopes)
    )
    return Credential(principal, grant.last_used_at, lambda db: touch_token(db, grant.id, now_ms))
