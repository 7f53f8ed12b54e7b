"""Removes the rows of a deleted project in small batches.

PROJECT-PURGE-1  One call removes at most about `rows_max` rows, in the caller's transaction: the writer waits for a
    call, not for a project.
PROJECT-PURGE-2  Each call finds the remaining rows in the tables themselves, so an interrupted purge simply
    continues.
PROJECT-PURGE-3  Every table with rows of a project declares how to purge them, or why they outlive it
    (`bloop.db.tables`; a test reads the schema).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bloop import features
from bloop.db.engine import Db, ids_json
from bloop.db.tables import PurgeBy

ISSUES_MAX = 200  # per batch: many small issues cost few statements

_SELECT_ISSUES = "SELECT id FROM issues WHERE project_id = :project_id LIMIT :issues_max"
_MARK_PURGED = "UPDATE projects SET purged_at_ms = :now_ms WHERE id = :project_id"

RowIds = Mapping[str, list[int]]  # table → ids of its rows


def find_unindexed_rows(db: Db, project_id: int, rows_max: int) -> RowIds:
    """The project's rows in tables without an index by project. Call before the transaction that deletes them."""
    bindings = {"project_id": project_id, "rows_max": rows_max}
    tables = [table for table in features.tables() if table.purge_find]
    row_ids = {table.name: [row[0] for row in db.execute(table.purge_find, bindings)] for table in tables}
    return {name: ids for name, ids in row_ids.items() if ids}


def purge_batch(db: Db, project_id: int, unindexed: RowIds, *, rows_max: int, now_ms: int) -> bool:
    """Remove a batch of a deleted project's rows, `unindexed` first; True once none is left and it is marked purged."""
    if unindexed:
        for table in features.tables():
            if table.name in unindexed:
                _delete(db, table.purge, {"ids": ids_json(unindexed[table.name])}, rows_max)
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
    """Run the statements in order, for `rows_max` rows in total; False when that limit was reached."""
    remaining = rows_max
    for statement in statements:
        db.execute(statement, bindings | {"rows_max": remaining})
        remaining -= db.changes()
        if remaining <= 0:
            return False
    return True
