"""What background processes say of themselves."""

from __future__ import annotations

from bloop.db.tables import Table

TABLES = (Table(name="process_states"),)
