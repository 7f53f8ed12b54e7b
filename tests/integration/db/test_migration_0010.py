"""What was counted before categories stays what it was: events. Browsers stay signed in."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bloop.base.outcomes import Category, Outcome
from bloop.db import connection, migrate
from bloop.ledger.read import outcomes_since, totals
from bloop.pipeline import ring_state


def test_counts_accounts_of_rings_and_sign_ins_survive(tmp_path: Path) -> None:
    path, shipped = tmp_path / "old.db", migrate.shipped()
    migrate.migrate(path, 1, shipped[:9])
    with contextlib.closing(connection.open_control(path)) as db:
        db.execute("INSERT INTO ledger VALUES (60000, 1, 1, 7), (60000, 1, 2, 6), (120000, 0, 7, 1)")
        db.execute("INSERT INTO ledger_totals VALUES (1, 1, 70), (1, 2, 60), (0, 7, 10)")
        db.execute("INSERT INTO ring_cells VALUES (77, 0, 1, 1, 70), (77, 3, 0, 7, 10)")
        db.execute("INSERT INTO sessions (token, user_id, created_at, expires_at) VALUES ('hash', NULL, 1, 9)")

    migrate.migrate(path, 2, shipped[:10])

    with contextlib.closing(connection.open_reader(path)) as db:
        assert outcomes_since(db, [1], 0) == {Outcome.RECEIVED: 7, Outcome.STORED: 6}
        assert totals(db, [0, 1]) == {Outcome.RECEIVED: 70, Outcome.STORED: 60, Outcome.UNKNOWN_KEY: 10}
        assert totals(db, [0, 1], category=Category.SESSION) == {}
        assert ring_state.cells(db, 77) == {
            (0, 1, Category.EVENT, Outcome.RECEIVED): 70,
            (3, 0, Category.EVENT, Outcome.UNKNOWN_KEY): 10,
        }
        assert list(db.execute("SELECT token, expires_at FROM sign_ins")) == [("hash", 9)]
        indexes = [
            row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE tbl_name = 'sign_ins' AND sql > ''")
        ]
        assert sorted(indexes) == ["sign_ins", "sign_ins_by_expiry", "sign_ins_by_user"]
