"""SEEN-1 to SEEN-3: the issues that a person has not opened, or not since they regressed."""

from __future__ import annotations

import apsw
import pytest

from bloop.accounts.people.store import delete_user
from bloop.issues.seen import store
from bloop.issues.seen.read import unseen
from bloop.issues.seen.store import mark_all_seen, mark_seen
from tests.seed import NOW_MS, Seed


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop")


def regress(seed: Seed, issue_id: int, at_ms: int) -> None:
    seed.db.execute(
        "INSERT INTO status_changes (issue_id, project_id, old_status, new_status, changed_via, changed_at_ms)"
        " SELECT id, project_id, 'resolved', 'regressed', 'ingest', ? FROM issues WHERE id = ?",
        (at_ms, issue_id),
    )
    seed.db.execute("UPDATE issues SET times_regressed = times_regressed + 1 WHERE id = ?", (issue_id,))


def test_an_issue_is_unseen_until_its_person_opens_it(seed: Seed, db: apsw.Connection, shop: int) -> None:
    first, second = seed.issue(shop, "a"), seed.issue(shop, "b")
    ada, ben = seed.user("ada"), seed.user("ben")

    mark_seen(seed.db, ada, [first], NOW_MS)

    assert unseen(db, ada, [first, second]) == {second}
    assert unseen(db, ben, [first, second]) == {first, second}
    assert unseen(db, ada, []) == set()


def test_an_issue_that_regressed_since_is_unseen_again(seed: Seed, db: apsw.Connection, shop: int) -> None:
    issue, ada = seed.issue(shop, "a"), seed.user("ada")
    mark_seen(seed.db, ada, [issue], NOW_MS)
    regress(seed, issue, NOW_MS + 5)
    assert unseen(db, ada, [issue]) == {issue}

    mark_seen(seed.db, ada, [issue], NOW_MS + 6)
    assert unseen(db, ada, [issue]) == set()

    mark_seen(seed.db, ada, [issue], NOW_MS + 2)  # noted late
    assert unseen(db, ada, [issue]) == set()


def test_an_audit_line_that_changes_no_status_is_no_regression(seed: Seed, db: apsw.Connection, shop: int) -> None:
    issue, ada = seed.issue(shop, "a", status="regressed", times_regressed=1), seed.user("ada")
    mark_seen(seed.db, ada, [issue], NOW_MS)
    seed.db.execute(
        "INSERT INTO status_changes (issue_id, project_id, old_status, new_status, changed_via, action, changed_at_ms)"
        " VALUES (?, ?, 'regressed', 'regressed', 'api', 'assigned', ?)",
        (issue, shop, NOW_MS + 5),
    )

    assert unseen(db, ada, [issue]) == set()


def test_what_began_before_the_mark_is_seen(seed: Seed, db: apsw.Connection, shop: int) -> None:
    ada = seed.user("ada")
    old, new = (seed.issue(shop, name, first_seen_ms=NOW_MS + n) for n, name in enumerate("ab"))

    mark_all_seen(seed.db, ada, NOW_MS)
    mark_all_seen(seed.db, ada, NOW_MS - 9)  # a mark never falls

    assert unseen(db, ada, [old, new]) == {new}
    regress(seed, old, NOW_MS + 3)
    assert unseen(db, ada, [old, new]) == {old, new}


def test_old_rows_go_and_what_they_said_stays_true(
    seed: Seed, db: apsw.Connection, shop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "VIEWS_MAX", 5)
    monkeypatch.setattr(store, "PRUNED", 2)
    ada, ben = seed.user("ada"), seed.user("ben")
    issues = [seed.issue(shop, f"f{n}", first_seen_ms=NOW_MS - 100 + n) for n in range(8)]
    for n, issue in enumerate(issues[:7]):
        mark_seen(seed.db, ben, [issue], NOW_MS)
        mark_seen(seed.db, ada, [issue], NOW_MS - 50 + n)

    assert unseen(db, ada, issues[:7]) == set()
    counts = dict(seed.rows("SELECT user_id, count(*) FROM issue_views GROUP BY 1"))
    assert counts[ada] <= 5
    assert counts[ben] <= 5
    regress(seed, issues[0], NOW_MS + 1)
    assert unseen(db, ada, issues[:7]) == {issues[0]}


def test_only_accounts_have_marks(seed: Seed, db: apsw.Connection, shop: int) -> None:
    issue = seed.issue(shop, "a")

    assert unseen(db, "operator", [issue]) == set()
    assert unseen(db, "", [issue]) == set()


def test_the_marks_of_an_account_go_with_it(seed: Seed, shop: int) -> None:
    issue = seed.issue(shop, "a")
    seed.user("root", is_admin=True)
    ada = seed.user("ada")
    mark_seen(seed.db, ada, [issue], NOW_MS)
    mark_all_seen(seed.db, ada, NOW_MS)

    delete_user(seed.db, ada)

    assert seed.rows("SELECT * FROM issue_views") == seed.rows("SELECT * FROM issue_view_marks") == []


def test_an_issue_that_is_being_deleted_is_not_noted(seed: Seed, shop: int) -> None:
    ada = seed.user("ada")
    mark_seen(seed.db, ada, [4711], NOW_MS)

    assert seed.rows("SELECT * FROM issue_views") == []
