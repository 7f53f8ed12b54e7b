from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from bloop.base.errors import DatabaseBusy, QueryTimeout, StorageError
from bloop.db import connection
from bloop.db.pool import DatabasePool
from tests.seed import Seed

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


@pytest.fixture
def database(seed: Seed) -> Iterator[DatabasePool]:
    made = DatabasePool(seed.path, pool_size=2, query_timeout_ms=200)
    yield made
    made.close()


def count_projects(db: apsw.Connection) -> int:
    row = db.execute("SELECT count(*) FROM projects").fetchone()
    assert row is not None
    return int(row[0])


def test_nothing_is_opened_before_first_use(tmp_path: Path) -> None:
    DatabasePool(tmp_path / "missing.db", pool_size=2, query_timeout_ms=100).close()

    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_one_snapshot(seed: Seed, database: DatabasePool) -> None:
    with database.reader() as db:
        before = count_projects(db)
        seed.project("shop")
        assert count_projects(db) == before
    with database.reader() as db:
        assert count_projects(db) == before + 1


def test_a_reader_changes_nothing(database: DatabasePool) -> None:
    with pytest.raises(apsw.ReadOnlyError), database.reader() as db:
        db.execute("DELETE FROM projects")


def test_a_query_that_runs_too_long_is_interrupted_and_the_connection_stays_usable(database: DatabasePool) -> None:
    for _ in range(3):  # more often than there are connections
        with pytest.raises(QueryTimeout), database.reader() as db:
            db.execute(FOREVER).fetchall()

    with database.reader() as db:
        assert count_projects(db) == 0


def test_a_thread_that_gets_no_free_connection_in_time_fails_with_database_busy(database: DatabasePool) -> None:
    with database.reader(), database.reader(), pytest.raises(DatabaseBusy), database.reader(wait_s=0):
        pass

    with database.reader() as db:
        assert count_projects(db) == 0


def test_a_database_that_does_not_open_costs_no_connection(seed: Seed, tmp_path: Path) -> None:
    missing = DatabasePool(tmp_path / "no" / "such.db", pool_size=1, query_timeout_ms=100)

    for _ in range(2):
        with pytest.raises(StorageError, match="cannot open"), missing.reader(wait_s=0):
            pass


def test_many_threads_share_few_connections(database: DatabasePool) -> None:
    found: list[int] = []

    def read() -> None:
        for _ in range(20):
            with database.reader() as db:
                found.append(count_projects(db))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [0] * 120


def test_a_change_is_all_or_nothing(seed: Seed, database: DatabasePool) -> None:
    insert = "INSERT INTO ledger_totals VALUES (1, 0, 1, 1)"

    def change(db: apsw.Connection) -> None:
        db.execute(insert)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.change(change)
    assert seed.rows("SELECT * FROM ledger_totals") == []
    database.change(lambda db: db.execute(insert))
    assert seed.rows("SELECT * FROM ledger_totals") == [(1, 0, 1, 1)]


def test_a_change_gives_up_when_another_process_keeps_the_lock(seed: Seed, database: DatabasePool) -> None:
    with connection.immediate(seed.db), pytest.raises(DatabaseBusy):
        database.change(count_projects, wait=False)

    assert database.change(count_projects) == 0


def test_a_full_disk_refuses_the_change_and_keeps_the_connection(seed: Seed, database: DatabasePool) -> None:
    def fill(db: apsw.Connection) -> None:
        db.pragma("max_page_count", db.pragma("page_count"))
        try:
            db.execute("INSERT INTO dead_letters VALUES (1, 1, 1, 1, 'r', zeroblob(1000000))")
        finally:
            db.pragma("max_page_count", 1_000_000)

    with pytest.raises(StorageError, match="disk full"):
        database.change(fill)

    assert database.change(count_projects) == 0
    assert seed.rows("SELECT count(*) FROM dead_letters") == [(0,)]
