"""People change an issue's status: the row, its audit line and its signal, in the caller's transaction.

Triggers copy the status to the aggregates and keep the counts per status. The writer reopens resolved issues by itself
(storage/issues.py); both write the same audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import apsw

from bloop.query.rows import ids_json
from bloop.storage import signals
from bloop.storage.signals import Signal, SignalKind


class Status(StrEnum):
    """What a person can set; `regressed` is set by the writer alone."""

    UNRESOLVED = "unresolved"
    RESOLVED = "resolved"
    IGNORED = "ignored"
    MUTED = "muted"


_SIGNALS = {
    Status.UNRESOLVED: SignalKind.ISSUE_UNRESOLVED,
    Status.RESOLVED: SignalKind.ISSUE_RESOLVED,
    Status.IGNORED: SignalKind.ISSUE_IGNORED,
    Status.MUTED: SignalKind.ISSUE_MUTED,
}

_SELECT = """
SELECT id, project_id, status FROM issues WHERE id IN (SELECT value FROM json_each(:issue_ids)) ORDER BY id
"""
_UPDATE = """
UPDATE issues
   SET status = :status,
       resolved_at_ms = iif(:status = 'resolved', :now_ms, NULL),
       resolved_in_release = iif(:status = 'resolved', coalesce(:release, last_release), NULL)
 WHERE id = :issue_id
"""
_INSERT_CHANGE = """
INSERT INTO status_changes (issue_id, project_id, old_status, new_status, changed_by, changed_via, changed_at_ms)
VALUES (:issue_id, :project_id, :old_status, :status, :changed_by, :changed_via, :now_ms)
"""
# Served by the UNIQUE (issue_id, release, environment) index.
_COUNT_AGGREGATES = """
SELECT count(*) FROM aggregates WHERE issue_id IN (SELECT value FROM json_each(:issue_ids))
"""


def change_status(
    db: apsw.Connection,
    issue_ids: Sequence[int],
    status: Status,
    *,
    changed_by: str,
    changed_via: str,
    now_ms: int,
    release: str | None = None,
) -> int:
    """Set `status` on every one of the issues, all or none; return how many aggregate rows now carry it.

    Each call leaves an audit line per issue, also where nothing changes: somebody said so at that moment. A signal
    goes out only for a change. `release` is where a resolved issue counts as fixed, None the last one it was seen in.
    """
    ids = ids_json(issue_ids)
    happened = []
    for issue_id, project_id, old_status in list(db.execute(_SELECT, {"issue_ids": ids})):
        row = {
            "issue_id": issue_id,
            "project_id": project_id,
            "old_status": old_status,
            "status": status.value,
            "changed_by": changed_by,
            "changed_via": changed_via,
            "release": release,
            "now_ms": now_ms,
        }
        db.execute(_UPDATE, row)
        db.execute(_INSERT_CHANGE, row)
        if old_status != status:
            data = {"old_status": old_status, "new_status": status.value, "by": changed_by, "via": changed_via}
            happened.append(Signal(_SIGNALS[status], project_id, issue_id, now_ms, data))
    signals.append(db, happened)
    (updated,) = db.execute(_COUNT_AGGREGATES, {"issue_ids": ids}).fetchone() or (0,)
    return int(updated)
