"""UNDO-1 to UNDO-6, CHANGE-1 and CHANGE-2: changes of issues are undone exactly, on real SQLite files."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop.accounts.people.read import find_user
from bloop.base.clock import DAY_MS
from bloop.db import connection
from bloop.db.engine import Db
from bloop.db.pool import DatabasePool
from bloop.issues.deletion.store import delete_issues
from bloop.issues.status import read as trail
from bloop.issues.status.audit import Actor
from bloop.issues.status.changes import Assignment, ChangedIssues, IssueChange, Transact, change_issues, in_slices
from bloop.issues.status.choices import StatusChoice
from bloop.issues.status.model import Status
from bloop.issues.status.mutes import Mute
from bloop.issues.status.regression import Resolution
from bloop.issues.status.words import sentence, who
from bloop.issues.undo import read, store
from bloop.issues.undo.actions import find_parts, undo_parts
from bloop.issues.undo.model import PART_ISSUES_MAX, UndoResult
from tests.integration.retention.cleaning import clean
from tests.seed import NOW_MS, Seed, many_issues

ADA, BOB = Actor("u-ada", "dashboard"), Actor("u-bob", "api")
STATE = """
SELECT id, status, resolved_at_ms, resolved_in_release, resolved_in_next, is_firing, muted_at_ms, muted_until_ms,
       muted_events, muted_per_hour, muted_progress, assignee, times_regressed
  FROM issues ORDER BY id
"""
RESOLVE = StatusChoice(Status.RESOLVED)
IGNORE = StatusChoice(Status.IGNORED)
MUTE = StatusChoice(Status.MUTED, mute=Mute(events=100))
REOPEN = StatusChoice(Status.UNRESOLVED)


@pytest.fixture
def shop(seed: Seed) -> int:
    for name in ("ada", "bob"):
        user = seed.user(name)
        seed.db.execute("UPDATE webauthn_users SET id = ? WHERE id = ?", (f"u-{name}", user))
    return seed.project("shop")


def transact(db: Db) -> Transact:
    def run(action: Callable[[Db], Any], /) -> Any:
        with connection.immediate(db):  # type: ignore[arg-type]
            return action(db)

    return run


def change(seed: Seed, ids: Sequence[int], what: IssueChange, *, at_ms: int = NOW_MS, by: Actor = ADA) -> str:
    changed: ChangedIssues = transact(seed.db)(lambda db: change_issues(db, ids, what, actor=by, now_ms=at_ms))
    return changed.undo_id


def undo(seed: Seed, undo_id: str, *, at_ms: int = NOW_MS + 1, by: Actor = BOB) -> UndoResult:
    project_ids = [row[0] for row in seed.rows("SELECT id FROM projects")]
    parts = find_parts(seed.db, undo_id, project_ids)
    return undo_parts(transact(seed.db), parts, actor=by, now_ms=at_ms)


def person(seed: Seed, name: str) -> Assignment:
    return Assignment(find_user(seed.db, name))


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("what", [RESOLVE, IGNORE, MUTE, REOPEN], ids=lambda choice: choice.status.value)
def test_an_undo_puts_back_whatever_was_there(seed: Seed, shop: int, status: Status, what: StatusChoice) -> None:
    issue = seed.issue(shop, "a", status=status, muted_events=7, muted_progress="3", muted_at_ms=5, is_firing=0)
    seed.db.execute(
        "UPDATE issues SET resolved_at_ms = 4, resolved_in_release = '1.2', resolved_in_next = 1, times_regressed = 2,"
        " is_firing = 1, assignee = 'u-bob'"
    )
    before, counts = seed.rows(STATE), seed.rows("SELECT * FROM status_counts WHERE issue_count > 0")

    result = undo(seed, change(seed, [issue], what))

    assert seed.rows(STATE) == before
    assert seed.rows("SELECT * FROM status_counts WHERE issue_count > 0") == counts
    assert seed.rows("SELECT issue_count FROM firing_counts") == [(1,)]
    assert seed.rows("SELECT status FROM aggregates") == [(status.value,)]
    assert (result.undone, result.skipped_count, result.short_id) == (1, 0, "SHOP-1")


def test_an_undo_is_in_the_history_and_can_be_undone(seed: Seed, shop: int) -> None:
    issue = seed.issue(shop, "a")

    resolving = change(seed, [issue], StatusChoice(Status.RESOLVED, Resolution("1.4")))
    undone = undo(seed, resolving)
    assert undone.undo_id is not None
    again = undo(seed, undone.undo_id, by=ADA)

    assert seed.rows("SELECT status, resolved_in_release FROM issues") == [("resolved", "1.4")]
    lines = trail.history(seed.db, [issue])
    assert [(str(sentence(line)), who(line)) for line in lines] == [
        ("Undid: undo by Bob", "Ada"),
        ("Undid: resolved by Ada", "Bob"),
        ("Resolved in 1.4", "Ada"),
    ]
    assert [line.undo_id for line in lines] == [again.undo_id, None, None]  # only the newest can be undone
    assert [(line.old_status, line.new_status) for line in lines[:2]] == [
        ("unresolved", "resolved"),
        ("resolved", "unresolved"),
    ]


def test_an_undo_sends_signals_and_never_that_an_issue_regressed(seed: Seed, shop: int) -> None:
    issue = seed.issue(shop, "a", status="regressed")

    undo(seed, change(seed, [issue], RESOLVE))
    undo(seed, change(seed, [issue], person(seed, "ada")))

    assert seed.rows("SELECT status, times_regressed FROM issues") == [("regressed", 0)]
    kinds = [kind for (kind,) in seed.rows("SELECT kind FROM signals ORDER BY id")]
    assert kinds == ["issue.resolved", "issue.unresolved", "issue.assigned", "issue.assigned"]
    assert seed.value("SELECT data ->> 'username' FROM signals ORDER BY id DESC") is None


def test_issues_that_changed_since_are_skipped_and_named(seed: Seed, shop: int) -> None:
    first, second, third, fourth = (seed.issue(shop, name) for name in "abcd")
    undo_id = change(seed, [first, second, third, fourth], RESOLVE)

    change(seed, [second], RESOLVE, by=BOB)  # nothing differs, and yet it is what bob wants now
    change(seed, [third], person(seed, "ada"))
    with connection.immediate(seed.db):
        delete_issues(seed.db, [fourth])
    result = undo(seed, undo_id)

    assert seed.rows("SELECT status FROM issues WHERE project_id > 0 ORDER BY id") == [
        ("unresolved",),
        ("resolved",),
        ("resolved",),
    ]
    assert result.undone == 1
    assert [(issue.short_id, issue.reason) for issue in result.skipped] == [
        ("SHOP-2", "changed since"),
        ("SHOP-3", "changed since"),
        ("", "deleted"),
    ]


def test_an_undo_sent_again_does_nothing(seed: Seed, shop: int) -> None:
    undo_id = change(seed, [seed.issue(shop, "a")], RESOLVE)
    undo(seed, undo_id)

    again = undo(seed, undo_id)

    assert (again.undone, again.skipped_count, again.undo_id) == (0, 1, None)
    assert seed.value("SELECT count(*) FROM status_changes") == 2


def test_an_assignment_to_an_account_that_is_gone_stays_as_it_is(seed: Seed, shop: int) -> None:
    issue = seed.issue(shop, "a", assignee="u-bob")
    undo_id = change(seed, [issue], person(seed, "ada"))
    seed.db.execute("DELETE FROM webauthn_users WHERE id = 'u-bob'")

    result = undo(seed, undo_id)

    assert [issue.reason for issue in result.skipped] == ["the account it was assigned to is removed"]
    assert seed.rows("SELECT assignee FROM issues") == [("u-ada",)]


def test_two_thousand_issues_of_two_projects_are_undone_exactly(seed: Seed, shop: int) -> None:
    other = seed.project("blog")
    many_issues(seed, shop, 1500)
    many_issues(seed, other, 500)
    seed.db.execute("UPDATE issues SET status = 'muted', muted_until_ms = id * 1000 WHERE id % 7 = 0")
    seed.db.execute("UPDATE issues SET assignee = 'u-bob' WHERE id % 5 = 0")
    counters = [STATE, "SELECT * FROM status_counts WHERE issue_count > 0", "SELECT id, status FROM aggregates"]
    before = [seed.rows(statement) for statement in counters]
    ids = [row[0] for row in seed.rows("SELECT id FROM issues ORDER BY id")]

    def resolve(db: Db, part: Sequence[int]) -> None:
        change_issues(db, part, RESOLVE, actor=ADA, now_ms=NOW_MS, undo_id="one-for-all")

    rests: list[float] = []
    for _ in in_slices(transact(seed.db), ids, resolve, rest=rests.append):
        pass
    assert seed.rows("SELECT DISTINCT status FROM issues") == [("resolved",)]
    result = undo(seed, "one-for-all")

    assert [seed.rows(statement) for statement in counters] == before
    assert (result.undone, result.skipped_count, result.short_id) == (2000, 0, "")
    assert len(rests) == 2000 // PART_ISSUES_MAX - 1
    assert max(count for (count,) in seed.rows("SELECT issue_count FROM undo_parts")) == PART_ISSUES_MAX


def test_an_undo_reaches_only_the_projects_that_one_sees(seed: Seed, shop: int) -> None:
    other = seed.project("blog")
    ids = [seed.issue(project, "a") for project in (shop, other)]
    undo_id = change(seed, ids, RESOLVE)

    undo_parts(transact(seed.db), find_parts(seed.db, undo_id, [shop]), actor=BOB, now_ms=NOW_MS)

    assert seed.rows("SELECT project_id, status FROM issues ORDER BY id") == [
        (shop, "unresolved"),
        (other, "resolved"),
    ]


def test_the_newest_of_each_project_are_kept_and_a_change_goes_whole(
    seed: Seed, shop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PARTS_KEPT", 3)
    monkeypatch.setattr(store, "PART_ISSUES_MAX", 2)
    three = [seed.issue(shop, name) for name in "abc"]
    other = seed.issue(seed.project("blog"), "a")

    elsewhere = change(seed, [other], RESOLVE, at_ms=NOW_MS)
    made = [change(seed, three, RESOLVE, at_ms=NOW_MS + n) for n in range(1, 4)]  # two parts each

    kept = {undo_id for (undo_id,) in seed.rows("SELECT undo_id FROM undo_parts")}
    assert kept == {made[2], elsewhere}
    assert [line.undo_id for line in trail.history(seed.db, three[:1])] == [made[2], None, None]


@pytest.mark.parametrize("racers", range(3))
def test_people_who_race_leave_a_history_without_gaps(seed: Seed, shop: int, racers: int) -> None:
    issue = seed.issue(shop, "a")
    undo_id = change(seed, [issue], RESOLVE)
    start = threading.Barrier(2)
    results: list[UndoResult] = []

    def run(do: Callable[[DatabasePool], None]) -> None:
        pool = DatabasePool(seed.path, pool_size=1, query_timeout_ms=5000)
        start.wait()
        do(pool)
        pool.close()

    def ignore(pool: DatabasePool) -> None:
        pool.change(lambda db: change_issues(db, [issue], IGNORE, actor=ADA, now_ms=NOW_MS + 1))

    def take_back(pool: DatabasePool) -> None:
        with pool.reader() as db:
            parts = find_parts(db, undo_id, [shop])
        results.append(undo_parts(pool.change, parts, actor=BOB, now_ms=NOW_MS + 1))

    threads = [threading.Thread(target=run, args=(do,)) for do in (ignore, take_back)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    lines = trail.history(seed.db, [issue])[::-1]
    assert seed.rows("SELECT status FROM issues") == [("ignored",)]  # in either order
    assert [line.old_status for line in lines[1:]] == [line.new_status for line in lines[:-1]]
    assert len(lines) == 2 + results[0].undone


# Whatever people do in whatever order ---------------------------------------------------------------------------------

CHANGES = st.one_of(
    st.tuples(
        st.just("change"), st.sets(st.integers(0, 3), min_size=1), st.sampled_from([RESOLVE, IGNORE, MUTE, REOPEN])
    ),
    st.tuples(st.just("assign"), st.sets(st.integers(0, 3), min_size=1), st.sampled_from(["ada", "bob", ""])),
    st.tuples(st.just("event"), st.sets(st.integers(0, 3), min_size=1, max_size=1), st.none()),
    st.tuples(st.just("undo"), st.just(frozenset[int]()), st.integers(0, 30)),
)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    made = Seed(tmp_path_factory.mktemp("played") / "bloop.db")
    for name in ("ada", "bob"):
        user = made.user(name)
        made.db.execute("UPDATE webauthn_users SET id = ? WHERE id = ?", (f"u-{name}", user))
    project = made.project("shop")
    for name in "abcd":
        made.issue(project, name)
    yield made
    made.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(CHANGES, max_size=12))
def test_an_undo_is_the_former_state_of_what_did_not_change_since(played: Seed, plan: list[Any]) -> None:
    ids = [row[0] for row in played.rows("SELECT id FROM issues ORDER BY id")]
    versions = dict.fromkeys(ids, 0)
    done: list[tuple[str, dict[int, tuple[int, tuple[Any, ...]]]]] = []  # undo_id, issue → version after, state before

    def states() -> dict[int, tuple[Any, ...]]:
        return {row[0]: row[1:] for row in played.rows(STATE)}

    for number, (kind, chosen, what) in enumerate(plan):
        touched, before, at_ms = [ids[n] for n in sorted(chosen)], states(), NOW_MS + number
        if kind == "event":  # of an old release: no line in the history, so no change
            played.db.execute("UPDATE issues SET is_firing = 1 WHERE id = ? AND status = 'resolved'", (touched[0],))
            continue
        if kind == "undo":
            if not done:
                continue
            undo_id, of = done[what % len(done)]
            expected = before | {i: state for i, (version, state) in of.items() if versions[i] == version}
            touched = [i for i, (version, _) in of.items() if versions[i] == version]
            new_id = undo(played, undo_id, at_ms=at_ms).undo_id
            assert states() == expected
            assert (new_id is None) == (not touched)
            undo_id = new_id or ""
        else:
            change_ = what if kind == "change" else person(played, what) if what else Assignment(None)
            undo_id = change(played, touched, change_, at_ms=at_ms)
        for issue_id in touched:
            versions[issue_id] += 1
        if touched:
            done.append((undo_id, {i: (versions[i], before[i]) for i in touched}))
    counted = dict(played.rows("SELECT status, issue_count FROM status_counts WHERE issue_count > 0"))
    assert counted == dict(played.rows("SELECT status, count(*) FROM issues GROUP BY status"))


# Kills and retention --------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from bloop.db import connection
from bloop.issues.status.audit import Actor
from bloop.issues.status.changes import change_issues, in_slices
from bloop.issues.status.choices import StatusChoice
from bloop.issues.status.model import Status

db = connection.open_control(sys.argv[1])
ids = [row[0] for row in db.execute("SELECT id FROM issues ORDER BY id")]
slices = 0

def transact(action):
    with connection.immediate(db):
        result = action(db)
        if slices == 3:
            os.kill(os.getpid(), signal.SIGKILL)  # everything of the slice is written, nothing committed
        return result

def change(db, part):
    global slices
    slices += 1
    change_issues(db, part, StatusChoice(Status.RESOLVED), actor=Actor("ada", "api"), now_ms=5, undo_id="killed")

list(in_slices(transact, ids, change, rest=lambda seconds: None))
"""


def test_a_kill_in_the_middle_leaves_whole_slices_that_can_be_undone(seed: Seed, shop: int) -> None:
    many_issues(seed, shop, 1000)
    before = seed.rows(STATE)

    ended = subprocess.run([sys.executable, "-c", KILLED, str(seed.path)], timeout=60, check=False)

    assert ended.returncode == -signal.SIGKILL
    changed = seed.rows("SELECT issue_id FROM status_changes ORDER BY issue_id")
    assert len(changed) == 2 * PART_ISSUES_MAX
    assert seed.rows("SELECT count(*), sum(issue_count) FROM undo_parts") == [(2, 2 * PART_ISSUES_MAX)]
    assert seed.value("SELECT count(*) FROM issues WHERE resolved_at_ms = 5") == 2 * PART_ISSUES_MAX
    undo_id = trail.history(seed.db, [changed[0][0]])[0].undo_id
    assert undo_id == "killed"
    assert undo(seed, undo_id).undone == 2 * PART_ISSUES_MAX
    assert seed.rows(STATE) == before


def test_a_change_that_fails_leaves_nothing_to_undo(seed: Seed, shop: int) -> None:
    issues = [seed.issue(shop, name) for name in "ab"]
    seed.db.execute("CREATE TEMP TRIGGER no AFTER INSERT ON main.undo_parts BEGIN SELECT RAISE(ABORT, 'no room'); END")

    with pytest.raises(apsw.ConstraintError, match="no room"):
        change(seed, issues, RESOLVE)

    assert seed.rows("SELECT DISTINCT status FROM issues") == [("unresolved",)]
    assert seed.rows("SELECT * FROM status_changes") == seed.rows("SELECT * FROM undo_parts") == []


def test_a_part_that_retention_removed_meanwhile_undoes_nothing(seed: Seed, shop: int) -> None:
    undo_id = change(seed, [seed.issue(shop, "a")], RESOLVE)
    parts = read.part_ids(seed.db, undo_id, [shop])
    seed.db.execute("DELETE FROM undo_parts")

    assert undo_parts(transact(seed.db), parts, actor=BOB, now_ms=NOW_MS) == UndoResult()


def test_retention_keeps_undos_for_a_week(seed: Seed, shop: int) -> None:
    issue = seed.issue(shop, "a")
    change(seed, [issue], RESOLVE, at_ms=NOW_MS - 8 * DAY_MS)
    recent = change(seed, [issue], IGNORE, at_ms=NOW_MS - 6 * DAY_MS)

    clean(seed)

    assert seed.rows("SELECT undo_id FROM undo_parts") == [(recent,)]
    with closing(connection.open_reader(seed.path)) as db:
        assert len(trail.history(db, [issue])) == 2
