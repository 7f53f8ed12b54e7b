"""db/engine.py: only bloop/db knows the engine, and its connection is used without a wrapper."""

from __future__ import annotations

import ast
from pathlib import Path

import apsw
import pytest

from bloop.db import connection, errors
from tests.seed import Seed

ROOT = Path(__file__).parents[3]


def _imported(path: Path) -> set[str]:
    """The packages a file names in an import, wherever the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_only_the_room_of_the_engine_imports_apsw() -> None:
    files = [path for folder in ("bloop", "workers") for path in (ROOT / folder).rglob("*.py")]

    knowing = {path.relative_to(ROOT).parent for path in files if _imported(path) & {"apsw", "sqlite3"}}

    assert len(files) > 300
    assert knowing == {Path("bloop/db")}


def test_connections_are_the_engines_own(seed: Seed) -> None:
    for open_db in (connection.open_reader, connection.open_control, connection.open_cleaner, connection.open_writer):
        db = open_db(seed.path)
        assert type(db) is apsw.Connection
        db.close()


def test_every_error_of_the_engine_is_caught_by_one_name(seed: Seed) -> None:
    with pytest.raises(errors.SQLError):
        seed.db.execute("SELECT nothing FROM nowhere")

    mine = {value for name, value in vars(errors).items() if isinstance(value, type)}
    assert all(issubclass(error, errors.Error) for error in mine)


def test_a_trial_keeps_nothing(seed: Seed) -> None:
    with connection.trial(seed.db):
        seed.project("shop")

    assert seed.value("SELECT count(*) FROM projects WHERE slug = 'shop'") == 0


def test_a_snapshot_is_of_one_moment(seed: Seed) -> None:
    reader = connection.open_reader(seed.path)
    count = "SELECT count(*) FROM projects"

    with connection.snapshot(reader):
        before = reader.execute(count).get
        seed.project("shop")
        assert reader.execute(count).get == before

    assert reader.execute(count).get == before + 1
    reader.close()
