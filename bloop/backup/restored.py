"""What must not come back with a backup. Call inside a transaction, on the unpacked copy, before anybody uses it.

What was undone since the backup was made would be done again: a browser signed out, a link used, a message sent.
So everybody signs in again, links and invitations that were open are void, and nothing that waited is sent. API tokens
and project keys are as they were: who revoked one since then revokes it again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw

from bloop.base.errors import StorageError
from bloop.db import connection
from bloop.issues.events import dictionaries
from bloop.issues.events.dictionaries import DictionaryRow

_VOID = (
    "DELETE FROM sign_ins",
    "DELETE FROM login_links",
    "DELETE FROM invites WHERE used_at IS NULL",
    "UPDATE deliveries SET state = 'dismissed', last_error = 'restored from a backup' WHERE state = 'waiting'",
    "UPDATE alert_firings SET held_until_ms = NULL WHERE held_until_ms IS NOT NULL",
    "UPDATE alert_cursor SET signal_id = max(signal_id, (SELECT coalesce(max(id), 0) FROM signals))",
    "DELETE FROM process_states",
)
# The attempt that made this backup was running when the copy was made, and worked.
_SETTLE_RUN = """
UPDATE backup_runs
   SET state = 'done', ended_at_ms = :created_at_ms, file = :file, file_bytes = :file_bytes,
       database_bytes = :database_bytes, proven_at_ms = :now_ms
 WHERE state = 'running'
"""
_DROP_WAITING_RUN = "DELETE FROM backup_runs WHERE state = 'waiting'"


def carried_over(database: Path) -> list[DictionaryRow]:
    """Dictionaries of the database that is there now: records in the ring or its spill may name them.

    One that is damaged, or older than dictionaries, has none.
    """
    if not database.exists():
        return []
    has_log = database.with_name(f"{database.name}-wal").exists()
    try:
        with contextlib.closing(connection.open_reader(database)) as db:
            if has_log:  # what becomes of it is decided later
                connection.keep_log(db)
            return dictionaries.rows(db)
    except (apsw.Error, StorageError):
        return []


def settle(
    db: apsw.Connection, *, file: str, file_bytes: int, database_bytes: int, created_at_ms: int, now_ms: int
) -> None:
    """Void what must not come back, and note which backup this is."""
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
