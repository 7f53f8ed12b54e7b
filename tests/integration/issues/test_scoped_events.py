"""Events of an issue within a scope, against the same events counted one by one."""

from __future__ import annotations

import random
from typing import NamedTuple

import apsw
import pytest

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.issues.events import scoped
from bloop.issues.events.scoped import EventKey, EventScope, events_in_scope, find_request, list_scoped
from bloop.records.event_record import encode_dims
from tests.seed import NOW_MS, Seed, fingerprint_id

ALL = EventScope(0, NOW_MS + DAY_MS)


class Made(NamedTuple):
    """An event as the test knows it."""

    id: int
    timestamp_ms: int
    received_at_ms: int
    environment: str
    release: str
    user: str | None


def make_events(seed: Seed, issue_id: int, count: int, random_: random.Random) -> list[Made]:
    """Events that came late, in pairs of equal times, of several environments and releases. Some are as an earlier
    release stored them, some have dims of their own."""
    made = []
    for _ in range(count):
        received = NOW_MS - random_.randrange(3 * DAY_MS)
        timestamp = received - random_.choice([0, 40, HOUR_MS, 5 * DAY_MS]) if random_.random() < 0.9 else NOW_MS
        environment, release = random_.choice(["production", "staging"]), random_.choice(["1.0", "1.1", "2.0"])
        user = random_.choice([None, *(f"u{n}" for n in range(5))])
        event_id = seed.event(
            issue_id,
            received_at_ms=received,
            timestamp_ms=min(timestamp, received),
            environment=environment,
            release=release,
            user_id_hash=user,
        )
        made.append(Made(event_id, min(timestamp, received), received, environment, release, user))
        store_as(seed, event_id, environment, release, random_.choice(["before", "own dims", "dims"]))
    return made


def store_as(seed: Seed, event_id: int, environment: str, release: str, form: str) -> None:
    if form == "before":
        change = "UPDATE events_by_fingerprint SET lag_ms = NULL, dims_id = NULL, user_key = NULL WHERE event_id = ?"
        seed.db.execute(change, (event_id,))
    elif form == "dims":
        dims = encode_dims(release, environment, "api", None)
        seed.db.execute("INSERT INTO event_dims (project_id, dims) VALUES (1, ?) ON CONFLICT DO NOTHING", (dims,))
        dims_id = seed.value("SELECT id FROM event_dims WHERE dims = ?", dims)
        seed.db.execute("UPDATE events_by_fingerprint SET dims_id = ? WHERE event_id = ?", (dims_id, event_id))


def expected(made: list[Made], scope: EventScope) -> list[Made]:
    found = [
        event
        for event in made
        if scope.from_ms <= event.received_at_ms < scope.to_ms
        and scope.environment in ("", event.environment)
        and scope.release in ("", event.release)
    ]
    return sorted(found, key=lambda event: (event.timestamp_ms, event.id), reverse=True)


@pytest.mark.parametrize("number", range(6))
def test_the_events_in_scope_are_those_counted_one_by_one(seed: Seed, db: apsw.Connection, number: int) -> None:
    random_ = random.Random(number)
    project_id = seed.project("shop")
    issue_id, other_id = seed.issue(project_id, "a"), seed.issue(project_id, "b")
    made = make_events(seed, issue_id, 120, random_)
    make_events(seed, other_id, 20, random_)
    scopes = [
        EventScope(NOW_MS - span, NOW_MS + 1, environment, release)
        for span in (HOUR_MS, DAY_MS, 4 * DAY_MS)
        for environment in ("", "production")
        for release in ("", "1.1", "9.9")
    ]

    for scope in scopes:
        events, wanted = events_in_scope(db, issue_id, scope), expected(made, scope)

        assert [key.id for key in events.keys] == [event.id for event in wanted]
        assert events.user_count == len({event.user for event in wanted if event.user})
        assert events.is_complete


def test_events_of_two_fingerprints_are_one_list(seed: Seed, db: apsw.Connection) -> None:
    project_id = seed.project("shop")
    issue_id, merged_id = seed.issue(project_id, "a"), seed.issue(project_id, "b")
    ids = [seed.event((issue_id, merged_id)[n % 2], timestamp_ms=NOW_MS - n) for n in range(6)]

    seed.db.execute("UPDATE fingerprints SET issue_id = ? WHERE id = ?", (issue_id, fingerprint_id(merged_id)))

    assert [key.id for key in events_in_scope(db, issue_id, ALL).keys] == ids


def test_neighbours_of_an_event_stay_in_the_scope(seed: Seed, db: apsw.Connection) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    ids = [
        seed.event(issue_id, timestamp_ms=NOW_MS - n, environment=("production", "staging")[n % 2]) for n in range(7)
    ]
    events = events_in_scope(db, issue_id, ALL._replace(environment="production"))

    inside = events.around(EventKey(NOW_MS - 2, ids[2]))
    outside = events.around(EventKey(NOW_MS - 3, ids[3]))
    first = events.around(EventKey(NOW_MS, ids[0]))
    last = events.around(EventKey(NOW_MS - 6, ids[6]))

    assert inside == (ids[0], ids[0], ids[4], ids[6], 2)
    assert outside == (ids[0], ids[2], ids[4], ids[6], None)
    assert first == (ids[0], None, ids[2], ids[6], 1)
    assert last == (ids[0], ids[4], None, ids[6], 4)
    assert events.total == 4


def test_no_event_in_scope_has_no_neighbours(seed: Seed, db: apsw.Connection) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    event_id = seed.event(issue_id)
    events = events_in_scope(db, issue_id, EventScope(NOW_MS + 1, NOW_MS + 2))

    assert (events.total, events.user_count, events.is_complete) == (0, 0, True)
    assert events.around(EventKey(NOW_MS, event_id)) == (None, None, None, None, None)


def test_pages_of_the_list_meet_without_gap_or_overlap(seed: Seed, db: apsw.Connection) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    ids = [seed.event(issue_id, timestamp_ms=NOW_MS - n // 3) for n in range(25)]
    events = events_in_scope(db, issue_id, ALL)
    pages, before = [], None
    while not pages or before is not None:
        pages.append(list_scoped(db, events, limit=10, before=before))
        before = pages[-1].next

    shown = [row.id for page in pages for row in page.rows]
    assert shown == [key.id for key in events.keys]
    assert sorted(shown) == sorted(ids)
    assert [page.start for page in pages] == [0, 10, 20]
    assert list_scoped(db, events, limit=10, before=pages[1].previous).rows == pages[0].rows
    assert list_scoped(db, events, limit=10, before=pages[2].previous).rows == pages[1].rows


def test_a_filtered_page_has_the_events_that_match_and_continues(seed: Seed, db: apsw.Connection) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    ids = [seed.event(issue_id, timestamp_ms=NOW_MS - n, http_status=500 + n % 2) for n in range(9)]
    events = events_in_scope(db, issue_id, ALL)

    first = list_scoped(db, events, limit=3, matches=lambda row: row.http_status == 500)
    second = list_scoped(db, events, limit=3, before=first.next, matches=lambda row: row.http_status == 500)

    assert [row.id for row in first.rows + second.rows] == ids[::2]
    assert (second.next, second.is_cut) == (None, False)


def test_a_filter_reads_a_bounded_number_of_events_and_says_where_it_stopped(
    seed: Seed, db: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoped, "MATCHED_MAX", 4)
    issue_id = seed.issue(seed.project("shop"), "a")
    ids = [seed.event(issue_id, timestamp_ms=NOW_MS - n) for n in range(6)]
    events = events_in_scope(db, issue_id, ALL)

    first = list_scoped(db, events, limit=3, matches=lambda row: row.id == ids[5])
    rest = list_scoped(db, events, limit=3, before=first.next, matches=lambda row: row.id == ids[5])

    assert (first.rows, first.read_count, first.is_cut) == ([], 4, True)
    assert ([row.id for row in rest.rows], rest.is_cut, rest.next) == ([ids[5]], False, None)


def test_a_walk_that_stopped_says_so(seed: Seed, db: apsw.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    ids = [seed.event(issue_id, timestamp_ms=NOW_MS - n) for n in range(6)]
    monkeypatch.setattr(scoped, "SCAN_MAX", 5)
    short = events_in_scope(db, issue_id, ALL)
    monkeypatch.setattr(scoped, "SCAN_MAX", 6)
    monkeypatch.setattr(scoped, "KEYS_MAX", 10)
    whole = events_in_scope(db, issue_id, ALL)

    assert ([key.id for key in short.keys], short.is_complete) == (ids[:5], False)
    assert short.around(EventKey(NOW_MS, ids[0])).oldest is None
    assert (whole.total, whole.is_complete) == (6, True)


def test_more_events_than_are_counted_are_cut_at_the_bound(
    seed: Seed, db: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoped, "KEYS_MAX", 10)
    issue_id = seed.issue(seed.project("shop"), "a")
    for n in range(11):
        seed.event(issue_id, timestamp_ms=NOW_MS - n)

    events = events_in_scope(db, issue_id, ALL)

    assert (events.total, events.is_complete) == (10, False)


def test_the_event_of_a_request_is_found_in_scope_alone(seed: Seed, db: apsw.Connection) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    for n in range(3):
        seed.event(issue_id, timestamp_ms=NOW_MS - n, request_id=f"r{n}", environment=("production", "qa")[n == 2])
    events = events_in_scope(db, issue_id, ALL._replace(environment="production"))

    found = find_request(db, events, "r1")

    assert found is not None
    assert found.timestamp_ms == NOW_MS - 1
    assert find_request(db, events, "r2") is None
