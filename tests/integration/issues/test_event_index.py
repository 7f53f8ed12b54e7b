"""The index over single events, INDEX-1 to INDEX-4 of bloop/issues/events/index.py."""

from __future__ import annotations

from typing import Any

import apsw
import pytest

from bloop.base.clock import DAY_MS
from bloop.db import connection
from bloop.issues.deletion.store import delete_issues
from bloop.issues.events import index, store
from bloop.issues.events.columns import Column, unpacked
from bloop.issues.events.index import IdRange, make_block, next_range
from bloop.issues.events.index_read import BlockColumns, blocks
from bloop.issues.events.store import mark_settled
from tests.seed import NOW_MS, Seed, fingerprint_id

SIZE = 8


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "BLOCK_EVENTS", SIZE)
    monkeypatch.setattr(index, "JOINED_EVENTS_MAX", SIZE // 2)


@pytest.fixture
def issue(seed: Seed) -> int:
    return seed.issue(seed.project("shop"), "f1")


def add(seed: Seed, issue_id: int, count: int, **fields: Any) -> list[int]:
    """Events that are counted."""
    made = [seed.event(issue_id, **fields) for _ in range(count)]
    mark_settled(seed.db)
    return made


def make_all(seed: Seed, now_ms: int = NOW_MS) -> list[IdRange]:
    made = []
    while (ids := next_range(seed.db, now_ms)) is not None:
        assert make_block(seed.db, ids, now_ms)
        made.append(ids)
        assert len(made) < 100, "it never ends"
    return made


def shown(seed: Seed) -> list[tuple[int, int, int]]:
    return [(block.first_id, block.last_id, block.event_count) for block in blocks(seed.db)]


def column_blocks(seed: Seed) -> set[int]:
    return {row[0] for row in seed.rows("SELECT first_id FROM event_columns")}


def indexed(seed: Seed) -> set[int]:
    """The ids of all events that columns name."""
    return {
        event_id
        for block in blocks(seed.db)
        for event_id in BlockColumns(seed.db, block).ids(range(block.indexed_count))
    }


def test_whole_blocks_of_counted_events_are_made_the_newest_first(seed: Seed, issue: int) -> None:
    add(seed, issue, 3 * SIZE + 2)
    seed.event(issue)  # not counted yet

    assert make_all(seed) == [(17, 24), (9, 16), (1, 8)]
    assert shown(seed) == [(17, 24, SIZE), (9, 16, SIZE), (1, 8, SIZE)]
    assert indexed(seed) == set(range(1, 25))

    add(seed, issue, SIZE)

    assert make_all(seed) == [(25, 32)]


def test_nothing_is_made_without_a_whole_block(seed: Seed, issue: int) -> None:
    assert next_range(seed.db, NOW_MS) is None

    add(seed, issue, SIZE - 1)

    assert next_range(seed.db, NOW_MS) is None


def test_gaps_between_ids_make_longer_ranges_and_not_smaller_blocks(seed: Seed, issue: int) -> None:
    for event_id in (3, 100, 101, 500, *range(1000, 1010), 1023):
        seed.event(issue, id=event_id)
    mark_settled(seed.db)

    made = make_all(seed)

    assert made == [(1002, 1016), (1, 1001)]
    assert indexed(seed) == {3, 100, 101, 500, *range(1000, 1010)}
    assert sum(block.event_count for block in blocks(seed.db)) == 14


def test_a_block_goes_with_its_last_event(seed: Seed, issue: int) -> None:
    add(seed, issue, 2 * SIZE)
    make_all(seed)

    seed.db.execute("DELETE FROM events WHERE id BETWEEN 1 AND 7")
    assert shown(seed) == [(9, 16, SIZE), (1, 8, 1)]

    seed.db.execute("DELETE FROM events WHERE id = 8")
    assert shown(seed) == [(9, 16, SIZE)]
    assert column_blocks(seed) == {9}

    assert make_all(seed) == []


def test_a_block_that_lost_half_is_made_again_with_its_small_neighbours(seed: Seed, issue: int) -> None:
    add(seed, issue, 4 * SIZE)
    make_all(seed)
    seed.db.execute("DELETE FROM events WHERE id % 8 > 1")  # 2 of each 8 stay

    assert make_all(seed) == [(17, 32), (1, 16)]
    assert shown(seed) == [(17, 32, 4), (1, 16, 4)]
    assert column_blocks(seed) == {1, 17}
    assert indexed(seed) == {row[0] for row in seed.rows("SELECT id FROM events")}

    seed.db.execute("DELETE FROM events WHERE id IN (1, 8, 9)")

    assert make_all(seed) == [(1, 16)]
    assert indexed(seed) == {16, 17, 24, 25, 32}


def test_hashes_of_a_deleted_event_are_gone_within_a_day(seed: Seed, issue: int) -> None:
    add(seed, issue, SIZE, request_id="r")
    make_all(seed)
    seed.db.execute("DELETE FROM events WHERE id = 2")

    assert make_all(seed, NOW_MS + DAY_MS - 1) == []
    assert make_all(seed, NOW_MS + DAY_MS) == [(1, 8)]
    assert indexed(seed) == {1, 3, 4, 5, 6, 7, 8}
    assert make_all(seed, NOW_MS + 3 * DAY_MS) == []


def test_deleting_an_issue_takes_its_events_out_of_the_index(seed: Seed, issue: int) -> None:
    other = seed.issue(1, "other")
    for _ in range(SIZE):
        seed.event(issue)
        seed.event(other)
    mark_settled(seed.db)
    make_all(seed)

    with connection.immediate(seed.db):
        delete_issues(seed.db, [issue])
    seed.db.execute("DELETE FROM fingerprints WHERE issue_id = ?", (issue,))  # as purging ends

    assert sum(block.event_count for block in blocks(seed.db)) == SIZE
    for block in blocks(seed.db):
        seed.db.execute("UPDATE event_blocks SET indexed_at_ms = 0")
        assert set(BlockColumns(seed.db, block).numbers(Column.FINGERPRINTS)) == {
            fingerprint_id(issue),
            fingerprint_id(other),
        }
    make_all(seed)
    left = {number for block in blocks(seed.db) for number in BlockColumns(seed.db, block).numbers(Column.FINGERPRINTS)}
    assert left == {fingerprint_id(other)}


def test_a_block_is_not_stored_when_an_event_went_meanwhile(seed: Seed, issue: int) -> None:
    add(seed, issue, SIZE)
    ids = next_range(seed.db, NOW_MS)
    assert ids is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "make_columns", lambda *_: seed.db.execute("DELETE FROM events WHERE id = 3") and {})

        assert not make_block(seed.db, ids, NOW_MS)

    assert shown(seed) == []
    assert make_all(seed) == [(1, 8)]
    assert indexed(seed) == {1, 2, 4, 5, 6, 7, 8}


def test_a_block_that_could_not_be_stored_leaves_nothing_behind(seed: Seed, issue: int) -> None:
    add(seed, issue, 2 * SIZE)
    make_all(seed)
    before = seed.rows("SELECT * FROM event_columns ORDER BY 1, 2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            index, "_INSERT_COLUMN", "INSERT INTO event_columns (kind, first_id, data) VALUES (?, ?, NULL + ?)"
        )

        with pytest.raises(apsw.ConstraintError):
            make_block(seed.db, IdRange(1, 8), NOW_MS)

    assert seed.rows("SELECT * FROM event_columns ORDER BY 1, 2") == before
    assert shown(seed) == [(9, 16, SIZE), (1, 8, SIZE)]


def test_ids_that_a_block_stands_for_are_never_given_again(seed: Seed, issue: int) -> None:
    add(seed, issue, SIZE)
    make_all(seed)
    seed.db.execute("DELETE FROM events WHERE id > 2")
    mark_settled(seed.db)

    assert seed.value(store._SELECT_NEWEST) == SIZE
    assert seed.value("SELECT event_id FROM settled") == SIZE


def test_a_block_knows_when_its_events_were_received(seed: Seed, issue: int) -> None:
    for at_ms in (50, 20, 70):
        seed.event(issue, received_at_ms=at_ms)
    mark_settled(seed.db)
    make_block(seed.db, IdRange(1, 8), NOW_MS)

    (block,) = blocks(seed.db)

    assert (block.from_ms, block.to_ms, block.indexed_count) == (20, 70, 3)
    assert list(unpacked("I", BlockColumns(seed.db, block).of(Column.OFFSETS))) == [0, 1, 2]
