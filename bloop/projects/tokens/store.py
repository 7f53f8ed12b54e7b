"""Creates and revokes API tokens, stores their last use. Call inside a transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from bloop.base import credentials
from bloop.base.errors import InvalidField, NotFound
from bloop.db.engine import Db

NAME_LENGTH_MAX = 100
EXPIRES_IN_DAYS_MAX = 3650
DAY_S = 86_400

_INSERT = """
INSERT INTO api_tokens (id, name, token_hash, token_prefix, project_id, scopes, created_by, created_at, expires_at)
VALUES (:id, :name, :token_hash, :token_prefix, :project_id, :scopes, :created_by, :created_at, :expires_at)
"""
_REVOKE = "UPDATE api_tokens SET revoked_at = :now_s WHERE id = :id AND revoked_at IS NULL RETURNING id"
_TOUCH = "UPDATE api_tokens SET last_used_at = :now_s WHERE id = :id"


class NewToken(NamedTuple):
    id: str
    name: str
    token: str  # in clear: only its hash is stored
    token_prefix: str
    project_id: int
    scopes: tuple[str, ...]
    created_at: int  # seconds
    expires_at: int | None  # seconds; None: never


def create_token(
    db: Db,
    *,
    name: str,
    project_id: int,
    scopes: Iterable[str],
    now_ms: int,
    expires_in_days: int | None = None,
    created_by: str | None = None,
) -> NewToken:
    """`scopes` come from auth/scopes.parse.

    Raises:
        InvalidField: the name or the days are invalid.
    """
    if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX:
        raise InvalidField("name", f"name must be 1-{NAME_LENGTH_MAX} characters")
    if expires_in_days is not None and not 1 <= expires_in_days <= EXPIRES_IN_DAYS_MAX:
        raise InvalidField("expires_in_days", f"expires_in_days must be between 1 and {EXPIRES_IN_DAYS_MAX}")
    now_s, token = now_ms // 1000, credentials.new_api_token()
    new_token = NewToken(
        id=credentials.new_id(),
        name=name.strip(),
        token=token,
        token_prefix=token[: credentials.TOKEN_PREFIX_LENGTH],
        project_id=project_id,
        scopes=tuple(str(scope) for scope in scopes),
        created_at=now_s,
        expires_at=None if expires_in_days is None else now_s + expires_in_days * DAY_S,
    )
    stored = {
        "token_hash": credentials.token_hash(token),
        "scopes": " ".join(new_token.scopes),
        "created_by": created_by,
    }
    db.execute(_INSERT, new_token._asdict() | stored)
    return new_token


def revoke_token(db: Db, token_id: str, now_ms: int) -> None:
    """The token stops working with the next request.

    Raises:
        NotFound: no such token, or already revoked.
    """
    if not list(db.execute(_REVOKE, {"id": token_id, "now_s": now_ms // 1000})):
        raise NotFound("token not found or already revoked")


def touch_token(db: Db, token_id: str, now_ms: int) -> None:
    """Store the time of its last use."""
    db.execute(_TOUCH, {"id": token_id, "now_s": now_ms // 1000})
