"""An upgrade from layout 1 of the ring, with records waiting in it and in its spill (workers/rings.py RINGS-1).

Everything the old version had accepted is stored once, and its counts are in the ledger to the last one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from bloop.base.outcomes import Category, Outcome
from bloop.db import connection
from bloop.features import make_kinds
from bloop.pipeline.store import Store
from bloop.ring import Consumer, Producer, Segment, layout, spill
from tests import ring_layout_1
from tests.integration.ring.processes import Board, Processes, sleep_for_ever
from tests.integration.writer_machine import PROJECT, T0, Machine
from tests.ring_layout_1 import OldRing
from tests.waiting import until
from workers import rings

RECORDS = 10_000
OLD_RING_ID = 77
LANES = 2
STORED_BEFORE = 700  # of the first lane, by the old writer, before it was killed
KILLS = 3  # of the new writer while it drains


class Waiting(NamedTuple):
    """The state in which the old version was stopped."""

    machine: Machine
    ring: OldRing
    sent: list[str]
    first_lane: list[tuple[bytes, int]]  # payload, position behind it


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, f"bloop-test-upgrade-{os.getpid()}", BLOOP__INGEST__CHANNEL_CAPACITY="2048")
    yield machine
    Segment.unlink(machine.settings.ring_name)


@pytest.fixture
def old_ring(machine: Machine) -> Iterator[OldRing]:
    ring = OldRing(machine.settings.ring_name, LANES, 1 << 20, machine.settings.spill_folder, OLD_RING_ID)
    yield ring
    ring.close()


@pytest.fixture
def waiting(machine: Machine, old_ring: OldRing) -> Waiting:
    sent, first_lane = [], []
    for n in range(RECORDS):
        lane = old_ring.lanes[n % LANES]
        sent.append(f"id-{n}")
        payload = ring_layout_1.error(PROJECT, T0, sent[-1])
        lane.count(PROJECT, Outcome.RECEIVED)
        position = lane.push(ring_layout_1.ERROR, payload)
        if lane.index == 0 and not lane.spilled:
            first_lane.append((payload, position))
    assert min(lane.spilled for lane in old_ring.lanes) > 1000
    assert len(first_lane) > 2 * STORED_BEFORE
    return Waiting(machine, old_ring, sent, first_lane)


@pytest.fixture
def processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.kill_all()


def ledger(machine: Machine) -> Counter[tuple[int, Outcome]]:
    rows = machine.read("SELECT project_id, outcome, count FROM ledger_totals")
    return Counter({(project_id, Outcome(outcome)): count for project_id, outcome, count in rows})


def write_until_nothing_waits(machine: Machine) -> None:
    """Run writers until nothing waits: one that is stopped at once leaves spilled records to the next."""
    for _ in range(RECORDS // 1000):
        machine.write_and_stop()
        if not spill.files(machine.settings.spill_folder):
            return
    raise AssertionError("something stays on the disk")


def commit_as_the_old_writer(waiting: Waiting) -> None:
    """It stored a batch with its counts, and was killed between COMMIT and release."""
    batch = waiting.first_lane[:STORED_BEFORE]
    position = batch[-1][1]
    waiting.ring.lanes[0].announce(position, STORED_BEFORE)
    with closing(connection.open_writer(waiting.machine.settings.database_path)) as db:
        store = Store(db, OLD_RING_ID, make_kinds(db))
        records = [(ring_layout_1.ERROR, payload, 0) for payload, _ in batch]
        segment = Segment.attach_to_drain(waiting.machine.settings.ring_name)
        with closing(segment), closing(Consumer.claim(segment)) as counts:
            store.store(records, {0: position}, counts.cells(), now_ms=T0)


def count_what_never_arrived(ring: OldRing) -> None:
    """Refusals, notes about them, a record of an unknown kind, and a worker that was killed before it pushed."""
    first, second = ring.lanes
    first.count(0, Outcome.RECEIVED, 4)
    first.count(0, Outcome.BAD_SIGNATURE, 4)
    second.count(PROJECT, Outcome.RECEIVED, 6)
    second.count(PROJECT, Outcome.INVALID, 2)
    second.push(ring_layout_1.REJECTION, ring_layout_1.rejection(0, T0, Outcome.BAD_SIGNATURE))
    second.push(ring_layout_1.TRACE_UPDATE, ring_layout_1.encode([PROJECT, T0, "of a kind nobody ever wrote"]))


def test_ten_thousand_records_and_every_count_survive_the_upgrade_and_kills_of_both_writers(
    waiting: Waiting, processes: Processes, monkeypatch: pytest.MonkeyPatch
):
    machine = waiting.machine
    commit_as_the_old_writer(waiting)
    count_what_never_arrived(waiting.ring)
    board = Board(KILLS)
    monkeypatch.setattr(rings, "_DRAIN_RECORDS", 300)

    def drain_until_killed(turn: int) -> None:
        """Die between a COMMIT and its release, each turn a few batches later."""
        release, batches = Consumer.release, []

        def release_or_die(consumer, batch):
            batches.append(batch)
            if len(batches) == 3:
                board[turn] = 1
                sleep_for_ever()
            release(consumer, batch)

        Consumer.release = release_or_die
        with machine.writer():
            pass

    for turn in range(KILLS):
        pid = processes.start(partial(drain_until_killed, turn))
        until(lambda turn=turn: board[turn] == 1, "the new writer to have drained some")
        processes.kill(pid)
        assert len(set(machine.stored)) == len(machine.stored) == STORED_BEFORE + 900 * (turn + 1)
    board.close()

    machine.write_and_stop()  # drains the lanes, makes its own ring, begins with the spilled records
    machine.take_in(5)
    write_until_nothing_waits(machine)

    assert Counter(machine.stored) == Counter([*waiting.sent, *machine.sent])
    assert ledger(machine) == {
        (PROJECT, Outcome.RECEIVED): RECORDS + 6 + 5,
        (PROJECT, Outcome.STORED): RECORDS + 5,
        (PROJECT, Outcome.INVALID): 2,
        (PROJECT, Outcome.DEAD_LETTER): 1,
        (PROJECT, Outcome.INTERRUPTED): 3,
        (0, Outcome.RECEIVED): 4,
        (0, Outcome.BAD_SIGNATURE): 4,
    }
    assert machine.read("SELECT reason FROM dead_letters") == [("record kind 6 is not known to this writer",)]
    assert len(machine.read("SELECT * FROM rejections")) == 1
    assert machine.read("SELECT DISTINCT ring_id FROM ring_cells WHERE ring_id = 77") == [], "its account is closed"
    assert spill.files(machine.settings.spill_folder) == []


def test_order_is_kept_within_a_lane_and_its_spill(waiting: Waiting):
    write_until_nothing_waits(waiting.machine)

    order = {request_id: n for n, request_id in enumerate(waiting.machine.stored)}
    for lane in range(LANES):
        places = [order[request_id] for request_id in islice(waiting.sent, lane, None, LANES)]
        assert places == sorted(places)


def test_the_new_ring_has_the_new_layout_and_another_id(waiting: Waiting):
    with waiting.machine.writer() as writer:
        geometry = writer._segment.shared().geometry
        assert geometry.version is layout.CURRENT
        assert writer._segment.ring_id != OLD_RING_ID
        assert {orphan.ring_id for orphan in writer._consumer.orphans} == {OLD_RING_ID}, "its spill waits beside"


def test_counts_of_an_empty_ring_are_carried_over(machine: Machine, old_ring: OldRing):
    """They reach the ledger although no record waits: the old writer was killed before it looked again."""
    old_ring.lanes[0].count(PROJECT, Outcome.RECEIVED, 3)
    old_ring.lanes[0].count(PROJECT, Outcome.TOO_LARGE, 3)

    machine.write_and_stop()

    assert ledger(machine) == {(PROJECT, Outcome.RECEIVED): 3, (PROJECT, Outcome.TOO_LARGE): 3}


def test_counts_of_an_empty_ring_of_another_geometry_are_carried_over(machine: Machine):
    machine.write_and_stop()
    with closing(Segment.attach(machine.settings.ring_name)) as segment:
        producer = Producer.claim(segment)
        producer.count(PROJECT, Category.EVENT, Outcome.RECEIVED, 2)
        producer.count(PROJECT, Category.EVENT, Outcome.INVALID, 2)
        producer.close()
    machine.variables["BLOOP__SERVER__WORKERS"] = "3"

    machine.write_and_stop()

    assert ledger(machine) == {(PROJECT, Outcome.RECEIVED): 2, (PROJECT, Outcome.INVALID): 2}
