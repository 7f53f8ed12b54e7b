"""Closing the accounts of rings that are gone (bloop/pipeline/lost_rings.py)."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.outcomes import REFUSALS, Category, Outcome
from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.pipeline import lost_rings, ring_state
from bloop.pipeline.store import Store

T0 = 1_760_000_400_000
OLD, OTHER, NEW = 5, 6, 7


class Left(NamedTuple):
    """What a ring that is gone has spilled."""

    slot: int
    ring_id: int
    lane: int
    spill_slot: int


@pytest.fixture
def db(tmp_path):
    migrate.migrate(tmp_path / "bloop.db", T0)
    db = connection.open_writer(tmp_path / "bloop.db")
    yield db
    db.close()


def fold(db, ring_id, **counts):
    ring_state.save_cells(db, [(ring_id, 0, 1, Category.EVENT, Outcome[name.upper()], n) for name, n in counts.items()])


def totals(db):
    return {Outcome(o).label: n for o, n in db.execute("SELECT outcome, count FROM ledger_totals WHERE project_id = 1")}


keys = st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from(Category), st.sampled_from(Outcome))
counts = st.dictionaries(keys, st.integers(0, 50))


@given(counts)
def test_after_closing_everything_received_is_accounted_for(folded):
    for *account, outcome, n in lost_rings.closing_lines(folded):
        assert n > 0
        key = (99, *account, outcome)
        folded = folded | {key: folded.get(key, 0) + n}

    for account in {key[1:3] for key in folded}:
        became = {o: sum(n for (_, *key), n in folded.items() if tuple(key) == (*account, o)) for o in Outcome}
        assert became[Outcome.RECEIVED] == sum(became[o] for o in (Outcome.STORED, *REFUSALS))


def test_what_was_received_and_is_nowhere_is_booked_as_interrupted(db):
    fold(db, OLD, received=10, stored=6, invalid=1)

    assert lost_rings.close_accounts(db, {NEW}, T0) == 3

    assert totals(db) == {"interrupted": 3}
    assert ring_state.rings(db) == []


def test_a_ring_that_is_still_read_is_left_alone(db):
    fold(db, OLD, received=10)
    fold(db, NEW, received=20)
    ring_state.save_positions(db, [(OTHER, 256, 64)])

    assert lost_rings.close_accounts(db, {OLD, NEW}, T0) == 0

    assert (totals(db), sorted(ring_state.rings(db))) == ({}, [OLD, NEW])


def test_accounts_are_closed_once(db):
    fold(db, OLD, received=10)
    lost_rings.close_accounts(db, {NEW}, T0)

    assert lost_rings.close_accounts(db, {NEW}, T0) == 0
    assert totals(db) == {"interrupted": 10}


def test_an_orphan_goes_on_where_its_ring_was_stored_up_to(db):
    fold(db, OLD, received=10, stored=4)
    ring_state.save_positions(db, [(OLD, 0, 999), (OLD, 256, 64), (NEW, 0, 8), (NEW, 257, 16)])
    orphan = Left(slot=512, ring_id=OLD, lane=0, spill_slot=256)

    store = Store(db, NEW, make_kinds(db), orphans=[orphan])
    assert store.positions() == {0: 8, 257: 16, 512: 64}
    store.store([(99, b"\x91\x01", 512)], {512: 128, 0: 24}, [], now_ms=T0)

    assert ring_state.positions(db, OLD) == {0: 999, 256: 128}
    assert ring_state.positions(db, NEW) == {0: 24, 257: 16}
    assert ring_state.cells(db, OLD)[0, 1, Category.EVENT, Outcome.STORED] == 5, "four before, and the dead letter"
    assert ring_state.cells(db, NEW) == {}


def test_an_orphan_nothing_was_stored_of_begins_at_its_beginning(db):
    store = Store(db, NEW, make_kinds(db), orphans=[Left(512, OLD, 0, 256)])

    assert store.positions() == {}
