"""The tables of backups."""

from __future__ import annotations

from bloop.db.tables import Table

TABLES = (Table(name="backup_runs"),)
