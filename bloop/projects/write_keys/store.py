"""Creates and revokes write-only keys. Call inside a transaction, and bump the ring's generation after COMMIT.

Such a key is stored in clear, as it is in every program that ships with it, and only permits sending. A revoked key
keeps its row, so that it is never issued again; the workers refuse it from the next request on.
"""

from __future__ import annotations

import secrets
from enum import StrEnum

from bloop.base.errors import NotFound
from bloop.db.engine import Db


class WriteKeyKind(StrEnum):
    """Where clients put the key, which decides how requests are parsed."""

    CAPTURE = "capture"  # in an app: a header or a parameter of its own
    DSN = "dsn"  # the public half of a DSN


_START = {WriteKeyKind.CAPTURE: "bloop_ck_", WriteKeyKind.DSN: ""}  # clients of DSNs expect 32 hexadecimal digits
_KEY_BYTES = 16

_INSERT = """
INSERT INTO write_keys (project_id, key, kind, name, created_at_ms)
VALUES (:project_id, :key, :kind, :name, :now_ms)
RETURNING id
"""
_REVOKE = """
UPDATE write_keys
   SET revoked_at_ms = :now_ms
 WHERE id = :id AND project_id = :project_id AND revoked_at_ms IS NULL
RETURNING 1
"""


def create_write_key(db: Db, project_id: int, kind: WriteKeyKind, *, name: str = "", now_ms: int) -> tuple[int, str]:
    """Create a key; return its id and the key."""
    key = _START[kind] + secrets.token_hex(_KEY_BYTES)
    bindings = {"project_id": project_id, "key": key, "kind": kind.value, "name": name, "now_ms": now_ms}
    return int(db.execute(_INSERT, bindings).get), key


def revoke_write_key(db: Db, project_id: int, key_id: int, *, now_ms: int) -> None:
    """Revoke a key for good.

    Raises:
        NotFound: the project has no such key, or it is revoked already.
    """
    bindings = {"id": key_id, "project_id": project_id, "now_ms": now_ms}
    if not list(db.execute(_REVOKE, bindings)):
        raise NotFound("write key not found or already revoked")
