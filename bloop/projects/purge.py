"""The rows of a deleted project, removed a little at a time.

U1  One call removes at most about `rows_max` rows, in the caller's transaction: the writer waits for a call, not for a
    project.
U2  What is left is found again from the tables themselves, so a purge that was interrupted anywhere simply goes on.
U3  Every table with rows of a project is named here or spared here by name (a test reads the schema). The ledger is
    spared: what arrived and what became of it stays accounted for, as counts without a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw

from bloop.db.rows import ids_json
from bloop.issues.search import index as search

ISSUES_MAX = 200  # looked after together: many small issues cost few statements

_SELECT_ISSUES = "SELECT id FROM issues WHERE project_id = :project_id LIMIT :issues_max"
# Of issues, by the index or primary key that begins with issue_id.
_OF_ISSUES = {
    "events": """
DELETE FROM events WHERE id IN (
    SELECT e.id FROM json_each(:ids) AS i JOIN events AS e ON e.issue_id = i.value LIMIT :rows_max)
""",
    "status_changes": """
DELETE FROM status_changes WHERE id IN (
    SELECT c.id FROM json_each(:ids) AS i JOIN status_changes AS c ON c.issue_id = i.value LIMIT :rows_max)
""",
    "issue_users": """
DELETE FROM issue_users WHERE (issue_id, user_key) IN (
    SELECT u.issue_id, u.user_key FROM json_each(:ids) AS i JOIN issue_users AS u ON u.issue_id = i.value
     LIMIT :rows_max)
""",
    "hourly_counts": """
DELETE FROM hourly_counts WHERE (issue_id, hour_ms, environment, source) IN (
    SELECT h.issue_id, h.hour_ms, h.environment, h.source
      FROM json_each(:ids) AS i JOIN hourly_counts AS h ON h.issue_id = i.value LIMIT :rows_max)
""",
    "aggregates": """
DELETE FROM aggregates WHERE id IN (
    SELECT a.id FROM json_each(:ids) AS i JOIN aggregates AS a ON a.issue_id = i.value LIMIT :rows_max)
""",
}
_DELETE_ISSUES = "DELETE FROM issues WHERE id IN (SELECT value FROM json_each(:ids))"
# Of the project itself, by a primary key or an index; of cooldowns and dead letters there are few.
_OF_PROJECT = {
    "project_hourly_counts": """
DELETE FROM project_hourly_counts WHERE (project_id, hour_ms, environment, source) IN (
    SELECT project_id, hour_ms, environment, source FROM project_hourly_counts
     WHERE project_id = :project_id LIMIT :rows_max)
""",
    "route_counts": """
DELETE FROM route_counts WHERE (project_id, route) IN (
    SELECT project_id, route FROM route_counts WHERE project_id = :project_id LIMIT :rows_max)
""",
    "write_keys": """
DELETE FROM write_keys WHERE id IN (SELECT id FROM write_keys WHERE project_id = :project_id LIMIT :rows_max)
""",
    "releases": """
DELETE FROM releases WHERE (project_id, release, environment) IN (
    SELECT project_id, release, environment FROM releases WHERE project_id = :project_id LIMIT :rows_max)
""",
    "minute_counts": """
DELETE FROM minute_counts WHERE (project_id, minute_ms, issue_id, environment, source) IN (
    SELECT project_id, minute_ms, issue_id, environment, source FROM minute_counts
     WHERE project_id = :project_id LIMIT :rows_max)
""",
    "alert_firings": """
DELETE FROM alert_firings WHERE id IN (SELECT id FROM alert_firings WHERE project_id = :project_id LIMIT :rows_max)
""",
    "alert_cooldowns": """
DELETE FROM alert_cooldowns WHERE (rule_id, project_id, key) IN (
    SELECT rule_id, project_id, key FROM alert_cooldowns WHERE project_id = :project_id LIMIT :rows_max)
""",
    "alert_rules": "DELETE FROM alert_rules WHERE project_id = :project_id",
    "retention_overrides": "DELETE FROM retention_overrides WHERE project_id = :project_id",
    "status_counts": "DELETE FROM status_counts WHERE project_id = :project_id",
    "firing_counts": "DELETE FROM firing_counts WHERE project_id = :project_id",
    "api_tokens": "DELETE FROM api_tokens WHERE project_id = :project_id",
    "rejections": "DELETE FROM rejections WHERE project_id = :project_id",
    "dead_letters": "DELETE FROM dead_letters WHERE project_id = :project_id",
}
# Tables that know their project by way of another: before the rows they hang on.
_OF_FIRINGS = (
    """
DELETE FROM deliveries WHERE id IN (
    SELECT d.id FROM alert_firings AS f JOIN deliveries AS d ON d.firing_id = f.id
     WHERE f.project_id = :project_id LIMIT :rows_max)
""",
    # Digests over several projects, with their deliveries: at most one a minute was made.
    """
DELETE FROM alert_firings WHERE id IN (
    SELECT d.id FROM alert_firings AS f JOIN alert_firings AS d ON d.id = f.digest_id AND d.project_id IS NULL
     WHERE f.project_id = :project_id LIMIT :rows_max)
""",
)
_SELECT_SIGNALS = "SELECT id FROM signals WHERE project_id = :project_id LIMIT :rows_max"
_DELETE_SIGNALS = "DELETE FROM signals WHERE id IN (SELECT value FROM json_each(:ids))"
_MARK_PURGED = "UPDATE projects SET purged_at_ms = :now_ms WHERE id = :project_id"

PURGED_TABLES = frozenset({*_OF_ISSUES, "issues", *_OF_PROJECT, "signals"})
SPARED_TABLES = frozenset({"ledger", "ledger_totals", "ring_cells"})


def some_signals(db: apsw.Connection, project_id: int, rows_max: int) -> list[int]:
    """Signals of the project. They have no index by project: read them before the transaction that deletes."""
    return [row[0] for row in db.execute(_SELECT_SIGNALS, {"project_id": project_id, "rows_max": rows_max})]


def purge_some(db: apsw.Connection, project_id: int, signal_ids: list[int], *, rows_max: int, now_ms: int) -> bool:
    """Remove some rows of a deleted project; True once nothing is left, which is then written down."""
    if signal_ids:
        db.execute(_DELETE_SIGNALS, {"ids": ids_json(signal_ids)})
        return False
    issue_ids = [row[0] for row in db.execute(_SELECT_ISSUES, {"project_id": project_id, "issues_max": ISSUES_MAX})]
    if issue_ids:
        ids = ids_json(issue_ids)
        if _delete(db, _OF_ISSUES.values(), {"ids": ids}, rows_max):
            search.forget(db, issue_ids)
            db.execute(_DELETE_ISSUES, {"ids": ids})
        return False
    if not _delete(db, (*_OF_FIRINGS, *_OF_PROJECT.values()), {"project_id": project_id}, rows_max):
        return False
    db.execute(_MARK_PURGED, {"project_id": project_id, "now_ms": now_ms})
    return True


def _delete(db: apsw.Connection, statements: Iterable[str], bindings: dict[str, Any], rows_max: int) -> bool:
    """Run them in order until `rows_max` rows are gone; whether every one of them found fewer than it might take."""
    left = rows_max
    for statement in statements:
        db.execute(statement, bindings | {"rows_max": left})
        left -= db.changes()
        if left <= 0:
            return False
    return True
