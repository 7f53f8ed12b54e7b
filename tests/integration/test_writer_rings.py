"""Rings that change or disappear under the writer, and their spilled records (workers/rings.py RINGS-1 to RINGS-3).

Whatever became of the ring: what was accepted and is in memory or on the disk is stored once, and the ledger balances.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from bloop.base.errors import ConfigError, RingMismatch
from bloop.base.outcomes import Outcome
from bloop.ring import Producer, Segment, WriterState, spill
from tests.integration.ring.processes import Board, Processes, sleep_for_ever
from tests.integration.writer_machine import T0, Machine, stopping
from tests.waiting import until
from workers import rings

PER_LANE = 300  # records of this size fill a lane of 256 KiB and some of the spill


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path, f"bloop-test-rings-{os.getpid()}")
    yield machine
    Segment.unlink(machine.settings.ring_name)


@pytest.fixture
def processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.kill_all()


@pytest.fixture
def spilled(machine: Machine) -> Machine:
    """A full ring with more records of its lane on the disk, and nothing stored yet."""
    machine.write_and_stop()
    machine.take_in(PER_LANE)
    with closing(Segment.attach(machine.settings.ring_name)) as segment:
        lane = segment.stat().lanes[0]
    assert lane.used_bytes > 0
    assert lane.spill_records > 50
    return machine


def test_a_writer_stores_spilled_records_and_leaves_no_file(spilled: Machine):
    spilled.write_and_stop()

    assert spilled.stored == spilled.sent
    assert spill.files(spilled.settings.spill_folder) == []
    spilled.assert_balanced()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (apsw.CorruptError("malformed"), WriterState.DAMAGED),
        (apsw.NotADBError("not a database"), WriterState.DAMAGED),
        (apsw.FullError("full"), WriterState.DISK_FULL),
        (apsw.BusyError("locked"), WriterState.BUSY),
    ],
)
def test_a_batch_that_the_database_refuses_waits_and_the_ring_says_why(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, error: apsw.Error, state: WriterState
):
    def refuse(*_: object, **__: object) -> None:
        raise error

    with machine.writer() as writer, closing(Segment.attach(machine.settings.ring_name)) as segment:
        machine.take_in(3)
        with monkeypatch.context() as patch:
            patch.setattr(writer._store, "store", refuse)
            assert writer.drain_once() is None
        assert (segment.writer_state, segment.stat().pending_records) == (state, 3)

        assert writer.drain_once() == 3

        assert segment.writer_state is WriterState.RUNNING
    assert machine.stored == machine.sent


def test_spilled_records_are_stored_after_the_machine_restarted(spilled: Machine):
    with spilled.writer() as writer:
        writer._store.store([], {}, writer._consumer.cells(), now_ms=T0)  # counts reached the ledger, records did not
    spilled.restart()

    spilled.write_and_stop()

    lost = spilled.ledger[Outcome.INTERRUPTED]
    assert lost == len(spilled.sent) - len(spilled.stored)
    assert spilled.stored == spilled.sent[lost:], "what was in the ring is gone, what was on the disk is not"
    spilled.assert_balanced()
    assert spilled.read("SELECT * FROM ring_cells") == [], "its accounts are closed"


def test_records_whose_count_was_lost_with_the_ring_are_counted_when_stored(spilled: Machine):
    spilled.restart()

    spilled.write_and_stop()

    assert 0 < spilled.ledger[Outcome.RECEIVED] == len(spilled.stored) < len(spilled.sent)
    spilled.assert_balanced()


def test_records_spilled_before_two_restarts_are_stored_once_beside_new_ones(spilled: Machine):
    spilled.restart()
    spilled.variables["BLOOP__SERVER__WORKERS"] = "1"
    with spilled.writer() as writer:
        batch = writer._consumer.read(40, 1 << 20)
        writer._store.store(batch.records, batch.positions, [], now_ms=T0)  # killed before the release
    spilled.take_in(PER_LANE)
    spilled.restart()

    with spilled.writer() as writer:
        assert len({orphan.ring_id for orphan in writer._consumer.orphans}) == 2
        spilled.take_in(3)
        assert writer.run(stopping())

    stored = spilled.stored
    assert len(set(stored)) == len(stored)
    assert set(spilled.sent[-3:]) < set(stored) < set(spilled.sent)
    assert spill.files(spilled.settings.spill_folder) == []
    spilled.assert_balanced()


def test_a_restart_after_everything_was_stored_loses_and_repeats_nothing(spilled: Machine):
    spilled.write_and_stop()
    spilled.restart()

    spilled.write_and_stop()

    assert spilled.stored == spilled.sent
    assert Outcome.INTERRUPTED not in spilled.ledger
    spilled.assert_balanced()


@pytest.mark.parametrize(
    "change",
    [{"BLOOP__SERVER__WORKERS": "3"}, {"BLOOP__INGEST__CHANNEL_CAPACITY": "1024"}],
    ids=["workers", "capacity"],
)
def test_a_ring_of_another_geometry_is_drained_and_replaced(spilled: Machine, change: dict[str, str]):
    """RINGS-1"""
    spilled.variables |= change

    with spilled.writer() as writer:
        segment = writer._segment
        assert (segment.lane_count, segment.lane_bytes) == (spilled.settings.lane_count, spilled.settings.lane_bytes)
        spilled.take_in(1)
        assert writer.run(stopping())

    assert sorted(spilled.stored) == sorted(spilled.sent)
    spilled.assert_balanced()


def test_a_writer_that_died_draining_the_old_ring_stores_nothing_twice(spilled: Machine, monkeypatch):
    """RINGS-1"""
    spilled.variables["BLOOP__SERVER__WORKERS"] = "3"
    store, batches = rings.Store.store, []

    def store_once(self, records, *rest, **settings):
        if batches:
            raise apsw.FullError("the disk is full")
        batches.append(records)
        return store(self, records, *rest, **settings)

    monkeypatch.setattr(rings, "_DRAIN_RECORDS", 40)
    monkeypatch.setattr(rings.Store, "store", store_once)
    with pytest.raises(apsw.FullError), spilled.writer():
        pass
    monkeypatch.undo()
    assert len(spilled.stored) == 40

    spilled.write_and_stop()

    assert sorted(spilled.stored) == sorted(spilled.sent)
    spilled.assert_balanced()


def test_a_ring_of_another_geometry_that_is_in_use_is_left_alone(spilled: Machine, processes: Processes):
    board = Board(1)

    def work() -> None:
        with closing(Segment.attach(spilled.settings.ring_name)) as segment, closing(Producer.claim(segment)):
            board[0] = 1
            sleep_for_ever()

    processes.start(work)
    until(lambda: board[0] == 1, "its claim")
    spilled.variables["BLOOP__SERVER__WORKERS"] = "3"

    with pytest.raises(RingMismatch, match="in use"), spilled.writer():
        pass

    assert spilled.stored == []
    board.close()


def test_two_writers_never_share_a_spill_folder(machine: Machine, tmp_path: Path):
    """RINGS-3"""
    machine.variables["BLOOP__INGEST__SPILL_DIR"] = str(tmp_path / "shared")
    (tmp_path / "shared").mkdir()
    other = os.open(tmp_path / "shared", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)

    with pytest.raises(ConfigError, match="each needs its own"), machine.writer():
        pass

    os.close(other)
    machine.write_and_stop()


def test_a_spill_folder_that_cannot_be_made_is_named(machine: Machine, tmp_path: Path):
    (tmp_path / "file").write_text("")
    machine.variables["BLOOP__INGEST__SPILL_DIR"] = str(tmp_path / "file" / "spill")

    with pytest.raises(ConfigError, match=r"ingest\.spill_dir: cannot use"), machine.writer():
        pass


def test_no_folder_is_made_if_spilling_is_off(machine: Machine):
    machine.variables["BLOOP__INGEST__SPILL_BYTES_MAX"] = "0"

    machine.write_and_stop()

    assert not machine.settings.spill_folder.exists()
