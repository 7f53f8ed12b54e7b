"""Searches for single events, EVENT-SEARCH-1 to EVENT-SEARCH-4 of bloop/issues/events/search.py."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import apsw
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.db import connection
from bloop.issues.deletion.store import delete_issues
from bloop.issues.events import index, walk
from bloop.issues.events.index import make_block, next_range
from bloop.issues.events.index_read import blocks
from bloop.issues.events.read import EventRow
from bloop.issues.events.search import EventMatches, find_events, resolve
from bloop.issues.events.store import mark_settled
from bloop.issues.search.terms import parse
from bloop.projects.read import project_ids
from bloop.projects.store import set_search_keys
from bloop.site.scope import Window
from tests.integration.retention.cleaning import clean, settle
from tests.seed import NOW_MS, Seed

SIZE = 8
LONG = "x" * 8192


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BLOCK_EVENTS", SIZE)
    monkeypatch.setattr(index, "JOINED_EVENTS_MAX", SIZE // 2)
    monkeypatch.setattr(walk, "ROWS_FIRST", 3)
    monkeypatch.setattr(walk, "ROWS_MOST", 5)


def make_blocks(seed: Seed, most: int = 1000) -> None:
    mark_settled(seed.db)
    for _ in range(most):
        if (ids := next_range(seed.db, NOW_MS)) is None:
            return
        assert make_block(seed.db, ids, NOW_MS)


def search(seed: Seed, text: str, projects: list[int] | None = None, **options: Any) -> EventMatches:
    projects = projects or list(project_ids(seed.db))
    with connection.snapshot(seed.db):
        return find_events(seed.db, projects, parse(text), now_ms=NOW_MS, **{"limit": 200} | options)


def ids(seed: Seed, text: str, projects: list[int] | None = None, **options: Any) -> list[int]:
    return [row.id for row in search(seed, text, projects, **options).rows]


def issues(seed: Seed, text: str, projects: list[int], window: Window | None = None) -> set[int]:
    found = resolve(seed.db, projects, parse(text), window, NOW_MS)
    assert found.is_complete
    return set(found.issue_ids)


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop")


@pytest.fixture(params=["no index", "index"])
def indexed(request: pytest.FixtureRequest) -> Callable[[Seed], None]:
    return make_blocks if request.param == "index" else lambda seed: None


FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("request:req-1", {"request_id": "req-1"}),
    ("request:0123456789abcdef0123", {"request_id": "0123456789abcdef0123"}),
    ("request:REQ-*", {"request_id": "req-1"}),
    ("user:u1", {"user_id_hash": "u1"}),
    ("device:d1", {"device_id_hash": "d1"}),
    ("event:e1", {"event_id": "e1"}),
    ("http:503", {"http_status": 503}),
    ("http:>=500", {"http_status": 65535}),
    ("http:0", {"http_status": 0}),
    ("level:fatal", {"level": "fatal"}),
    ("env:staging", {"environment": "staging"}),
    ("release:9.9", {"release": "9.9"}),
    ("source:ios", {"source": "ios"}),
    ("route:/cart*", {"route": "/cart/:id"}),
    ("message:refused", {"message": "Connection Refused"}),
    ("tag.plan:pro", {"metadata": '{"plan":"pro"}'}),
    ("tag.plan:p*", {"metadata": '{"plan":"pro"}'}),
    ("tag.n:17", {"metadata": '{"n":17}'}),
    ("tag.k19:19", {"metadata": orjson.dumps({f"k{n}": n for n in range(20)}).decode()}),
    ('tag."a key":"a \\"value\\""', {"metadata": '{"a key":"a \\"value\\""}'}),
    ("tag.long:xxxx*", {"metadata": orjson.dumps({"long": LONG}).decode()}),
    ("tag.odd:\ud800", {"metadata": '{"odd":"\ufffd"}'}),
    ("has:user", {"user_id_hash": "u1"}),
    ("has:device,event", {"event_id": "e1"}),
    ("has:stack", {"stack": "at f (x.js:1:1)"}),
    ("has:tag.plan", {"metadata": '{"plan":null}'}),
]


@pytest.mark.parametrize(("text", "fields"), FIELDS, ids=[text for text, _ in FIELDS])
def test_an_event_is_found_by_every_key(
    seed: Seed, shop: int, indexed: Callable[[Seed], None], text: str, fields: dict[str, Any]
) -> None:
    issue = seed.issue(shop, "f1")
    made = [seed.event(issue, **(fields if n in (2, 11, 17) else {})) for n in range(20)]
    indexed(seed)

    assert ids(seed, text) == [made[17], made[11], made[2]]
    assert len(ids(seed, f"-{text}")) == 17


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("declined", "b"),
        ("type:Payment*", "b"),
        ("is:resolved", "b"),
        ("is:open -project:other", "a"),
        ("project:other", "c"),
        ("assigned:nobody -project:other is:open", "a"),
        ("events:>5", "b"),
        ("first:24h -project:other", "a"),
        ("first-release:7.0", "b"),
        ("declined request:r", "b"),
        ("declined request:nope", ""),
        ("-declined request:r project:shop", "a"),
        ("zz", ""),
    ],
)
def test_terms_about_issues_hold_for_the_issue_of_the_event(
    seed: Seed, shop: int, indexed: Callable[[Seed], None], text: str, found: str
) -> None:
    made = {
        "a": seed.issue(shop, "a"),
        "b": seed.issue(shop, "b", message="card declined", error_type="PaymentError", status="resolved",
                        event_count=9, first_seen_ms=NOW_MS - 3 * DAY_MS, first_release="7.0"),
        "c": seed.issue(seed.project("other"), "c"),
    }  # fmt: skip
    events = {name: [seed.event(issue, request_id="r") for _ in range(5)] for name, issue in made.items()}
    indexed(seed)

    assert sorted(ids(seed, text)) == sorted(event for name in found for event in events[name])


def test_only_the_given_projects_are_searched(seed: Seed, shop: int, indexed: Callable[[Seed], None]) -> None:
    other = seed.project("other")
    mine, theirs = seed.issue(shop, "a"), seed.issue(other, "b")
    for _ in range(10):
        seed.event(theirs, request_id="r", http_status=500)
    own = seed.event(mine, request_id="r", http_status=500)
    indexed(seed)

    for text in ("request:r", "http:500", "", "message:message", "b"):
        assert ids(seed, text, [shop]) in ([own], [])
        assert issues(seed, f"http:500 {text}", [shop]) <= {mine}


def test_pages_meet_without_gap_or_overlap_while_events_arrive(
    seed: Seed, shop: int, indexed: Callable[[Seed], None]
) -> None:
    issue = seed.issue(shop, "a")
    made = [seed.event(issue, user_id_hash=f"u{n % 3}", http_status=500 + n % 2) for n in range(60)]
    indexed(seed)
    for text, wanted in (("user:u1", made[1::3]), ("http:501", made[1::2]), ("", made), ("has:user", made)):
        found, before = [], None
        while True:
            page = search(seed, text, limit=7, before=before)
            found += [row.id for row in page.rows]
            if page.next is None:
                break
            before = page.next
            seed.event(issue, user_id_hash="u1", http_status=501)

        assert found == wanted[::-1]
        seed.db.execute("DELETE FROM events WHERE id > ?", (made[-1],))
        seed.db.execute("DELETE FROM events_by_fingerprint WHERE event_id > ?", (made[-1],))


def test_the_window_is_that_of_receipt(seed: Seed, shop: int, indexed: Callable[[Seed], None]) -> None:
    issue = seed.issue(shop, "a")
    made = [
        seed.event(issue, received_at_ms=NOW_MS - n * HOUR_MS, timestamp_ms=NOW_MS, http_status=500, level="fatal")
        for n in range(24, -1, -1)
    ]
    indexed(seed)
    window = Window(NOW_MS - 20 * HOUR_MS, NOW_MS - 2 * HOUR_MS, HOUR_MS, is_running=False)

    for text in ("", "http:500", "level:fatal", "has:http", "message:message"):
        assert ids(seed, text, window=window) == made[4:22][::-1]
    assert issues(seed, "http:500", [shop], window) == {issue}
    assert issues(seed, "http:500", [shop], Window(0, NOW_MS - 24 * HOUR_MS, HOUR_MS, is_running=False)) == set()


def test_events_of_one_issue_are_searched_by_its_own(seed: Seed, shop: int, indexed: Callable[[Seed], None]) -> None:
    one, other = seed.issue(shop, "a"), seed.issue(shop, "b")
    made = {issue: [seed.event(issue, http_status=500 + n % 2) for n in range(10)] for issue in (one, other)}
    indexed(seed)
    late = seed.event(one, http_status=500)  # not counted yet

    assert ids(seed, "http:500", issue_ids=[one]) == [late, *made[one][::2][::-1]]
    assert ids(seed, "", issue_ids=[one]) == [late, *made[one][::-1]]
    assert ids(seed, "declined", issue_ids=[one]) == []


def test_a_search_that_stops_says_where_and_goes_on_from_there(
    seed: Seed, shop: int, indexed: Callable[[Seed], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "SCANNED_MAX", 10)
    issue = seed.issue(shop, "a")
    needle = seed.event(issue, message="needle")
    for _ in range(24):
        seed.event(issue)
    indexed(seed)

    pages, before = [], None
    while True:
        page = search(seed, "message:needle", before=before)
        pages.append(([row.id for row in page.rows], page.scanned, page.is_complete))
        if (before := page.next) is None:
            break

    assert pages == [([], 10, False), ([], 10, False), ([needle], 5, True)]
    stopped = resolve(seed.db, [shop], parse("has:stack"), None, NOW_MS)
    assert (stopped.issue_ids, stopped.scanned, stopped.is_complete) == ([], 10, False)


def test_what_the_index_answers_has_no_limit(seed: Seed, shop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "SCANNED_MAX", SIZE)
    issue = seed.issue(shop, "a")
    first = seed.event(issue, request_id="r", http_status=418)
    for n in range(100):
        seed.event(issue, request_id=f"other-{n}", http_status=500)
    make_blocks(seed)

    for text in ("request:r", "http:418", "http:>400 http:<499", "-request:x request:r"):
        page = search(seed, text)
        assert ([row.id for row in page.rows], page.next, page.is_complete) == ([first], None, True)
    assert issues(seed, "http:418", [shop]) == {issue}


def test_columns_alone_answer_only_while_they_are_whole(seed: Seed, shop: int) -> None:
    issue = seed.issue(shop, "a")
    made = [seed.event(issue, http_status=500) for _ in range(SIZE)]
    make_blocks(seed)

    page = search(seed, "http:500")
    assert (len(page.rows), page.scanned) == (SIZE, 0)

    seed.db.execute("DELETE FROM events WHERE id = ?", (made[3],))
    page = search(seed, "http:500")
    assert (len(page.rows), page.scanned) == (SIZE - 1, SIZE - 1)


def test_deleted_issues_are_not_found(seed: Seed, shop: int, indexed: Callable[[Seed], None]) -> None:
    gone, stays = seed.issue(shop, "a"), seed.issue(shop, "b")
    for issue in (gone, stays) * 6:
        seed.event(issue, request_id="r", http_status=500)
    indexed(seed)
    with connection.immediate(seed.db):
        delete_issues(seed.db, [gone])

    for text in ("request:r", "http:500", "", "message:message"):
        assert {row.issue_id for row in search(seed, text).rows} == {stays}
    assert issues(seed, "http:500", [shop]) == {stays}


def test_retention_takes_expired_events_out_of_every_search(
    seed: Seed, shop: int, indexed: Callable[[Seed], None]
) -> None:
    issue = seed.issue(shop, "a")
    for n in range(40):
        at_ms = NOW_MS - (40 - n) * DAY_MS
        seed.event(issue, received_at_ms=at_ms, timestamp_ms=at_ms, request_id=f"r{n}", http_status=500)
    settle(seed)
    indexed(seed)
    clean(seed, days=7, samples=2)
    kept = {row[0] for row in seed.rows("SELECT id FROM events")}

    assert 0 < len(kept) < 20
    assert set(ids(seed, "http:500")) == set(ids(seed, "request:r*")) == kept
    assert ids(seed, "request:r3") == []
    named = {row[0] for row in seed.rows("SELECT first_id FROM event_columns")}
    assert named <= {row[0] for row in seed.rows("SELECT first_id FROM event_blocks")}


def test_a_fingerprint_that_moved_is_found_under_its_new_issue(seed: Seed, shop: int) -> None:
    one, other = seed.issue(shop, "a"), seed.issue(shop, "b", message="declined")
    made = [seed.event(one, http_status=500) for _ in range(SIZE)]
    make_blocks(seed)
    seed.db.execute("UPDATE fingerprints SET issue_id = ? WHERE issue_id = ?", (other, one))

    assert ids(seed, "declined http:500") == made[::-1]
    assert issues(seed, "http:500", [shop]) == {other}


def test_issues_have_one_event_that_fulfils_all_terms_together(
    seed: Seed, shop: int, indexed: Callable[[Seed], None]
) -> None:
    both, apart = seed.issue(shop, "a"), seed.issue(shop, "b")
    for _ in range(10):
        seed.event(apart, http_status=500, environment="production", user_id_hash="u1")
        seed.event(apart, http_status=404, environment="staging", user_id_hash="u2")
        seed.event(both, http_status=500, environment="staging", user_id_hash="u2")
    indexed(seed)

    assert issues(seed, "http:500 env:staging", [shop]) == {both}
    assert issues(seed, "user:u1 http:404", [shop]) == set()
    assert issues(seed, "http:404 user:u2", [shop]) == {apart}
    assert issues(seed, "http:>=404 has:user", [shop]) == {both, apart}
    assert issues(seed, "-http:500 has:user", [shop]) == {apart}


def test_issues_beyond_a_list_are_left_out_and_said(seed: Seed, shop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bloop.issues.events.search.ISSUES_MAX", 3)
    made = [seed.issue(shop, f"f{n}") for n in range(5)]
    for issue in made:
        seed.event(issue, http_status=500)

    found = resolve(seed.db, [shop], parse("http:500"), None, NOW_MS)

    assert (found.issue_ids, found.is_complete) == (made[:1:-1], False)


def test_keys_that_a_project_lists_are_indexed_whole_and_others_are_looked_for(seed: Seed, shop: int) -> None:
    """Blocks of before and after a change of the list, and events of a project without one, side by side."""
    other = seed.project("other")
    issue, plain = seed.issue(shop, "f1"), seed.issue(other, "f1")
    many = {f"k{n}": n for n in range(30)}
    texts = [orjson.dumps(many | {"plan": plan, "list": ["a", "b"]}).decode() for plan in ("pro", "free", "pro")]
    made: dict[str, list[int]] = {"pro": [], "free": []}

    def add() -> None:
        for text, plan in zip(texts, ("pro", "free", "pro"), strict=True):
            made[plan].append(seed.event(issue, metadata=text))
            made[plan].append(seed.event(plain, metadata=f'{{"plan":"{plan}"}}'))
        for _ in range(2):
            seed.event(issue)
        make_blocks(seed)

    add()
    for keys in (["plan", "list"], ["nothing"], ["plan"], []):
        with connection.immediate(seed.db):
            set_search_keys(seed.db, shop, keys)
        add()

    assert sum(block.event_count for block in blocks(seed.db)) == 40
    for plan in ("pro", "free"):
        assert ids(seed, f"tag.plan:{plan}") == made[plan][::-1]
    assert len(ids(seed, "tag.k29:29")) == 15
    assert len(ids(seed, "tag.list:b")) == 15
    assert ids(seed, "tag.plan:nope") == []


def test_a_listed_key_spares_the_look_at_events(seed: Seed, shop: int) -> None:
    issue = seed.issue(shop, "f1")
    with connection.immediate(seed.db):
        set_search_keys(seed.db, shop, ["plan"])
    for n in range(2 * SIZE):
        plan = "pro" if n == 3 else "free"
        seed.event(issue, metadata=orjson.dumps({f"k{k}": k for k in range(20)} | {"plan": plan}).decode())
    make_blocks(seed)

    assert search(seed, "tag.plan:pro").scanned == 1
    assert search(seed, "tag.k1:1").scanned == 2 * SIZE


VALUES = {
    "request_id": ("r1", "r2", None),
    "user_id_hash": ("u1", "u2", None),
    "http_status": (200, 404, 500, None),
    "level": ("error", "fatal"),
    "environment": ("production", "staging"),
    "release": ("1.0", "2.0"),
    "metadata": ('{"plan":"pro"}', '{"plan":"free","n":1}', None),
    "message": ("timeout after 5 s", "refused"),
}
QUESTIONS: list[tuple[str, Callable[[EventRow], bool]]] = [
    ("request:r1", lambda e: e.request_id == "r1"),
    ("-request:r1,r2", lambda e: e.request_id is None),
    ("user:u1,u2", lambda e: e.user_id_hash is not None),
    ("http:>=404", lambda e: (e.http_status or 0) >= 404),
    ("http:200,500", lambda e: e.http_status in (200, 500)),
    ("-http:404", lambda e: e.http_status != 404),
    ("level:fatal", lambda e: e.level == "fatal"),
    ("env:staging", lambda e: e.environment == "staging"),
    ("-release:1.*", lambda e: e.release == "2.0"),
    ("tag.plan:pro", lambda e: e.metadata == '{"plan":"pro"}'),
    ("-tag.plan:pro", lambda e: e.metadata != '{"plan":"pro"}'),
    ("tag.n:1", lambda e: '"n"' in (e.metadata or "")),
    ("message:TIMEOUT", lambda e: e.message.startswith("timeout")),
    ("has:user", lambda e: e.user_id_hash is not None),
    ("-has:request", lambda e: e.request_id is None),
    ("is:open", lambda e: True),
]


@pytest.fixture(scope="module")
def random_events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Seed, list[EventRow]]]:
    """A few hundred events, half of them in blocks, some deleted before and some after the blocks were made."""
    seed = Seed(tmp_path_factory.mktemp("random") / "bloop.db")
    chance = random.Random(11)
    project = seed.project("shop")
    made = [seed.issue(project, f"f{n}") for n in range(9)]
    patch = pytest.MonkeyPatch()
    patch.setattr(index, "BLOCK_EVENTS", 16)
    with patch.context():
        for step in range(400):
            at_ms = NOW_MS - (400 - step) * 1000
            fields = {name: chance.choice(values) for name, values in VALUES.items()}
            seed.event(chance.choice(made), received_at_ms=at_ms, **fields)
            if step in (150, 300):
                make_blocks(seed, most=7)
            if step in (100, 250, 350):
                seed.db.execute("DELETE FROM events WHERE id % 5 = 0 AND id > ?", (step - 100,))
                seed.db.execute("DELETE FROM events_by_fingerprint WHERE event_id NOT IN (SELECT id FROM events)")
    patch.undo()
    page = find_events(seed.db, [project], parse(""), now_ms=NOW_MS, limit=200)
    rows = list(page.rows)
    while page.next is not None:
        page = find_events(seed.db, [project], parse(""), now_ms=NOW_MS, limit=200, before=page.next)
        rows += page.rows
    assert [row.id for row in rows] == [row[0] for row in seed.rows("SELECT id FROM events ORDER BY id DESC")]
    yield seed, rows
    seed.close()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=4, unique_by=lambda question: question[0]),
    st.tuples(st.integers(0, 400), st.integers(1, 400)),
    st.integers(1, 50),
)
def test_a_search_finds_what_looking_at_every_event_finds(
    random_events: tuple[Seed, list[EventRow]],
    questions: list[tuple[str, Callable[[EventRow], bool]]],
    span: tuple[int, int],
    limit: int,
) -> None:
    seed, everything = random_events
    window = Window(NOW_MS - sum(span) * 1000, NOW_MS - span[0] * 1000, 1000, is_running=False)
    text = " ".join(text for text, _ in questions)
    wanted = [
        row
        for row in everything
        if window.from_ms <= row.received_at_ms < window.to_ms and all(test(row) for _, test in questions)
    ]

    found = find_events(seed.db, [1], parse(text), now_ms=NOW_MS, window=window, limit=limit)
    resolved = resolve(seed.db, [1], parse(f"{text} has:http"), window, NOW_MS)

    assert found.rows == wanted[:limit]
    assert (found.next is None) == (len(wanted) <= limit)
    about_issue = [row for row in wanted if row.http_status is not None]
    if not {"level:fatal", "message:TIMEOUT"} & {text for text, _ in questions}:  # there they are the issue's
        assert set(resolved.issue_ids) == {row.issue_id for row in about_issue}


def test_a_damaged_event_is_passed_over(seed: Seed, shop: int, indexed: Callable[[Seed], None]) -> None:
    issue = seed.issue(shop, "a")
    good = [seed.event(issue, http_status=500) for _ in range(SIZE)]
    seed.db.execute("UPDATE events SET body = x'0102' WHERE id = ?", (good[2],))
    indexed(seed)

    assert ids(seed, "http:500") == [event for event in good[::-1] if event != good[2]]
    assert ids(seed, "message:message http:500") == [event for event in good[::-1] if event != good[2]]


def test_a_search_inside_a_reader_sees_one_moment(seed: Seed, shop: int, db: apsw.Connection) -> None:
    issue = seed.issue(shop, "a")
    for _ in range(2 * SIZE):
        seed.event(issue, http_status=500)
    make_blocks(seed)
    with connection.snapshot(db):
        first = find_events(db, [shop], parse("http:500"), now_ms=NOW_MS, limit=5)
        seed.db.execute("DELETE FROM events")
        rest = find_events(db, [shop], parse("http:500"), now_ms=NOW_MS, limit=50, before=first.next)

    assert len(first.rows) + len(rest.rows) == 2 * SIZE
