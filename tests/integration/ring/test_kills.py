"""Exactly once, whichever process is killed: producers anywhere in a push or a spill, the writer anywhere
around COMMIT, or while it removes stored files (RING-R2, RING-R6, RING-R9, RING-R15, RING-R16)."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from bloop.base.errors import LaneUnavailable
from bloop.ring import Consumer, Producer, Segment, Spill, spill
from tests.integration.ring.processes import Board, Processes, sleep_for_ever
from tests.waiting import lives_on, until

EVENT = 0
RECEIVED, RING_FULL = 1, 3
PROJECT_ID = 7
SCHEMA = """
CREATE TABLE events (producer INTEGER, serial INTEGER, lane INTEGER);
CREATE TABLE positions (lane INTEGER PRIMARY KEY, position INTEGER);
CREATE TABLE booked (lane INTEGER, outcome INTEGER, value INTEGER, PRIMARY KEY (lane, outcome));
CREATE TABLE ledger (outcome INTEGER PRIMARY KEY, total INTEGER);
"""


def folder_of(path: Path) -> Path:
    return path.with_name("spill")


def open_database(path: Path) -> sqlite3.Connection:
    """Committed means safe from SIGKILL here, not from a power cut: that is SQLite's matter."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    return db


def claim_consumer(segment: Segment, path: Path) -> Consumer:
    claimed: list[Consumer] = []

    def attempt() -> bool:
        try:
            claimed.append(Consumer.claim(segment, folder_of(path)))
        except LaneUnavailable:
            return False
        return True

    until(attempt, "the writer's place to be free")
    return claimed[0]


def book_counts(db: sqlite3.Connection, consumer: Consumer) -> None:
    """What was counted since it was last booked; the same transaction moves the mark."""
    for lane, _, _, outcome, value in consumer.cells():
        row = db.execute("SELECT value FROM booked WHERE lane = ? AND outcome = ?", (lane, outcome)).fetchone()
        new = value - (row[0] if row else 0)
        assert new >= 0, "counts never go back"
        db.execute("INSERT OR REPLACE INTO booked VALUES (?, ?, ?)", (lane, outcome, value))
        db.execute(
            "INSERT INTO ledger VALUES (?, ?) ON CONFLICT DO UPDATE SET total = total + excluded.total", (outcome, new)
        )


def store_one_batch(db: sqlite3.Connection, consumer: Consumer) -> int:
    batch = consumer.read(500, 1 << 20)
    assert batch.torn == 0, "no kill tears a record"
    db.execute("BEGIN IMMEDIATE")
    rows = [(p[0], int.from_bytes(p[1:9], "little"), lane) for _, p, lane in batch.records]
    db.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
    db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", batch.positions.items())
    book_counts(db, consumer)
    db.execute("COMMIT")
    consumer.release(batch)
    return len(batch.records)


def write(segment: Segment, path: Path) -> None:
    db, consumer = open_database(path), claim_consumer(segment, path)
    consumer.resume(dict(db.execute("SELECT lane, position FROM positions")))
    while True:
        if store_one_batch(db, consumer) == 0:
            consumer.wait(0.05)


def produce(segment: Segment, board: Board, producer_id: int, spilling: Spill | None) -> None:
    """Push serial numbers; the board holds how many the "client" was told are accepted."""
    producer, serial = Producer.claim(segment, spilling), 0
    filler = bytes([producer_id]) * 300
    while True:
        payload = bytes([producer_id]) + serial.to_bytes(8, "little") + filler[: serial * 31 % 300]
        producer.count(PROJECT_ID, EVENT, RECEIVED)
        if producer.push(1, payload):
            serial += 1
            board[producer_id] = serial
        else:
            producer.count(PROJECT_ID, EVENT, RING_FULL)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "events.db"
    with closing(open_database(path)) as db:
        db.executescript(SCHEMA)
    return path


@pytest.fixture
def board():
    board = Board(256)
    yield board
    board.close()


def storm(
    segment: Segment, path: Path, board: Board, processes: Processes, spilling: Spill | None, *, lasting_s: float
) -> int:
    """Kill a random producer or the writer again and again; return how many producers there were."""
    choice = random.Random(1)
    producers = {1: processes.start(lambda: produce(segment, board, 1, spilling))}
    started = 1
    writer = processes.start(lambda: write(segment, path))
    over_at = time.monotonic() + lasting_s
    while time.monotonic() < over_at and started < 250:
        if len(producers) < 2:
            started += 1
            producers[started] = processes.start(lambda: produce(segment, board, started, spilling))
        settled = time.monotonic() + 0.5
        until(lambda: board[started] > 0 or time.monotonic() > settled, "the newest to push, or to have had its time")
        assert lives_on(writer, choice.uniform(0.002, 0.03))
        if choice.random() < 0.4:
            processes.kill(writer)
            writer = processes.start(lambda: write(segment, path))
        else:
            processes.kill(producers.pop(choice.choice(sorted(producers))))
    for pid in (*producers.values(), writer):
        processes.kill(pid)
    return started


@pytest.mark.parametrize("spill_bytes_max", [0, 1 << 18])
def test_what_was_accepted_is_stored_exactly_once_in_a_storm_of_kills(name, processes, path, board, spill_bytes_max):
    """Producers as fast as they can, so that lanes are full, and spills begin and end, all the time."""
    segment = Segment.create(name, lane_count=4, lane_bytes=1 << 15)
    spilling = Spill(folder_of(path), spill_bytes_max, 0) if spill_bytes_max else None

    started = storm(segment, path, board, processes, spilling, lasting_s=4.0)

    with closing(open_database(path)) as db:
        consumer = claim_consumer(segment, path)
        consumer.resume(dict(db.execute("SELECT lane, position FROM positions")))
        while store_one_batch(db, consumer):
            pass
        assert consumer.pending() == 0
        consumer.close()
        stored_total = 0
        for producer_id in range(1, started + 1):
            serials = [
                s for (s,) in db.execute("SELECT serial FROM events WHERE producer = ? ORDER BY rowid", (producer_id,))
            ]
            assert serials == list(range(len(serials))), "each once, in order, none missing"
            # One more than the board says: pushed, and killed before it could tell.
            assert len(serials) - board[producer_id] in (0, 1)
            stored_total += len(serials)
        ledger = dict(db.execute("SELECT outcome, total FROM ledger"))
    unanswered = ledger[RECEIVED] - ledger.get(RING_FULL, 0) - stored_total
    assert 0 <= unanswered <= started, "at most one record per killed producer was counted and went nowhere"
    assert stored_total > 1000
    lanes = segment.stat().lanes
    assert sum(lane.accepted + lane.spilled for lane in lanes) == stored_total
    assert (sum(lane.spilled for lane in lanes) > 1000) is (spilling is not None)
    assert [file for file in spill.files(folder_of(path)) if file.path.stat().st_size] == []
    segment.close()


def test_a_writer_killed_between_commit_and_release_stores_nothing_twice(name, processes, path, board):
    segment = Segment.create(name, lane_count=1, lane_bytes=1 << 15)
    producer = Producer.claim(segment)
    for serial in range(100):
        producer.push(1, bytes([1]) + serial.to_bytes(8, "little"))

    def commit_without_release() -> None:
        db, consumer = open_database(path), claim_consumer(segment, path)
        batch = consumer.read(60, 1 << 20)
        db.execute("BEGIN IMMEDIATE")
        rows = [(p[0], int.from_bytes(p[1:9], "little"), lane) for _, p, lane in batch.records]
        db.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
        db.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", batch.positions.items())
        db.execute("COMMIT")
        board[0] = 1
        sleep_for_ever()

    pid = processes.start(commit_without_release)
    until(lambda: board[0] == 1, "its commit")
    processes.kill(pid)
    assert segment.stat().lanes[0].tail == 0

    processes.start(lambda: write(segment, path))

    until(lambda: segment.stat().pending_records == 0, "the ring to be empty")
    with closing(open_database(path)) as db:
        assert [s for (s,) in db.execute("SELECT serial FROM events ORDER BY rowid")] == list(range(100))
    producer.close()
    segment.close()
