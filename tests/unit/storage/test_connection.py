from __future__ import annotations

import apsw
import pytest

from bloop.errors import QueryTimeout, StorageError
from bloop.storage import connection

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


def test_a_read_that_runs_too_long_is_interrupted_and_the_connection_lives_on(path):
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


def test_the_writer_syncs_every_commit_and_begins_immediate(path):
    writer, other = connection.open_writer(path), connection.open_control(path)
    other.set_busy_timeout(1)

    assert writer.pragma("synchronous") == 2  # FULL
    with writer:
        with pytest.raises(apsw.BusyError), other:
            pass  # the lock is taken at BEGIN, not at the first write
    writer.close()
    other.close()


def test_text_in_double_quotes_is_an_error_not_a_string(path):
    db = connection.open_control(path)

    with pytest.raises(apsw.SQLError):
        db.execute('INSERT INTO t VALUES ("oops")')
    db.close()


def test_a_missing_database_is_a_clear_error(tmp_path):
    with pytest.raises(StorageError, match="cannot open the database"):
        connection.open_reader(tmp_path / "nowhere" / "bloop.db")
