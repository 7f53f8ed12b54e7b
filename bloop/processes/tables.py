"""The table of background processes' reports."""

from __future__ import annotations

from bloop.db.tables import Table

TABLES = (Table(name="process_states"),)
