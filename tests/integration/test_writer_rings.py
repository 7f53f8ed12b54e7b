"""Rings that change or disappear under the writer, and what they had spilled (workers/rings.py G1 to G3).

Whatever became of the ring: what was accepted and is in memory or on the disk is stored once, and the ledger balances.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import apsw
import pytest

from bloop.base import config
from bloop.base.errors import ConfigError, RingMismatch
from bloop.base.outcomes import REFUSALS, Outcome
from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.ingest.dialects.native import Event
from bloop.projects import store as projects
from bloop.records.record import Kind, encode_event
from bloop.ring import Producer, Segment, Spill, spill
from tests.integration.ring.processes import Board, Processes, sleep_for_ever
from tests.unit.ring.support import abandon
from tests.waiting import until
from workers import rings
from workers.process import StopFlag
from workers.writer import Writer

T0 = 1_760_000_400_000
PROJECT = 1
STACK = "x" * 1500
PER_LANE = 300  # records of this size fill a lane of 256 KiB and some of the spill


class Machine:
    """One database and what runs on it: producers that are killed, writers that come and go, memory that is lost."""

    def __init__(self, folder: Path, name: str, **variables: str) -> None:
        self.variables = {
            "BLOOP__DATABASE__PATH": str(folder / "bloop.db"),
            "BLOOP__DATABASE__DISK_FREE_BYTES_MIN": "0",
            "BLOOP__RING__NAME": name,
            "BLOOP__SERVER__WORKERS": "1",
            "BLOOP__INGEST__CHANNEL_CAPACITY": "512",
            **variables,
        }
        self.sent: list[str] = []
        migrate.migrate(self.settings.database_path, T0)
        with closing(connection.open_writer(self.settings.database_path)) as db:
            projects.ensure_default_project(db, "s" * 40, T0)

    @property
    def settings(self) -> config.Settings:
        return config.load(None, self.variables, secret_required=False)

    def take_in(self, n: int) -> None:
        """A worker that answers `n` events `accepted` and is killed."""
        settings = self.settings
        spilling = Spill(settings.spill_folder, settings.ingest.spill_bytes_max, 0)
        with closing(Segment.attach(settings.ring_name)) as segment:
            producer = Producer.claim(segment, spilling)
            for _ in range(n):
                self.sent.append(f"id-{len(self.sent)}")
                producer.count(PROJECT, Outcome.RECEIVED)
                assert producer.push(Kind.EVENT, encode_event(PROJECT, T0, "aa", "v1", event(self.sent[-1])))
            abandon(producer)

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        settings = self.settings
        with ExitStack() as handles:
            db = connection.open_writer(settings.database_path)
            handles.callback(db.close)
            yield Writer(settings, db, rings.open_ring(settings, db, make_kinds, handles))

    def write_and_stop(self) -> None:
        """A writer's whole life, asked to stop from the start."""
        with self.writer() as writer:
            assert writer.run(stopping())

    def restart(self) -> None:
        """The machine: what was in memory is gone."""
        assert Segment.unlink(self.settings.ring_name)

    def read(self, sql: str) -> list[tuple]:
        with closing(connection.open_reader(self.settings.database_path)) as db:
            return db.execute(sql).fetchall()

    @property
    def stored(self) -> list[str]:
        return [row[0] for row in self.read("SELECT request_id FROM events ORDER BY rowid")]

    @property
    def ledger(self) -> dict[int, int]:
        return dict(self.read("SELECT outcome, count FROM ledger_totals"))

    def assert_balanced(self) -> None:
        ledger = self.ledger
        assert ledger[Outcome.RECEIVED] == sum(ledger.get(outcome, 0) for outcome in (Outcome.STORED, *REFUSALS))
        assert ledger[Outcome.STORED] == len(self.stored)


def event(request_id: str) -> Event:
    fields = dict.fromkeys(Event.__struct_fields__) | {
        "timestamp_ms": T0,
        "source": "api",
        "environment": "production",
        "release": "1.0.0",
        "error_type": "TypeError",
        "message": "boom",
        "stack": STACK,
        "request_id": request_id,
        "level": "error",
    }
    return Event(**fields)


def stopping() -> StopFlag:
    stop = StopFlag()
    stop.signum = 15
    return stop


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
    """A ring that is full, with more of its lane on the disk, and nothing stored yet."""
    machine.write_and_stop()
    machine.take_in(PER_LANE)
    with closing(Segment.attach(machine.settings.ring_name)) as segment:
        lane = segment.stat().lanes[0]
    assert lane.used_bytes > 0
    assert lane.spill_records > 50
    return machine


def test_a_writer_stores_what_spilled_and_leaves_no_file(spilled: Machine):
    spilled.write_and_stop()

    assert spilled.stored == spilled.sent
    assert spill.files(spilled.settings.spill_folder) == []
    spilled.assert_balanced()


def test_what_spilled_is_stored_after_the_machine_restarted(spilled: Machine):
    with spilled.writer() as writer:
        writer._store.store([], {}, writer._consumer.cells(), now_ms=T0)  # counts reached the ledger, records did not
    spilled.restart()

    spilled.write_and_stop()

    lost = spilled.ledger[Outcome.INTERRUPTED]
    assert lost == len(spilled.sent) - len(spilled.stored)
    assert spilled.stored == spilled.sent[lost:], "what was in the ring is gone, what was on the disk is not"
    spilled.assert_balanced()
    assert spilled.read("SELECT * FROM ring_cells") == [], "its accounts are closed"


def test_records_whose_count_went_with_the_ring_are_counted_when_they_are_stored(spilled: Machine):
    spilled.restart()

    spilled.write_and_stop()

    assert 0 < spilled.ledger[Outcome.RECEIVED] == len(spilled.stored) < len(spilled.sent)
    spilled.assert_balanced()


def test_what_is_left_of_two_restarts_is_stored_once_and_new_records_beside_it(spilled: Machine):
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
    """G1"""
    spilled.variables |= change

    with spilled.writer() as writer:
        segment = writer._segment
        assert (segment.lane_count, segment.lane_bytes) == (spilled.settings.lane_count, spilled.settings.lane_bytes)
        spilled.take_in(1)
        assert writer.run(stopping())

    assert sorted(spilled.stored) == sorted(spilled.sent)
    spilled.assert_balanced()


def test_a_writer_that_died_draining_the_old_ring_stores_nothing_twice(spilled: Machine, monkeypatch):
    """G1"""
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
    """G3"""
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


def test_no_folder_is_made_where_nothing_may_spill(machine: Machine):
    machine.variables["BLOOP__INGEST__SPILL_BYTES_MAX"] = "0"

    machine.write_and_stop()

    assert not machine.settings.spill_folder.exists()
