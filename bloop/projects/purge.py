"""The rows of a deleted project, removed a little at a time.

U1  One call removes at most about `rows_max` rows, in the caller's transaction: the writer waits for a call, not for a
    project.
U2  What is left is found again from the tables themselves, so a purge that was interrupted anywhere simply goes on.
U3  Every table with rows of a project says how they are purged, or why they outlive it (`bloop.db.tables`; a test reads
    the schema).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bloop import features
from bloop.db.engine import Db, ids_json
from bloop.db.tables import PurgeBy

ISSUES_MAX = 200  # looked after together: many small issues cost few statements

_SELECT_ISSUES = "SELECT id FROM issues WHERE project_id = :project_id LIMIT :issues_max"
_MARK_PURGED = "UPDATE projects SET purged_at_ms = :now_ms WHERE id = :project_id"

FoundIds = Mapping[str, list[int]]  # table → ids of its rows


def find_unindexed(db: Db, project_id: int, rows_max: int) -> FoundIds:
    """Rows of the project in tables without an index by project: read them before the transaction that deletes."""
    bindings = {"project_id": project_id, "rows_max": rows_max}
    found = {t.name: [row[0] for row in db.execute(t.purge_find, bindings)] for t in features.tables() if t.purge_find}
    return {name: ids for name, ids in found.items() if ids}


def purge_some(db: Db, project_id: int, found: FoundIds, *, rows_max: int, now_ms: int) -> bool:
    """Remove some rows of a deleted project, `found` first; True once nothing is left, which is then written down."""
    if found:
        for table in features.tables():
            if table.name in found:
                _delete(db, table.purge, {"ids": ids_json(found[table.name])}, rows_max)
        return False
    issue_ids = [row[0] for row in db.execute(_SELECT_ISSUES, {"project_id": project_id, "issues_max": ISSUES_MAX})]
    if issue_ids:
        _delete(db, _statements(PurgeBy.ISSUE), {"ids": ids_json(issue_ids)}, rows_max)
        return False
    if not _delete(db, _statements(PurgeBy.PROJECT), {"project_id": project_id}, rows_max):
        return False
    db.execute(_MARK_PURGED, {"project_id": project_id, "now_ms": now_ms})
    return True


def _statements(purge_by: PurgeBy) -> Iterable[str]:
    return (statement for table in features.tables() if table.purge_by is purge_by for statement in table.purge)


def _delete(db: Db, statements: Iterable[str], bindings: dict[str, Any], rows_max: int) -> bool:
    """Run them in order until `rows_max` rows are gone; whether every one of them found fewer than it might take."""
    left = rows_max
    for statement in statements:
        db.execute(statement, bindings | {"rows_max": left})
        left -= db.changes()
        if left <= 0:
            return False
    return True
