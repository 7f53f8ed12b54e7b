"""Invariants MIGRATE-1 to MIGRATE-5 of bloop/db/migrate.py, and CONNECTION-1 of bloop/db/connection.py."""

from __future__ import annotations

import contextlib
import resource
import stat
import threading
from collections.abc import Iterator

import apsw
import pytest

from bloop.base.errors import SchemaTooNew, StorageError
from bloop.db import connection, migrate
from bloop.db.migrate import Migration

FIRST = Migration(1, "first", "CREATE TABLE one (a INTEGER);")
SECOND = Migration(2, "second", "CREATE TABLE two (b INTEGER); INSERT INTO two VALUES (7);")
BROKEN = Migration(2, "broken", "CREATE TABLE two (b INTEGER); INSERT INTO nowhere VALUES (1);")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "bloop.db"


def query(path, sql):
    db = connection.open_reader(path)
    try:
        return list(db.execute(sql))
    finally:
        db.close()


def test_a_new_database_is_private_and_gets_every_migration(path):
    applied = migrate.migrate(path, now_ms=1)

    assert [m.version for m in applied] == [m.version for m in migrate.shipped()]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert query(path, "PRAGMA journal_mode") == [("wal",)]
    assert query(path, "PRAGMA auto_vacuum") == [(2,)]
    assert query(path, "PRAGMA application_id") == [(int.from_bytes(b"bloo", "big"),)]


def test_a_second_run_finds_nothing_to_do(path):
    migrate.migrate(path, now_ms=1)

    assert migrate.migrate(path, now_ms=2) == []


def test_an_upgrade_that_fails_leaves_no_trace(path):
    with pytest.raises(apsw.SQLError):
        migrate.migrate(path, 1, [FIRST, BROKEN])

    assert query(path, "SELECT name FROM sqlite_schema") == []


def test_a_failed_migration_can_be_run_again_once_mended(path):
    with pytest.raises(apsw.SQLError):
        migrate.migrate(path, 1, [FIRST, BROKEN])

    assert [m.name for m in migrate.migrate(path, 2, [FIRST, SECOND])] == ["first", "second"]
    assert query(path, "SELECT b FROM two") == [(7,)]


def test_processes_that_migrate_at_once_apply_each_migration_once(path):
    migrate.migrate(path, 1, [FIRST])
    applied: list[Migration] = []
    threads = [
        threading.Thread(target=lambda: applied.extend(migrate.migrate(path, 2, [FIRST, SECOND]))) for _ in range(6)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert [m.name for m in applied] == ["second"]
    assert query(path, "SELECT count(*) FROM two") == [(1,)]


def test_an_edited_migration_is_refused(path):
    migrate.migrate(path, 1, [FIRST])

    with pytest.raises(StorageError, match="0001_first changed after it was applied"):
        migrate.migrate(path, 2, [FIRST._replace(sql="CREATE TABLE one (a TEXT);")])


def test_a_database_from_a_later_bloop_is_refused(path):
    migrate.migrate(path, 1, [FIRST, SECOND])

    with pytest.raises(SchemaTooNew, match="schema version 2, this bloop knows up to 1"):
        migrate.migrate(path, 2, [FIRST])


def test_a_database_with_data_is_copied_before_it_is_changed(path):
    migrate.migrate(path, 1, [FIRST])
    db = connection.open_control(path)
    db.execute("INSERT INTO one VALUES (42)")
    db.close()

    migrate.migrate(path, 2, [FIRST, SECOND])

    copy = path.with_name("bloop.db.before-0002")
    assert query(copy, "SELECT a FROM one") == [(42,)]
    assert query(copy, "SELECT name FROM sqlite_schema WHERE name = 'two'") == []
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A disk that is full, as a process of ours sees it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_copy_that_does_not_fit_on_the_disk_leaves_nothing_that_looks_like_one(path):
    migrate.migrate(path, 1, [FIRST])
    with contextlib.closing(connection.open_control(path)) as db:
        db.execute("INSERT INTO one VALUES (zeroblob(2000000))")

    with files_no_larger_than(1_000_000), pytest.raises(apsw.Error):
        migrate.migrate(path, 2, [FIRST, SECOND])

    assert [name.name for name in path.parent.iterdir() if "before" in name.name] == []
    assert query(path, "SELECT version FROM schema_migrations") == [(1,)]
    assert [m.version for m in migrate.migrate(path, 3, [FIRST, SECOND])] == [2]


def test_listing_what_is_pending_never_writes(path):
    migrate.migrate(path, 1, [FIRST])
    reader = connection.open_reader(path)

    try:
        assert [m.name for m in migrate.pending(reader, [FIRST, SECOND])] == ["second"]
    finally:
        reader.close()
    assert query(path, "SELECT version FROM schema_migrations") == [(1,)]


OTHER_PROGRAMS = {
    "with an id of its own": "PRAGMA application_id = 0x42; CREATE TABLE t (a)",
    "an id and nothing yet": "PRAGMA application_id = 0x42",
    "without an id": "CREATE TABLE t (a); INSERT INTO t VALUES (1)",
    "with migrations of its own": "CREATE TABLE schema_migrations (version TEXT PRIMARY KEY)",
}


@pytest.mark.parametrize("sql", OTHER_PROGRAMS.values(), ids=OTHER_PROGRAMS.keys())
@pytest.mark.parametrize(
    "use",
    [
        lambda path: migrate.migrate(path, 1),
        migrate.pending_at,
        connection.open_writer,
        connection.open_control,
        connection.open_cleaner,
        connection.open_reader,
    ],
    ids=["migrate", "pending_at", "writer", "control", "cleaner", "reader"],
)
def test_another_programs_database_is_refused_and_stays_as_it_is(tmp_path, sql, use):
    path = tmp_path / "other.db"
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.execute(sql)
    before = path.read_bytes()

    with pytest.raises(StorageError, match=r"is the database of another program .*set database.path"):
        use(path)

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["other.db"]


def unmark(path):
    """As bloop left its files before it marked them."""
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.pragma("application_id", 0)


@pytest.mark.parametrize("later", [[FIRST], [FIRST, SECOND]], ids=["up to date", "to be migrated"])
def test_a_database_from_before_files_were_marked_is_known_by_its_migrations(path, later):
    migrate.migrate(path, 1, [FIRST])
    unmark(path)
    connection.open_reader(path).close()  # other processes may be there before the writer

    assert migrate.migrate(path, 2, later) == later[1:]

    assert query(path, "PRAGMA application_id") == [(connection.APPLICATION_ID,)]
    assert migrate.migrate(path, 3, later) == []
