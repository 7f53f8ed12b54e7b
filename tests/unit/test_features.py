"""The one list of features: every part it names is there, and every table of the schema belongs to one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import fields
from pkgutil import resolve_name

import apsw
import pytest

from bloop import features
from bloop.db.tables import PurgeBy
from tests.schema import schema_in_memory

FTS_SHADOWS = ("_data", "_idx", "_content", "_docsize", "_config")  # sqlite.org/fts5.html, section 9
OF_MIGRATIONS = {"schema_migrations"}  # made by bloop/db itself before anything else


@pytest.fixture(scope="module")
def db() -> Iterator[apsw.Connection]:
    with closing(schema_in_memory()) as opened:
        yield opened


def tables_of(db: apsw.Connection) -> set[str]:
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    shadows = {f"issue_search{suffix}" for suffix in FTS_SHADOWS}
    return {name for name in names - shadows - OF_MIGRATIONS if not name.startswith("sqlite_")}


def test_every_part_that_is_named_is_there():
    for feature in features.FEATURES:
        for field in fields(feature):
            value = getattr(feature, field.name)
            parts = value.values() if isinstance(value, Mapping) else [value] if isinstance(value, str) else value
            for part in parts if field.name != "name" else ():
                assert not part or resolve_name(part)


def test_every_table_of_the_schema_belongs_to_one_feature(db):
    owned = Counter(table.name for table in features.tables())

    assert set(owned) == tables_of(db)
    assert max(owned.values()) == 1


def test_every_statement_of_a_table_is_bounded_and_prepares(db):
    for table in features.tables():
        statements = [*table.purge, table.prune, table.purge_find, table.count]
        for statement in filter(None, statements):
            db.execute(f"EXPLAIN {statement}", {"ids": "[]", "project_id": 1, "before_ms": 0, "rows_max": 1})
        assert bool(table.keep) == bool(table.prune), table.name
        assert (table.purge_by is PurgeBy.ID) == bool(table.purge_find), table.name
        assert not (table.purge and table.outlives_project), table.name
