"""Invariant STORE-7 of bloop/pipeline/store.py: notes are kept, bounded, and change no account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import msgpack

from bloop import features
from bloop.base.outcomes import Outcome
from bloop.db import connection
from bloop.features import make_kinds
from bloop.ledger import store as rejections
from bloop.ledger.read import list_rejections
from bloop.pipeline.store import RingRecord, Store
from bloop.projects import store as projects
from bloop.projects.purge import find_unindexed_rows, purge_batch
from bloop.projects.read import get_project
from bloop.records.event import Event
from bloop.records.record import EVENT_FORM, Kind, Rejection, encode_event, encode_rejection
from tests.seed import NOW_MS, Seed

LANE = 0


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


def a_rejection(number: int = 0, project_id: int = 0) -> Rejection:
    return Rejection(
        project_id, NOW_MS + number, Outcome.UNKNOWN_KEY, f"no {number}", "bloop_", 12, "192.0.2.0/24", "x/1"
    )


def a_note(number: int = 0, project_id: int = 0) -> RingRecord:
    return Kind.NOTE, encode_rejection(a_rejection(number, project_id)), LANE


def an_event(project_id: int) -> RingRecord:
    event = Event(NOW_MS, "api", "test", "1.0", "E", "m", *[None] * 10, "error")
    return EVENT_FORM, encode_event(project_id, NOW_MS, "f", "v1", event), LANE


def test_notes_are_stored_beside_events_and_counted_nowhere(seed: Seed) -> None:
    shop = seed.project("shop")
    store = Store(seed.db, 1, make_kinds(seed.db))

    done = store.store([a_note(1, shop), an_event(shop), a_note(2)], {LANE: 64}, [], now_ms=NOW_MS)

    assert (done.events, done.dead, done.discarded) == (1, 0, 0)
    assert seed.rows("SELECT project_id, outcome, count FROM ledger_totals") == [(shop, Outcome.STORED, 1)]
    assert seed.rows("SELECT project_id, outcome, folded FROM ring_cells") == [(shop, Outcome.STORED, 1)]
    newest, oldest = list_rejections(seed.db, [0, shop], 10)
    assert (newest.detail, newest.project_name, oldest.detail, oldest.project_name) == ("no 2", None, "no 1", "Shop")
    assert oldest[4:] == (Outcome.UNKNOWN_KEY, "no 1", "bloop_", 12, "192.0.2.0/24", "x/1")
    assert [row.detail for row in list_rejections(seed.db, [shop], 10)] == ["no 1"]


def test_a_note_nobody_can_read_costs_only_itself(seed: Seed) -> None:
    store = Store(seed.db, 1, make_kinds(seed.db))
    bad = [b"", b"\xc1", b"\x91\x01", encode_rejection(a_rejection())[:-1], b"\x98" + b"\xcf" + b"\xff" * 8]

    done = store.store([*((Kind.NOTE, payload, LANE) for payload in bad), a_note(7)], {}, [], now_ms=NOW_MS)

    assert done.dead == 0
    assert [row.detail for row in list_rejections(seed.db, [0], 10)] == ["no 7"]
    assert seed.rows("SELECT * FROM ledger_totals") == []


def test_only_the_newest_are_kept(seed: Seed) -> None:
    store = Store(seed.db, 1, make_kinds(seed.db))

    for start in (0, 600):
        store.store([a_note(n) for n in range(start, start + 600)], {}, [], now_ms=NOW_MS)

    kept = [row.detail for row in list_rejections(seed.db, [0], 5000)]
    assert (len(kept), kept[0], kept[-1]) == (rejections.ROWS_MAX, "no 1199", "no 200")


def test_of_a_deleted_project_nothing_is_written_any_more(seed: Seed) -> None:
    shop = seed.project("shop")
    store = Store(seed.db, 1, make_kinds(seed.db))
    store.store([an_event(shop)], {LANE: 64}, [], now_ms=NOW_MS, settle=False)
    project = get_project(seed.db, "shop")
    assert project is not None
    with connection.immediate(seed.db):
        projects.delete_project(seed.db, project, NOW_MS)
    while not purge_batch(seed.db, shop, find_unindexed_rows(seed.db, shop, 10), rows_max=10, now_ms=NOW_MS):
        pass
    unreadable = (Kind.EVENT, msgpack.encode([shop, "not a time"]), LANE)

    done = store.store([an_event(shop), a_note(1, shop), unreadable], {LANE: 128}, [], now_ms=NOW_MS, settle=True)

    assert (done.events, done.discarded, done.dead, store.unsettled) == (0, 1, 1, 0)
    for table in features.tables():
        if table.purge and table.name not in ("deliveries", "issue_search"):  # known by way of others
            columns = {row[1] for row in seed.rows(f"PRAGMA table_info({table.name})")}
            owned = "WHERE project_id IS NOT NULL" if "project_id" in columns else ""
            assert seed.rows(f"SELECT * FROM {table.name} {owned}") == [], table.name
    totals = dict(seed.rows("SELECT outcome, count FROM ledger_totals"))
    assert totals == {Outcome.STORED: 1, Outcome.DISCARDED: 1, Outcome.DEAD_LETTER: 1}
