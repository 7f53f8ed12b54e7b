"""Removes state that must not come back with a backup. Call inside a transaction, on the unpacked copy, before its use.

A restore would undo what happened since the backup: a signed-out browser would be signed in again, a used link valid,
a sent message sent twice. So all users sign in again, open links and invitations are void, and no waiting message is
sent. API tokens and project keys are as they were in the backup: revoke those again that were revoked since.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from bloop.base.errors import StorageError
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.checkpoint import keep_log
from bloop.db.engine import Db
from bloop.pipeline import dictionaries
from bloop.pipeline.dictionaries import DictionaryRow

_VOID = (
    "DELETE FROM sign_ins",
    "DELETE FROM login_links",
    "DELETE FROM invites WHERE used_at IS NULL",
    "UPDATE deliveries SET state = 'dismissed', last_error = 'restored from a backup' WHERE state = 'waiting'",
    "UPDATE alert_firings SET held_until_ms = NULL WHERE held_until_ms IS NOT NULL",
    "UPDATE alert_cursor SET signal_id = max(signal_id, (SELECT coalesce(max(id), 0) FROM signals))",
    "DELETE FROM process_states",
)
# The attempt that made this backup was still running in the copy, and succeeded afterwards.
_SETTLE_RUN = """
UPDATE backup_runs
   SET state = 'done', ended_at_ms = :created_at_ms, file = :file, file_bytes = :file_bytes,
       database_bytes = :database_bytes, proven_at_ms = :now_ms
 WHERE state = 'running'
"""
_DROP_WAITING_RUN = "DELETE FROM backup_runs WHERE state = 'waiting'"


def dictionaries_of(database: Path) -> list[DictionaryRow]:
    """The dictionaries of the old database: records in the ring or its spill may name them.

    One that is damaged, or older than dictionaries, has none.
    """
    if not database.exists():
        return []
    has_log = database.with_name(f"{database.name}-wal").exists()
    try:
        with contextlib.closing(connection.open_reader(database)) as db:
            if has_log:  # what becomes of it is decided later
                keep_log(db)
            return dictionaries.rows(db)
    except (db_errors.Error, StorageError):
        return []


def remove_stale_state(
    db: Db, *, file: str, file_bytes: int, database_bytes: int, created_at_ms: int, now_ms: int
) -> None:
    """Remove the state that must not come back, and record the backup that was restored."""
    for statement in _VOID:
        db.execute(statement)
    bindings = {
        "file": file,
        "file_bytes": file_bytes,
        "database_bytes": database_bytes,
        "created_at_ms": created_at_ms,
        "now_ms": now_ms,
    }
    db.execute(_SETTLE_RUN, bindings)
    db.execute(_DROP_WAITING_RUN)
