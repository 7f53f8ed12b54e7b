"""DELETE-1 to DELETE-3 and CLEAN-ISSUES-1 to 3: issues deleted beside a writer, on real SQLite files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from bloop.base.clock import DAY_MS
from bloop.db import connection, migrate
from bloop.db.clean_up import CleanUpRun
from bloop.features import make_kinds
from bloop.issues.comments.store import add_comment
from bloop.issues.deletion import clean_up, store
from bloop.issues.deletion.actions import delete_ids
from bloop.issues.deletion.model import AT_ONCE_MAX, DELETED_PROJECT, Deleted
from bloop.issues.deletion.read import progress
from bloop.issues.status.audit import Actor
from bloop.pipeline.store import Store
from bloop.projects import store as projects
from bloop.records.event import Event
from bloop.records.record import EVENT_FORM, encode_event

T0 = 1_760_000_400_000
ADA = Actor("ada", "api")
# All rows below an issue. minute_counts, project_hourly_counts and releases tell of the project and stay.
BELOW = (
    "issues",
    "fingerprints",
    "events",
    "events_by_fingerprint",
    "issue_users",
    "hourly_counts",
    "fingerprint_hours",
    "aggregates",
    "status_changes",
    "issue_comments",
    "issue_search",
)


def record(fingerprint: str, *, at_ms: int = T0, **fields: object) -> tuple[int, bytes, int]:
    values = dict.fromkeys(Event.__struct_fields__) | {
        "timestamp_ms": at_ms,
        "source": "api",
        "environment": "production",
        "release": "1.0.0",
        "error_type": "TypeError",
        "message": "boom",
        "level": "error",
        "user_id_hash": "u1",
    }
    return EVENT_FORM, encode_event(1, at_ms, fingerprint, "v1", Event(**values | fields)), 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "bloop.db"
    migrate.migrate(path, T0)
    with closing(connection.open_control(path)) as db, connection.immediate(db):
        projects.ensure_default_project(db, "s" * 40, T0)
    return path


@pytest.fixture
def db(path: Path) -> Iterator[apsw.Connection]:
    with closing(connection.open_control(path)) as db:
        yield connection.sqlite(db)


@pytest.fixture
def writer(path: Path) -> Iterator[Callable[..., None]]:
    with closing(connection.open_writer(path)) as db:
        store_ = Store(db, 7, make_kinds(db))

        def put(*records: tuple[int, bytes, int], settle: bool = True) -> None:
            store_.store(records, {}, (), now_ms=T0, settle=settle)

        yield put


def rows(db: apsw.Connection, sql: str) -> list[tuple[object, ...]]:
    return list(db.execute(sql))


def counted(db: apsw.Connection) -> list[tuple[object, ...]]:
    return rows(db, "SELECT fingerprint, event_count, user_count FROM issues WHERE project_id > 0 ORDER BY 1")


def below(db: apsw.Connection) -> dict[str, int]:
    return {table: int(db.execute(f"SELECT count(*) FROM {table}").get) for table in BELOW}


def ids_of(db: apsw.Connection, *fingerprints: str) -> list[int]:
    return [
        int(db.execute("SELECT id FROM issues WHERE project_id > 0 AND fingerprint = ?", (name,)).get)
        for name in fingerprints
    ]


def discard(db: apsw.Connection, issue_ids: Sequence[int]) -> Deleted:
    with connection.immediate(db):
        return store.delete_issues(db, issue_ids)


class EveryPart:
    is_over = True


def clean(db: apsw.Connection, *, steps_max: int = 100_000, unseen: dict[int, int] | None = None) -> tuple[int, int]:
    """Clean up in the smallest steps; how many issues and events were counted as deleted."""
    deleted = [0, 0]

    @contextmanager
    def step() -> Iterator[EveryPart]:
        with connection.immediate(db):
            yield EveryPart()

    def add(issues: int, events: int) -> None:
        deleted[0] += issues
        deleted[1] += events

    run = CleanUpRun(db=db, step=step, rest_s=lambda: 0.0, add_deleted=add, issues_before_ms=unseen or {})
    for number, _ in enumerate(clean_up.work(run), 1):
        if number == steps_max:
            break
    return deleted[0], deleted[1]


def test_a_deleted_issue_is_gone_at_once_and_its_next_event_makes_a_new_one(writer, db):
    writer(record("aa"), record("aa"), record("bb"))
    (deleted_id,) = ids_of(db, "aa")

    assert discard(db, [deleted_id]) == Deleted(1, 2)
    assert counted(db) == [("bb", 1, 1)]
    assert rows(db, "SELECT * FROM status_counts") == [(1, "unresolved", 1)]
    writer(record("aa"))

    assert counted(db) == [("aa", 1, 1), ("bb", 1, 1)]
    assert ids_of(db, "aa")[0] > deleted_id
    assert rows(db, "SELECT short_number FROM issues WHERE project_id > 0 ORDER BY 1") == [(2,), (3,)]
    assert clean(db) == (1, 2)
    assert counted(db) == [("aa", 1, 1), ("bb", 1, 1)]
    assert discard(db, [deleted_id]) == Deleted(0, 0)


def test_everything_below_a_deleted_issue_goes_also_its_samples(writer, db):
    for number in range(30):
        writer(*(record("aa", release=f"1.{number}", user_id_hash=f"u{number}") for _ in range(10)))
    with connection.immediate(db):
        db.execute("UPDATE issues SET status = 'resolved'")
        db.execute("UPDATE issues SET is_firing = 1")
        for number in range(100):
            add_comment(db, *ids_of(db, "aa"), f"comment {number}", actor=ADA, now_ms=T0)

    discard(db, ids_of(db, "aa"))
    assert rows(db, "SELECT * FROM firing_counts WHERE issue_count <> 0") == []
    assert clean(db) == (1, 300)

    assert set(below(db).values()) == {0}
    assert rows(db, "SELECT * FROM status_counts WHERE issue_count <> 0") == []
    assert rows(db, "SELECT sum(event_count) FROM project_hourly_counts") == [(300,)]
    assert progress(db) == (0, 0)


def test_events_that_are_not_counted_yet_are_never_revived(writer, db):
    writer(record("aa"), record("bb"), record("cc"))
    writer(*[record("cc")] * 3, record("bb"), settle=False)

    discard(db, ids_of(db, "cc"))
    clean(db)  # its fingerprint, the newest, is gone before its events are counted
    writer(record("dd"), settle=False)  # a new fingerprint, which must not get the id of the deleted one
    writer(record("cc"))

    assert counted(db) == [("aa", 1, 1), ("bb", 2, 1), ("cc", 1, 1), ("dd", 1, 1)]
    assert below(db)["events"] == below(db)["events_by_fingerprint"] == 5


def test_a_writer_that_starts_again_leaves_uncounted_events_of_a_deleted_issue_out(path, writer, db):
    writer(record("aa"), record("bb"))
    writer(record("aa"), record("bb"), settle=False)
    discard(db, ids_of(db, "bb"))

    with closing(connection.open_writer(path)) as again:
        Store(again, 7, make_kinds(again)).store([], {}, (), now_ms=T0)
    clean(db)

    assert counted(db) == [("aa", 2, 1)]
    assert below(db)["events"] == 2


def test_a_clean_up_stopped_after_any_step_continues_and_counts_once(writer, db):
    for number in range(40):
        writer(*[record(f"a{number:02}", release=f"1.{n}") for n in range(5)])
    discard(db, rows_of_ids(db))

    issues = events = 0
    for _ in range(1000):
        done = clean(db, steps_max=1)
        issues, events = issues + done[0], events + done[1]
        if not progress(db).purging:
            break

    assert (issues, events) == (40, 200)
    assert set(below(db).values()) == {0}


def rows_of_ids(db: apsw.Connection) -> list[int]:
    return [row[0] for row in db.execute("SELECT id FROM issues WHERE project_id > 0 ORDER BY id")]


def test_a_long_list_is_enqueued_and_discarded_in_the_background(writer, db):
    count = AT_ONCE_MAX + 50
    writer(*(record(f"{number:04x}") for number in range(count)), record("ffff"))
    kept = ids_of(db, "ffff")
    going = [issue_id for issue_id in rows_of_ids(db) if issue_id not in kept]

    def change(action):
        with connection.immediate(db):
            return action(db)

    deletion = delete_ids(change, going, "is:open", project_id=1, actor=ADA, now_ms=T0)
    again = delete_ids(change, going, "is:open", project_id=1, actor=ADA, now_ms=T0)

    assert (deletion.deleted, deletion.is_waiting) == (Deleted(count, count), True)
    assert again.deleted == Deleted(0, 0)
    assert progress(db) == (count, 0)
    assert clean(db) == (count, count)
    assert counted(db) == [("ffff", 1, 1)]
    assert progress(db) == (0, 0)
    assert rows(db, "SELECT deleted_by, deleted_via, project_id, subject, issue_count FROM issue_deletions") == [
        ("ada", "api", 1, "is:open", count)
    ]


def test_issues_not_seen_for_long_go_and_assigned_ones_stay(writer, db):
    writer(record("old"), record("assigned"), record("new", at_ms=T0 + DAY_MS))
    with connection.immediate(db):
        db.execute("INSERT INTO webauthn_users VALUES ('u1', 'ada', 'Ada', 1, 0)")
        db.execute("UPDATE issues SET assignee = 'u1' WHERE fingerprint = 'assigned'")

    assert clean(db, unseen={1: T0}) == (0, 0)
    assert clean(db, unseen={2: T0 + DAY_MS}) == (0, 0)
    assert clean(db, unseen={1: T0 + DAY_MS}) == (1, 1)

    assert [row[0] for row in counted(db)] == ["assigned", "new"]


def test_the_project_of_deleted_issues_is_no_project(writer, db):
    writer(record("aa"))
    discard(db, ids_of(db, "aa"))

    assert rows(db, "SELECT count(*) FROM projects WHERE deleted_at_ms IS NULL") == [(1,)]
    assert rows(db, f"SELECT deleted_at_ms, purged_at_ms FROM projects WHERE id = {DELETED_PROJECT}") == [(0, 0)]
