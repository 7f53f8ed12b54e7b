"""INTAKE-4 and KEYS-4: a project that has spent the bytes of its day."""

from __future__ import annotations

from bloop.base.outcomes import Outcome
from bloop.ingest.keys import ProjectKey, ProjectKeys
from tests.unit.ingest.ingest import (
    KEY,
    LEGACY_SECRET,
    NOW_MS,
    OTHER_ID,
    OTHER_KEY,
    PROJECT_ID,
    Ingest,
    encode,
    event,
)


def ingest_until(until_ms: int) -> Ingest:
    keys = ProjectKeys(
        lambda: [ProjectKey(PROJECT_ID, KEY), ProjectKey(OTHER_ID, OTHER_KEY)],
        lambda: 1,
        LEGACY_SECRET,
        lambda: None,
        load_spent=lambda: {PROJECT_ID: until_ms},
    )
    return Ingest(keys=keys)


def test_its_events_are_dropped_and_counted_as_over_the_limit() -> None:
    ingest = ingest_until(NOW_MS + 1)

    answer = ingest.send_event()

    assert (answer.status_code, answer.json) == (200, {"status": "dropped"})
    assert ingest.only(Outcome.OVER_LIMIT)
    assert ingest.sink.payloads == []
    assert [note.outcome for note in ingest.sink.notes] == [Outcome.OVER_LIMIT]


def test_a_batch_counts_each_event_and_what_is_wrong_with_it_first() -> None:
    ingest = ingest_until(NOW_MS + 1)

    answer = ingest.send_batch([event(), {"message": "no time"}, event()])

    assert answer.status_code == 200
    assert ingest.sink.counts[PROJECT_ID, Outcome.OVER_LIMIT] == 2
    assert ingest.sink.counts[PROJECT_ID, Outcome.INVALID] == 1
    assert ingest.sink.balance() == 0


def test_other_projects_are_taken_in() -> None:
    ingest = ingest_until(NOW_MS + 1)

    assert ingest.send(encode(event()), key=OTHER_KEY).json == {"status": "accepted"}


def test_it_is_taken_in_again_with_the_next_day() -> None:
    ingest = ingest_until(NOW_MS)

    assert ingest.send_event().json == {"status": "accepted"}
