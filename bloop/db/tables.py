"""The declaration of a feature's tables, so that purge, retention, backups and the storage page need no lists.

TABLES-1  Every table of the schema is declared once, in the `tables.py` of the feature (or room) that writes it.
TABLES-2  Statements are bounded: they take `:rows_max` and delete at most that many rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_COUNT = "SELECT count(*) FROM {}"  # the name is one of bloop's own


class Keep(StrEnum):
    """How long rows are kept; the retention policy turns each into a time."""

    SAMPLES = "samples"  # as long as raw events: they hold data of clients
    HOURS = "hours"
    LEDGER = "ledger"
    MINUTES = "minutes"
    SIGNALS = "signals"
    FIRINGS = "firings"
    UNDOS = "undos"


class PurgeBy(StrEnum):
    """The binding that selects a deleted project's rows in the statements of `Table.purge`."""

    PROJECT = "project"  # :project_id
    ISSUE = "issue"  # :ids, a JSON array of issue ids: by the index that begins with them
    ID = "id"  # :ids, a JSON array of the ids from `Table.purge_find`, run before the transaction: there is no index


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, and how its rows are counted, kept and removed."""

    name: str
    label: str = ""  # its line on the storage page; empty: not shown
    note: str = ""
    is_missed: bool = False  # a backup without all of its rows is invalid
    purge: tuple[str, ...] = ()  # rows of a deleted project; rows that others refer to come last
    purge_by: PurgeBy = PurgeBy.PROJECT
    purge_find: str = ""
    outlives_project: str = ""  # why rows of a deleted project stay
    keep: Keep | None = None
    prune: str = ""  # deletes rows from before :before_ms

    @property
    def count(self) -> str:
        """The statement that counts its rows, by its smallest index: 7 ms for a million."""
        return _COUNT.format(self.name)
