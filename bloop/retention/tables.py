"""Tables of retention: policy, runs, and how the file grew."""

from __future__ import annotations

from bloop.db.tables import Table

_PURGE_RETENTION_OVERRIDES = "DELETE FROM retention_overrides WHERE project_id = :project_id"
_PURGE_RETENTION_ISSUE_OVERRIDES = "DELETE FROM retention_issue_overrides WHERE project_id = :project_id"

TABLES = (
    Table(name="retention_overrides", purge=(_PURGE_RETENTION_OVERRIDES,)),
    Table(name="retention_issue_overrides", purge=(_PURGE_RETENTION_ISSUE_OVERRIDES,)),
    Table(name="retention_policy"),
    Table(name="retention_runs"),
    Table(name="storage_samples"),
)
