"""Tables of projects and their tokens. A deleted project's row stays, emptied: its number is never reused."""

from __future__ import annotations

from bloop.db.tables import Table

_PURGE_API_TOKENS = "DELETE FROM api_tokens WHERE project_id = :project_id"

_PURGE_OLD_KEYS = "DELETE FROM old_keys WHERE project_id = :project_id"  # a few dozen

_PURGE_WRITE_KEYS = """
DELETE FROM write_keys WHERE id IN (SELECT id FROM write_keys WHERE project_id = :project_id LIMIT :rows_max)
"""

_PURGE_USES = """
DELETE FROM project_uses WHERE (user_id, project_id) IN (
    SELECT user_id, project_id FROM project_uses WHERE project_id = :project_id LIMIT :rows_max)
"""

TABLES = (
    Table(name="project_uses", purge=(_PURGE_USES,)),
    Table(name="old_keys", is_missed=True, purge=(_PURGE_OLD_KEYS,)),
    Table(name="write_keys", is_missed=True, purge=(_PURGE_WRITE_KEYS,)),
    Table(name="api_tokens", is_missed=True, purge=(_PURGE_API_TOKENS,)),
    Table(name="projects", is_missed=True),
)
