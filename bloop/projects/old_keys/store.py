"""Keeps and ends old keys. Call inside a transaction, and bump the ring's generation after COMMIT.

OLD-KEY-1  A key that was kept works until `ends_at_ms`, and the ingest workers end it by their own clock: no process
           has to do anything at that moment. It is in clear until then, because HMAC needs it; afterwards `forget`
           leaves the hash.
OLD-KEY-2  A key that works no more is remembered by its hash, so that refusals of clients that still show it are booked
           to the project it belonged to: REMEMBERED_MAX of each project, the newest.
OLD-KEY-3  Only keys that bloop made are ever kept. The configured secret ends with the configuration (PROJECT-1).
"""

from __future__ import annotations

from bloop.base import credentials
from bloop.base.clock import DAY_MS
from bloop.base.errors import Conflict, NotFound
from bloop.db.engine import Db

KEEP_DAYS_MAX = 30
KEPT_MAX = 5  # of one project, all working: each is one more secret that may be in other hands
REMEMBERED_MAX = 20

_SELECT_CURRENT = """
SELECT api_key, coalesce(key_made_at_ms, created_at_ms), key_used_at_ms FROM projects WHERE id = :project_id
"""
_INSERT = """
INSERT INTO old_keys (project_id, made_at_ms, key_hash, key_start, key, replaced_at_ms, ends_at_ms, used_at_ms)
VALUES (:project_id, :made_at_ms, :key_hash, :key_start, :key, :now_ms, :ends_at_ms, :used_at_ms)
"""
_COUNT_KEPT = "SELECT count(*) FROM old_keys WHERE project_id = :project_id AND ends_at_ms > :now_ms"
_END_ALL = """
UPDATE old_keys SET ends_at_ms = :now_ms, key = NULL WHERE project_id = :project_id AND ends_at_ms > :now_ms
"""
_END = """
UPDATE old_keys
   SET ends_at_ms = :now_ms, key = NULL
 WHERE project_id = :project_id AND made_at_ms = :made_at_ms AND ends_at_ms > :now_ms
RETURNING 1
"""
_TAKE_BACK = "DELETE FROM old_keys WHERE key_hash = :key_hash"
_FORGET = "UPDATE old_keys SET key = NULL WHERE key IS NOT NULL AND ends_at_ms <= :now_ms"
_TRIM = """
DELETE FROM old_keys
 WHERE project_id = :project_id AND ends_at_ms <= :now_ms AND made_at_ms NOT IN (
    SELECT made_at_ms FROM old_keys WHERE project_id = :project_id ORDER BY made_at_ms DESC LIMIT :remembered_max)
"""


def replace_current(db: Db, project_id: int, new_key: str, now_ms: int, *, keep_days: int = 0) -> int:
    """Make the current key an old one, which works `keep_days` longer; when the new one counts as made, in ms.

    The caller stores the new key. An old key that becomes the current one again is no old one any more.

    Raises:
        NotFound: no such project.
        Conflict: KEPT_MAX old keys still work.
    """
    row = db.execute(_SELECT_CURRENT, {"project_id": project_id}).fetchone()
    if row is None:
        raise NotFound("project not found")
    key, made_at_ms, used_at_ms = row
    is_kept = keep_days > 0 and credentials.PROJECT_KEY_PATTERN.fullmatch(key) is not None
    if is_kept and int(db.execute(_COUNT_KEPT, {"project_id": project_id, "now_ms": now_ms}).get) >= KEPT_MAX:
        raise Conflict(f"{KEPT_MAX} old keys of this project still work: end one of them first")
    old = {
        "project_id": project_id,
        "made_at_ms": made_at_ms,
        "key_hash": credentials.token_hash(key),
        "key_start": credentials.key_start(key),
        "key": key if is_kept else None,
        "now_ms": now_ms,
        "ends_at_ms": now_ms + keep_days * DAY_MS if is_kept else now_ms,
        "used_at_ms": used_at_ms,
    }
    db.execute(_INSERT, old)
    db.execute(_TAKE_BACK, {"key_hash": credentials.token_hash(new_key)})
    db.execute(_TRIM, {"project_id": project_id, "now_ms": now_ms, "remembered_max": REMEMBERED_MAX})
    return max(now_ms, int(made_at_ms) + 1)


def end_all(db: Db, project_id: int, now_ms: int) -> None:
    """Only the current key works from here on."""
    db.execute(_END_ALL, {"project_id": project_id, "now_ms": now_ms})


def end_old_key(db: Db, project_id: int, made_at_ms: int, now_ms: int) -> None:
    """End one old key before its time.

    Raises:
        NotFound: the project has no such key, or it works no more.
    """
    bindings = {"project_id": project_id, "made_at_ms": made_at_ms, "now_ms": now_ms}
    if not list(db.execute(_END, bindings)):
        raise NotFound("old key not found or already ended")


def forget_ended(db: Db, now_ms: int) -> None:
    """Of keys that work no more, keep the hash alone (OLD-KEY-1)."""
    db.execute(_FORGET, {"now_ms": now_ms})
