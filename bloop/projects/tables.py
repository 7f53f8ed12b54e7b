"""Tables of projects and their tokens. The emptied row of a deleted project stays: its number is never given again."""

from __future__ import annotations

from bloop.db.tables import Table

_PURGE_API_TOKENS = "DELETE FROM api_tokens WHERE project_id = :project_id"

TABLES = (
    Table(name="api_tokens", is_missed=True, purge=(_PURGE_API_TOKENS,)),
    Table(name="projects", is_missed=True),
)
