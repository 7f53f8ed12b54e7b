"""The one list of bloop's features, and what each brings along.

Parts are named, not imported: `module:attribute`, resolved when somebody asks. So importing this list imports no
feature, an ingest worker that needs none loads none, and rooms below may ask for what features registered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pkgutil import resolve_name
from typing import Any

import apsw

from bloop.db.tables import Table
from bloop.pipeline.kinds import KindStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What one feature registers; a part it does not have stays empty."""

    name: str
    tables: str = ""  # tuple[bloop.db.tables.Table, ...]
    kinds: tuple[str, ...] = ()  # classes that implement bloop.pipeline.kinds.KindStore, made with a connection


# In this order rows of a deleted project are removed: what refers to an issue or a project goes before it.
FEATURES = (
    Feature(name="issues", tables="bloop.issues.tables:TABLES", kinds=("bloop.issues.kind:EventStore",)),
    Feature(name="releases", tables="bloop.releases.tables:TABLES"),
    Feature(name="alerts", tables="bloop.alerts.tables:TABLES"),
    Feature(name="live", tables="bloop.live.tables:TABLES"),
    Feature(name="ledger", tables="bloop.ledger.tables:TABLES", kinds=("bloop.ledger.store:NoteStore",)),
    Feature(name="retention", tables="bloop.retention.tables:TABLES"),
    Feature(name="backup", tables="bloop.backup.tables:TABLES"),
    Feature(name="health", tables="bloop.health.tables:TABLES"),
    Feature(name="accounts", tables="bloop.accounts.tables:TABLES"),
    Feature(name="projects", tables="bloop.projects.tables:TABLES"),
)


@cache
def tables() -> tuple[Table, ...]:
    """Every table of every feature."""
    return tuple(table for part in _parts("tables") for table in part)


def table(name: str) -> Table:
    """One of them."""
    return next(table for table in tables() if table.name == name)


def make_kinds(db: apsw.Connection) -> list[KindStore]:
    """The stores of every kind of record, for one writer."""
    return [resolve_name(kind)(db) for feature in FEATURES for kind in feature.kinds]


def _parts(name: str) -> Iterator[Any]:
    return (resolve_name(part) for feature in FEATURES if (part := getattr(feature, name)))
