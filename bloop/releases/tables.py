"""Tables of releases."""

from __future__ import annotations

from bloop.db.tables import Table

_PURGE_RELEASES = """
DELETE FROM releases WHERE (project_id, release, environment) IN (
    SELECT project_id, release, environment FROM releases WHERE project_id = :project_id LIMIT :rows_max)
"""

TABLES = (Table(name="releases", is_missed=True, purge=(_PURGE_RELEASES,)),)
