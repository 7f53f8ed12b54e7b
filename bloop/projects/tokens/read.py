"""API tokens: the list, and the grant of a request's token."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class TokenRow(NamedTuple):
    """Times in seconds."""

    id: str
    name: str
    token_prefix: str
    project_id: int
    project_public_id: str
    scopes: str  # space separated
    created_by: str | None  # None: made on the command line, or its owner is gone
    created_by_name: str | None
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None


class TokenGrant(NamedTuple):
    """What a valid token grants."""

    id: str
    name: str
    project_id: int
    scopes: str
    last_used_at: int | None


# Served by the UNIQUE index of token_hash.
_SELECT_GRANT = """
SELECT id, name, project_id, scopes, last_used_at
  FROM api_tokens
 WHERE token_hash = :token_hash AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at >= :now_s)
"""
_COLUMNS = """
SELECT t.id, t.name, t.token_prefix, t.project_id, p.public_id, t.scopes, t.created_by, u.username, t.created_at,
       t.expires_at, t.last_used_at, t.revoked_at
  FROM api_tokens AS t
  JOIN projects AS p ON p.id = t.project_id
  LEFT JOIN webauthn_users AS u ON u.id = t.created_by
"""
_SELECT_BY_PROJECT = f"{_COLUMNS} WHERE t.project_id = :project_id ORDER BY t.created_at DESC"
_SELECT_ALL = f"{_COLUMNS} ORDER BY t.created_at DESC, t.id DESC"
_SELECT_ONE = f"{_COLUMNS} WHERE t.id = :id"


def find_grant(db: Db, token_hash: str, now_ms: int) -> TokenGrant | None:
    """The token with this hash, unless it was revoked or has expired."""
    row = db.execute(_SELECT_GRANT, {"token_hash": token_hash, "now_s": now_ms // 1000}).fetchone()
    return TokenGrant(*row) if row else None


def list_tokens(db: Db, project_id: int | None = None) -> list[TokenRow]:
    """Newest first, revoked and expired ones included; None lists every project's."""
    statement = _SELECT_ALL if project_id is None else _SELECT_BY_PROJECT
    return [TokenRow(*row) for row in db.execute(statement, {"project_id": project_id})]


def get_token(db: Db, token_id: str) -> TokenRow | None:
    row = db.execute(_SELECT_ONE, {"id": token_id}).fetchone()
    return TokenRow(*row) if row else None
