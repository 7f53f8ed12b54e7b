"""Overflowing lanes, dying processes and a machine that restarts, against a model: lists of payloads.

The model knows, per lane, which records wait, in one list: what spilled stands behind what is in the ring. Whatever
happens in whatever order, what is stored is exactly what was taken, once, in order; a restart of the machine costs what
was in memory, and of the disk what was not written yet.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bloop.ring import Consumer, Producer, Segment, Spill, layout, spill
from tests.unit.ring.support import abandon, fresh_ring_name, run_until_killed

LANE_COUNT = 2
LANE_BYTES = 1024
BYTES_MAX = 8 * 1024  # in files of one KiB
lanes = st.integers(0, LANE_COUNT - 1)
sizes = st.one_of(st.integers(0, 256), st.sampled_from([0, 240, 256]))

Place = tuple[int, int]  # ring id, slot: what a position is stored under


class SpillMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.serial = 0
        self.cleanup = ExitStack()

    @initialize()
    def make(self) -> None:
        self.name = self.cleanup.enter_context(fresh_ring_name())
        self.folder = Path(self.cleanup.enter_context(tempfile.TemporaryDirectory())) / "spill"
        self.spill = Spill(self.folder, BYTES_MAX, 0)
        self.database: dict[Place, int] = {}
        self.orphaned: dict[Place, list[bytes]] = {}
        self.start()

    def start(self) -> None:
        self.segment = Segment.create(self.name, lane_count=LANE_COUNT, lane_bytes=LANE_BYTES)
        self.waiting: list[list[bytes]] = [[] for _ in range(LANE_COUNT)]
        self.producers = [Producer.claim(self.segment, self.spill) for _ in range(LANE_COUNT)]
        self.claim_consumer()

    def claim_consumer(self) -> None:
        self.consumer = Consumer.claim(self.segment, self.folder, monotonic=lambda: self.now_s)
        own = {slot: at for (ring_id, slot), at in self.database.items() if ring_id == self.segment.ring_id}
        orphans_found = self.consumer.orphans
        orphans = {one.slot: self.database.get((one.ring_id, one.spill_slot), 0) for one in orphans_found}
        self.consumer.resume(own | orphans)
        there = {(orphan.ring_id, orphan.spill_slot) for orphan in orphans_found}
        assert all(left == [] for place, left in self.orphaned.items() if place not in there)
        self.orphaned = {place: left for place, left in self.orphaned.items() if place in there}

    def payload(self, size: int) -> bytes:
        self.serial += 1
        return (self.serial.to_bytes(4, "little") * (size // 4 + 1))[:size]

    def files(self, lane: int) -> list[spill.SpillFile]:
        return spill.files_of(self.folder, self.segment.ring_id, lane)

    def on_disk_bytes(self) -> int:
        return sum(file.path.stat().st_size for lane in range(LANE_COUNT) for file in self.files(lane))

    @rule(lane=lanes, size=sizes)
    def push(self, lane: int, size: int) -> None:
        before, payload = self.segment.stat().lanes[lane], self.payload(size)
        is_taken = self.producers[lane].push(1, payload)
        after = self.segment.stat().lanes[lane]

        assert is_taken or self.on_disk_bytes() + layout.footprint(size) > BYTES_MAX
        assert after.dropped - before.dropped == (not is_taken)
        assert (after.spilled > before.spilled) <= (before.spill_bytes > 0 or before.used_bytes > 0)
        assert not (before.spill_bytes and after.accepted > before.accepted), "it would overtake"
        self.waiting[lane] += [payload] * is_taken

    @rule(lane=lanes, size=sizes, n=st.integers(3, 40))
    def burst(self, lane: int, size: int, n: int) -> None:
        for _ in range(n):
            self.push(lane, size)

    @rule(lane=lanes, size=sizes, instruction=st.integers(0, 600), torn=st.integers(0, 300))
    def push_and_be_killed(self, lane: int, size: int, instruction: int, torn: int) -> None:
        before, payload = self.segment.stat().lanes[lane], self.payload(size)
        run_until_killed(self.producers[lane].push, 1, payload, instruction=instruction)
        after = self.segment.stat().lanes[lane]
        published = after.accepted + after.spilled - before.accepted - before.spilled
        assert published in (0, 1)
        self.waiting[lane] += [payload] * published
        if after.spill_bytes:  # a write that was cut short
            with self.files(lane)[-1].path.open("ab") as file:
                file.write(b"torn" * (torn // 4))
        self.replace_producer(lane)

    @rule(lane=lanes)
    def replace_producer(self, lane: int) -> None:
        abandon(self.producers[lane])
        self.producers[lane] = Producer.claim(self.segment, self.spill)
        assert self.producers[lane].lane == lane

    @rule(records_max=st.integers(1, 60), bytes_max=st.sampled_from([1, 700, 1 << 20]), end=st.sampled_from("RRFCK"),
          instruction=st.integers(0, 500))  # fmt: skip
    def store(self, records_max: int, bytes_max: int, end: str, instruction: int = 0) -> None:
        """Read and store a batch; then release, or have the COMMIT fail, or die after it, or die in the release."""
        self.now_s += layout.VISIBLE_WITHIN_S
        orphans = {orphan.slot: orphan for orphan in self.consumer.orphans}
        batch = self.consumer.read(records_max, bytes_max)
        assert len(batch.records) <= records_max
        assert batch.bytes <= bytes_max or len(batch.records) == 1
        stored = self.compare(batch, orphans)
        if end == "F":
            return
        for waiting, n in stored:
            del waiting[:n]
        for slot, position in batch.positions.items():
            orphan = orphans.get(slot)
            place = (orphan.ring_id, orphan.spill_slot) if orphan else (self.segment.ring_id, slot)
            self.database[place] = position
        if end == "R":
            self.consumer.release(batch)
            self.forget_finished()
            return
        if end == "K":
            run_until_killed(self.consumer.release, batch, instruction=instruction)
        self.consumer.close()
        self.claim_consumer()
        self.forget_finished()

    def compare(self, batch, orphans) -> list[tuple[list[bytes], int]]:
        """What the batch holds of each list; it must be the front of it."""
        found = []
        for slot in {slot for _, _, slot in batch.records}:
            orphan = orphans.get(slot)
            waiting = self.orphaned[orphan.ring_id, orphan.spill_slot] if orphan else self.waiting[slot]
            payloads = [payload for _, payload, of in batch.records if of == slot]
            assert payloads == waiting[: len(payloads)]
            found.append((waiting, len(payloads)))
        assert not batch.torn or set(batch.positions) & set(orphans), "only a restart of the machine tears records"
        return found

    def forget_finished(self) -> None:
        for orphan in self.consumer.finished_orphans():
            assert self.orphaned.pop((orphan.ring_id, orphan.spill_slot)) == []
            self.database.pop((orphan.ring_id, orphan.spill_slot), None)

    @rule(records_max=st.integers(1, 30), instruction=st.integers(0, 1500))
    def die_reading(self, records_max: int, instruction: int) -> None:
        run_until_killed(self.consumer.read, records_max, 4096, instruction=instruction)
        self.consumer.close()
        self.claim_consumer()

    @rule(lost=st.lists(st.integers(0, 600), min_size=LANE_COUNT, max_size=LANE_COUNT))
    def restart_the_machine(self, lost: list[int]) -> None:
        """The ring is gone, and the end of each spill's last file."""
        for lane, found in enumerate(self.segment.stat().lanes):
            if files := self.files(lane):
                left = self.waiting[lane][len(self.waiting[lane]) - found.spill_records :]
                self.cut(files[-1], left, lost[lane])
                self.orphaned[self.segment.ring_id, spill.SPILL_SLOT_0 + lane] = left
        for handle in (*self.producers, self.consumer, self.segment):
            handle.close()
        Segment.unlink(self.name)
        self.start()

    def cut(self, file: spill.SpillFile, left: list[bytes], lost: int) -> None:
        end = file.path.stat().st_size
        keep = max(0, end - lost)
        os.truncate(file.path, keep)
        while left and end > keep:
            end -= layout.footprint(len(left.pop()))

    @invariant()
    def counters_agree(self) -> None:
        if not hasattr(self, "segment"):
            return
        found = self.segment.stat()
        assert found.pending_records == sum(len(waiting) for waiting in self.waiting)
        for lane, waiting in zip(found.lanes, self.waiting, strict=True):
            assert lane.spill_records <= len(waiting)
            assert bool(lane.spill_records) == bool(lane.spill_bytes)
            assert not lane.spill_bytes or self.files(lane.index)

    def teardown(self) -> None:
        if not hasattr(self, "segment"):
            return
        try:
            while self.segment.stat().waiting_bytes or self.consumer.orphans:
                self.store(100, 1 << 20, "R")
                self.forget_finished()
            self.consumer.tidy()
            assert self.waiting == [[]] * LANE_COUNT
            assert self.orphaned == {}
            # Of a producer killed before its first record was whole, until the next one of this lane spills.
            assert self.on_disk_bytes() == 0
        finally:
            for handle in (*self.producers, self.consumer, self.segment):
                handle.close()
            self.cleanup.close()


TestSpill = SpillMachine.TestCase
TestSpill.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
