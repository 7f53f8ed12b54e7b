from __future__ import annotations

import threading

import apsw
import pytest

from bloop.base.errors import QueryTimeout, StorageError
from bloop.db import connection

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "bloop.db"
    db = connection.open_writer(file)
    db.execute("CREATE TABLE t (a INTEGER)")
    db.close()
    return file


def test_a_reader_cannot_change_rows(path):
    db = connection.open_reader(path)

    with pytest.raises(apsw.ReadOnlyError):
        db.execute("INSERT INTO t VALUES (1)")
    db.close()


def test_a_read_that_runs_too_long_is_interrupted_and_the_connection_stays_usable(path):
    db = connection.open_reader(path)

    with pytest.raises(QueryTimeout, match="longer than 50 ms"), connection.time_limit(db, 50):
        db.execute(ENDLESS).fetchall()

    assert db.execute("SELECT 1").get == 1
    db.close()


def test_a_read_inside_its_limit_is_left_alone(path):
    db = connection.open_reader(path)

    with connection.time_limit(db, 5000):
        assert db.execute("SELECT count(*) FROM t").get == 0
    db.close()


def test_the_writer_syncs_every_commit(path):
    writer = connection.open_writer(path)

    assert writer.pragma("synchronous") == 2  # FULL
    writer.close()


def test_a_transaction_takes_the_lock_when_it_begins(path):
    writer, other = connection.open_writer(path), connection.open_control(path)
    other.set_busy_timeout(1)

    with connection.immediate(writer), pytest.raises(apsw.BusyError), connection.immediate(other):
        pass
    writer.close()
    other.close()


def test_a_transaction_that_fails_leaves_nothing_and_the_connection_usable(path):
    db = connection.open_control(path)

    with pytest.raises(ZeroDivisionError), connection.immediate(db):
        db.execute("INSERT INTO t VALUES (1)")
        raise ZeroDivisionError

    with connection.immediate(db):
        db.execute("INSERT INTO t VALUES (2)")
    assert db.execute("SELECT a FROM t").fetchall() == [(2,)]
    db.close()


def test_a_thread_that_waits_for_the_lock_does_not_stop_the_one_that_has_it(path):
    first, second = connection.open_control(path), connection.open_control(path)
    waiting = threading.Event()

    def wait_for_the_lock() -> None:
        waiting.set()
        with connection.immediate(second):
            second.execute("INSERT INTO t VALUES (2)")

    with connection.immediate(first):
        thread = threading.Thread(target=wait_for_the_lock)
        thread.start()
        assert waiting.wait(5)
        for value in range(200):  # needs the GIL again and again
            first.execute("INSERT INTO t VALUES (?)", (value,))
    thread.join(timeout=connection.BUSY_TIMEOUT_MS / 1000)

    assert first.execute("SELECT count(*) FROM t").get == 201
    first.close()
    second.close()


def test_text_in_double_quotes_is_an_error_not_a_string(path):
    db = connection.open_control(path)

    with pytest.raises(apsw.SQLError):
        db.execute('INSERT INTO t VALUES ("oops")')
    db.close()


def test_a_missing_database_is_a_clear_error(tmp_path):
    with pytest.raises(StorageError, match="cannot open the database"):
        connection.open_reader(tmp_path / "nowhere" / "bloop.db")
