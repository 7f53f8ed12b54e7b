"""`bloop issue`: what it prints, what it changes, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import apsw
import pytest

from bloop.accounts.people.store import create_user
from bloop.base import clock, config
from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.db import connection, word_search
from bloop.records import event_record
from bloop.records.dictionary import shipped
from bloop.records.event import Event
from tests.integration.cli.conftest import Run

_INSERT = """
INSERT INTO issues (project_id, fingerprint, fingerprint_algorithm, short_number, status, error_type, message, source,
                    event_count, first_seen_ms, last_seen_ms, first_release, last_release)
VALUES (1, :fingerprint, 'v1', :number, :status, 'TypeError', :message, 'api', 3, :now_ms, :now_ms, '1.0', '1.4.2')
"""
STATE = (
    "SELECT status, resolved_in_release, resolved_in_next, muted_events, muted_per_hour FROM issues ORDER BY id LIMIT 1"
)


@pytest.fixture
def db(database: config.Settings) -> Iterator[apsw.Connection]:
    """Two open issues, a resolved one, a release and an account."""
    with closing(connection.open_control(database.database_path)) as db:
        for number, status in enumerate(("unresolved", "unresolved", "resolved"), 1):
            row = {"fingerprint": f"f{number}", "number": number, "status": status, "now_ms": clock.now_ms()}
            db.execute(_INSERT, row | {"message": f"message {number}\x1b[31m red"})
        word_search.index(db, [1, 2, 3])
        db.execute("INSERT INTO releases VALUES (1, '1.4.2', 'production', 1, 1, 1)")
        create_user(db, username="ada", now_ms=1, user_id="u1")
        yield db


def state(db: apsw.Connection) -> tuple[Any, ...]:
    return tuple(db.execute(STATE).fetchone() or ())


def test_list_shows_open_issues_and_finds_what_is_asked_for(run: Run, db: apsw.Connection) -> None:
    listed = run("issue", "list").stdout

    assert listed.splitlines()[0].split() == ["ID", "STATUS", "EVENTS", "USERS", "LAST", "SEEN", "ASSIGNED", "TITLE"]
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["DEFAULT-2", "DEFAULT-1"]
    assert "\x1b" not in listed
    assert "message 2<U+001B>[31m red" in listed
    rows = json.loads(run("issue", "list", "is:resolved", "message", "--json").stdout)
    assert [(row["id"], row["status"], row["event_count"]) for row in rows] == [("DEFAULT-3", "resolved", 3)]
    refused = run("issue", "list", "is:closed")
    assert (refused.exit_code, "Try open, unresolved" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["resolve"], ("resolved", None, 0, None, None)),
        (["resolve", "--in", "1.4.3"], ("resolved", "1.4.3", 0, None, None)),
        (["resolve", "--next"], ("resolved", "1.4.2", 1, None, None)),
        (["ignore"], ("ignored", None, 0, None, None)),
        (["mute"], ("muted", None, 0, None, None)),
        (["mute", "--events", "100"], ("muted", None, 0, 100, None)),
        (["mute", "--per-hour", "10"], ("muted", None, 0, None, 10)),
        (["unresolve"], ("unresolved", None, 0, None, None)),
    ],
)
def test_a_status_is_set_by_short_id_and_written_down(
    run: Run, db: apsw.Connection, arguments: list[str], expected: tuple[Any, ...]
) -> None:
    done = run("issue", arguments[0], "default-1", "f2", *arguments[1:])

    assert (done.exit_code, done.stderr) == (0, f"DEFAULT-1, DEFAULT-2: {expected[0]}\n")
    assert state(db) == expected
    trail = db.execute("SELECT issue_id, changed_by, changed_via FROM status_changes").fetchall()
    assert trail == [(1, "operator", "cli"), (2, "operator", "cli")]


@pytest.mark.parametrize(("span", "span_ms"), [("30m", HOUR_MS // 2), ("2h", 2 * HOUR_MS), ("2w", 14 * DAY_MS)])
def test_a_mute_lasts_as_long_as_it_is_told(run: Run, db: apsw.Connection, span: str, span_ms: int) -> None:
    before_ms = clock.now_ms()

    assert run("issue", "mute", "f1", "--for", span).exit_code == 0
    until_ms = db.execute("SELECT muted_until_ms FROM issues WHERE id = 1").get
    assert isinstance(until_ms, int)
    assert before_ms + span_ms <= until_ms <= clock.now_ms() + span_ms


def test_a_mute_until_a_time_takes_it_for_utc(run: Run, db: apsw.Connection) -> None:
    run("issue", "mute", "f1", "--until", "2030-01-18T12:00")

    assert db.execute("SELECT muted_until_ms FROM issues WHERE id = 1").get == 1_894_968_000_000


def test_somebody_is_made_to_look_after_an_issue_and_nobody_again(run: Run, db: apsw.Connection) -> None:
    assert run("issue", "assign", "f1", "f2", "--to", "ada").stderr == "DEFAULT-1, DEFAULT-2: assigned to ada\n"
    assert db.execute("SELECT assignee FROM issues").fetchall() == [("u1",), ("u1",), (None,)]
    assert "ada" in run("issue", "list", "assigned:ada").stdout

    run("issue", "assign", "f1", "--nobody")

    assert db.execute("SELECT assignee FROM issues WHERE id = 1").get is None


STACK = """TypeError: x is undefined
    at total (/srv/shop/cart.js:41:7)
    at render (/srv/shop/node_modules/react/index.js:3:4)"""


def store_event(db: apsw.Connection, **fields: Any) -> None:
    """An event of the first issue, as the writer stores it."""
    now_ms = clock.now_ms()
    defaults = dict.fromkeys(Event.__struct_fields__) | {
        "timestamp_ms": now_ms,
        "source": "api",
        "environment": "production",
        "release": "1.4.2",
        "level": "error",
        "error_type": "TypeError",
        "message": "message 1",
    }
    record = event_record.encode(1, now_ms, "f1", "v1", Event(**defaults | fields), shipped())
    db.execute("INSERT INTO fingerprints VALUES (9, 1, 0, 'f1', 'v1', 1) ON CONFLICT DO NOTHING")
    db.execute(
        "INSERT INTO events (fingerprint_id, timestamp_ms, received_at_ms, dims_id, body) VALUES (9, ?, ?, 0, ?)",
        (now_ms, now_ms, event_record.with_dims(record)),
    )
    db.execute(
        "INSERT INTO events_by_fingerprint (fingerprint_id, timestamp_ms, event_id)"
        " SELECT fingerprint_id, timestamp_ms, id FROM events WHERE id = ?",
        (db.last_insert_rowid(),),
    )


def test_show_prints_the_stack_of_the_newest_event_that_has_one(run: Run, db: apsw.Connection) -> None:
    store_event(db, stack=STACK, request_id="req-1", metadata='{"plan":"pro"}', message="x\x1b[31m")
    store_event(db)
    comment = (1, "u1", "dashboard", "Two tabs.\x1b[2J\nBoth open.", clock.now_ms())
    db.execute(
        "INSERT INTO issue_comments (issue_id, author, via, text, created_at_ms) VALUES (?, ?, ?, ?, ?)", comment
    )

    shown = run("issue", "show", "DEFAULT-1").stdout
    document = json.loads(run("issue", "show", "DEFAULT-1", "--json").stdout)

    assert "the newest event with a stack trace" in shown
    assert "    total  /srv/shop/cart.js:41:7" in shown
    assert "  . render  /srv/shop/node_modules/react/index.js:3:4" in shown
    assert "request:      req-1" in shown
    assert '"plan": "pro"' in shown
    assert "  Two tabs.<U+001B>[2J\n  Both open." in shown
    assert "\x1b" not in shown
    assert (document["event"]["request_id"], document["event"]["stack"]) == ("req-1", STACK)
    assert [comment["author_name"] for comment in document["comments"]] == ["ada"]


def test_show_bounds_what_it_prints_and_says_so(run: Run, db: apsw.Connection) -> None:
    store_event(db, stack="\n".join(["no frames here"] * 500), metadata=json.dumps({f"k{n}": n for n in range(100)}))

    shown = run("issue", "show", "DEFAULT-1").stdout

    assert "… 440 more lines" in shown
    assert "… 62 more lines" in shown


def test_show_of_an_issue_without_events_says_that_they_expired(run: Run, db: apsw.Connection) -> None:
    assert "Its events have expired" in run("issue", "show", "DEFAULT-1").stdout
    assert json.loads(run("issue", "show", "DEFAULT-1", "--json").stdout)["event"] is None


def test_show_says_how_it_stands_and_what_was_done(run: Run, db: apsw.Connection) -> None:
    run("issue", "mute", "f1", "--events", "5")
    run("issue", "resolve", "f1", "--next")

    shown = run("issue", "show", "DEFAULT-1").stdout
    as_json = json.loads(run("issue", "show", "f1", "--json").stdout)

    assert "resolved in the release after 1.4.2" in shown
    assert "Muted until 5 events more by operator (on the command line)" in shown
    assert "\x1b" not in shown
    assert [one["text"] for one in as_json["history"]] == [
        "Resolved in the release after 1.4.2",
        "Muted until 5 events more",
    ]
    assert (as_json["resolved_in_next_release"], as_json["muted_events"]) == (True, None)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["resolve", "f1", "nope", "SHOP-9"], 1, "issue nope, SHOP-9 not found"),
        (["resolve", "f1", "--project", "nope"], 1, "project 'nope' not found"),
        (["resolve", "f1", "--in", "1", "--next"], 2, "use either --in or --next"),
        (["mute", "f1", "--for", "1h", "--events", "5"], 2, "only one of"),
        (["mute", "f1", "--for", "soon"], 2, "'soon' is not a duration such as 30m"),
        (["mute", "f1", "--for", "9999w"], 2, "is not a duration such as"),
        (["mute", "f1", "--until", "2020-01-01"], 2, "is not in the future"),
        (["mute", "f1", "--until", "9999-12-31T23:59"], 2, "more than ten years ahead"),
        (["mute", "f1", "--until", "later"], 2, "'later' is not a time such as 2026-01-18T12:00"),
        (["mute", "f1", "--events", "0"], 2, "Invalid value for '--events'"),
        (["assign", "f1"], 2, "use either --to NAME or --nobody"),
        (["assign", "f1", "--to", "ada", "--nobody"], 2, "use either --to NAME or --nobody"),
        (["assign", "f1", "--to", "grace"], 1, "account 'grace' not found (accounts: ada)"),
        (["show", "nope"], 1, "issue nope not found"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    run: Run, db: apsw.Connection, arguments: list[str], code: int, said: str
) -> None:
    done = run("issue", *arguments)

    assert done.exit_code == code
    assert said in done.stderr
    assert state(db) == ("unresolved", None, 0, None, None)
    assert db.execute("SELECT * FROM status_changes").fetchall() == []


def titles(db: apsw.Connection) -> list[Any]:
    return [row[0] for row in db.execute("SELECT fingerprint FROM issues WHERE project_id > 0 ORDER BY id")]


def test_issues_are_deleted_by_name_and_by_search_after_a_yes(run: Run, db: apsw.Connection) -> None:
    assert run("issue", "delete", "f1").exit_code == 1
    assert titles(db) == ["f1", "f2", "f3"]

    assert run("issue", "delete", "f1", "--yes").stdout == "1 issue deleted, 3 events\n"
    matching = ("issue", "delete", "--all-matching", "is:resolved", "--project", "default", "--yes", "--json")
    assert json.loads(run(*matching).stdout) == {"deleted": 1, "events": 3}
    assert json.loads(run(*matching).stdout) == {"deleted": 0, "events": 0}

    assert titles(db) == ["f2"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "name issues, or use --all-matching"),
        (("f1", "--all-matching", "is:open", "--project", "default"), 2, "name issues, or use --all-matching"),
        (("--all-matching", "is:open"), 2, "--all-matching needs --project"),
        (("--all-matching", "is:closed", "--project", "default"), 1, "Try open, unresolved"),
        (("nope",), 1, "issue nope not found"),
    ],
)
def test_a_deletion_that_is_unclear_deletes_nothing(
    run: Run, db: apsw.Connection, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run("issue", "delete", *arguments, "--yes")

    assert (done.exit_code, said in done.stderr) == (code, True)
    assert titles(db) == ["f1", "f2", "f3"]


def undo_id(printed: str) -> str:
    """The id in `Undo with: bloop undo ID`, the last line on stdout."""
    return printed.splitlines()[-1].rpartition(" ")[2]


@pytest.mark.parametrize(
    "arguments",
    [["resolve", "--next"], ["ignore"], ["mute", "--events", "5"], ["reopen"], ["assign", "--to", "ada"]],
    ids=lambda arguments: arguments[0],
)
def test_every_change_prints_what_undoes_it(run: Run, db: apsw.Connection, arguments: list[str]) -> None:
    columns = "SELECT status, resolved_in_release, muted_events, assignee FROM issues"
    before = db.execute(columns).fetchall()

    changed = run("issue", arguments[0], "f1", "f2", "f3", *arguments[1:])
    done = run("undo", undo_id(changed.stdout))

    assert (done.exit_code, done.stderr) == (0, "3 issues: undone\n")
    assert db.execute(columns).fetchall() == before
    assert done.stdout.startswith("Redo with: bloop undo ")
    assert run("undo", undo_id(done.stdout)).exit_code == 0
    assert "(on the command line)" in run("issue", "show", "f1").stdout


def test_an_undo_names_what_it_skipped(run: Run, db: apsw.Connection) -> None:
    changed = run("issue", "resolve", "f1", "f2")
    run("issue", "mute", "f2")

    done = json.loads(run("undo", undo_id(changed.stdout), "--json").stdout)
    again = run("undo", undo_id(changed.stdout))

    assert (done["undone"], done["skipped"]) == (1, [{"id": "DEFAULT-2", "error": "changed since"}])
    assert again.exit_code == 1
    assert "bloop: nothing was undone: 2 issues were skipped: DEFAULT-1 changed since, DEFAULT-2 changed since" in (
        again.stderr
    )
    assert "this change can no longer be undone" in run("undo", "none").stderr
