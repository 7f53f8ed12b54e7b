from __future__ import annotations

import apsw

from bloop.issues.events import read as events
from tests.seed import NOW_MS, Seed


def test_events_come_newest_client_time_first_and_ties_by_arrival(seed: Seed, db: apsw.Connection) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    late = seed.event(issue_id, timestamp_ms=NOW_MS - 10)
    first = seed.event(issue_id, timestamp_ms=NOW_MS)
    second = seed.event(issue_id, timestamp_ms=NOW_MS)

    page = events.list_events(db, [issue_id], limit=10)

    assert [row.id for row in page.rows] == [second, first, late]
    assert page.next is None


def test_pages_of_events_meet_without_gap_or_overlap(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("shop")
    issue_ids = [seed.issue(project, "a"), seed.issue(project, "b")]
    ids = [seed.event(issue_ids[n % 2], timestamp_ms=NOW_MS + n // 4) for n in range(25)]
    found, before = [], None

    while True:
        page = events.list_events(db, issue_ids, limit=4, before=before)
        found += [row.id for row in page.rows]
        before = page.next
        if before is None:
            break

    assert found == ids[::-1]


def test_an_event_is_not_reached_through_another_issue(seed: Seed, db: apsw.Connection) -> None:
    mine = seed.issue(seed.project("mine"), "a")
    theirs = seed.issue(seed.project("theirs"), "a")
    event_id = seed.event(theirs)

    assert events.get_event(db, mine, event_id) is None
    assert events.get_event(db, theirs, 2**63) is None
    found = events.get_event(db, theirs, event_id)
    assert found is not None
    assert (found.project_public_id, found.fingerprint) == ("id-of-theirs", "a")


def test_neighbours_stay_within_the_issue_and_end_at_its_ends(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("shop")
    issue_id, other = seed.issue(project, "a"), seed.issue(project, "b")
    seed.event(other, timestamp_ms=NOW_MS - 1)
    ids = [seed.event(issue_id, timestamp_ms=NOW_MS + n // 2) for n in range(4)]
    seed.event(other, timestamp_ms=NOW_MS + 9)

    def around(event_id: int) -> events.Neighbours:
        event = events.get_event(db, issue_id, event_id)
        assert event is not None
        return events.neighbours(db, event)

    oldest, a, b, newest = ids
    assert around(newest) == (newest, None, b, oldest, 1, 4)
    assert around(b) == (newest, newest, a, oldest, 2, 4)
    assert around(a) == (newest, b, oldest, oldest, 3, 4)
    assert around(oldest) == (newest, a, None, oldest, 4, 4)
