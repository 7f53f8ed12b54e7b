"""Producers, a consumer and every way they die, against a model of what must come out: lists and a few counters.

The model knows, per lane, which records wait and which of them were damaged. Whatever order things happen in, what the
consumer stores is exactly what was pushed, in order, minus what was damaged, and every counter agrees.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bloop.ring import Consumer, Producer, Segment, layout
from tests.unit.ring.support import abandon, fresh_ring_name, overwrite, run_until_killed

LANE_COUNT = 3
LANE_BYTES = 1024
lanes = st.integers(0, LANE_COUNT - 1)
sizes = st.one_of(st.integers(0, 256), st.sampled_from([0, 8, 232, 240, 256]))


@dataclass
class Waiting:
    payload: bytes
    position: int
    damaged: bool = False


@dataclass
class Lane:
    """What the model knows. `head` is where the last record ended."""

    waiting: list[Waiting] = field(default_factory=list)
    head: int = 0
    tail: int = 0
    accepted: int = 0
    dropped: int = 0
    counts: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def place(self, size: int) -> tuple[int, int]:
        """Start and end of a record pushed now."""
        rest = LANE_BYTES - self.head % LANE_BYTES
        need = layout.footprint(size)
        start = self.head + rest if need > rest else self.head
        return start, start + need

    def pass_over(self, passed: int) -> tuple[list[bytes], int]:
        """Take `passed` records off the front: what of them can be stored, and how many are torn."""
        stored, torn, index = [], 0, 0
        while index < passed:
            if not self.waiting[index].damaged:
                stored.append(self.waiting[index].payload)
                index += 1
                continue
            lost = 1 if self.found_again_after(index) else len(self.waiting) - index
            torn, index = torn + lost, index + lost
        assert index == passed, "a torn stretch is given up as a whole"
        return stored, torn

    def found_again_after(self, index: int) -> bool:
        """Whether something that verifies is right behind a damaged record: the head, a whole record, a wrap marker."""
        if index + 1 == len(self.waiting):
            return True
        damaged, following = self.waiting[index : index + 2]
        wraps = following.position != damaged.position + layout.footprint(len(damaged.payload))
        return wraps or not following.damaged


class RingMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock_s = 0.0
        self.serial = 0
        self.cleanup = ExitStack()

    @initialize()
    def make(self) -> None:
        self.segment = Segment.create(
            self.cleanup.enter_context(fresh_ring_name()), lane_count=LANE_COUNT, lane_bytes=LANE_BYTES
        )
        self.model = [Lane() for _ in range(LANE_COUNT)]
        self.producers = [Producer.claim(self.segment) for _ in range(LANE_COUNT)]
        self.consumer = self.claim_consumer()

    def claim_consumer(self) -> Consumer:
        return Consumer.claim(self.segment, monotonic=lambda: self.clock_s)

    def payload(self, size: int) -> bytes:
        self.serial += 1
        return (self.serial.to_bytes(4, "little") * (size // 4 + 1))[:size]

    def published(self, lane: Lane, payload: bytes) -> None:
        start, lane.head = lane.place(len(payload))
        lane.waiting.append(Waiting(payload, start))
        lane.accepted += 1

    @rule(lane=lanes, size=sizes)
    def push(self, lane: int, size: int) -> None:
        known, payload = self.model[lane], self.payload(size)
        fits = known.place(size)[1] <= known.tail + LANE_BYTES

        assert self.producers[lane].push(1, payload) is fits
        if fits:
            self.published(known, payload)
        else:
            known.dropped += 1

    @rule(lane=lanes, size=sizes, instruction=st.integers(0, 130))
    def push_and_be_killed(self, lane: int, size: int, instruction: int) -> None:
        known, payload = self.model[lane], self.payload(size)

        run_until_killed(self.producers[lane].push, 1, payload, instruction=instruction)
        found = self.segment.stat().lanes[lane]
        if found.head != known.head:
            self.published(known, payload)
        known.dropped = found.dropped  # a drop is counted by its last instruction, or not at all
        self.replace_producer(lane)

    @rule(lane=lanes)
    def replace_producer(self, lane: int) -> None:
        abandon(self.producers[lane])
        self.producers[lane] = Producer.claim(self.segment)
        assert self.producers[lane].lane == lane

    @rule(lane=lanes, key=st.tuples(st.integers(0, 3), st.integers(0, 15), st.integers(1, 31)), n=st.integers(1, 5))
    def count(self, lane: int, key: tuple[int, int, int], n: int) -> None:
        self.producers[lane].count(*key, n)
        counts = self.model[lane].counts
        counts[key] = counts.get(key, 0) + n

    @precondition(lambda self: any(lane.waiting for lane in self.model))
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from([n for n in range(LANE_COUNT) if self.model[n].waiting]))
        victim = data.draw(st.sampled_from(self.model[lane].waiting))
        if not victim.damaged:
            shared = self.segment.shared()
            at = shared.geometry.area(lane) + victim.position % LANE_BYTES + 8
            overwrite(self.segment, lane, victim.position + 8, bytes([shared.area[at] ^ 1]))
            victim.damaged = True

    @rule(records_max=st.integers(1, 12), bytes_max=st.sampled_from([1, 300, 4096]), end=st.sampled_from("RFCK"))
    def store(self, records_max: int, bytes_max: int, end: str) -> None:
        """Read and store a batch; then release, or have the COMMIT fail, or die after it, or die in the release."""
        self.clock_s += layout.VISIBLE_WITHIN_S
        batch = self.consumer.read(records_max, bytes_max)
        assert len(batch.records) <= records_max
        assert batch.bytes <= bytes_max or len(batch.records) == 1
        expected = {n: self.model[n].pass_over(passed) for n, passed in batch.passed.items()}
        for n, (stored, _) in expected.items():
            assert [payload for _, payload, lane in batch.records if lane == n] == stored
        assert batch.torn == sum(torn for _, torn in expected.values())
        if end == "F":
            return
        for n, passed in batch.passed.items():
            del self.model[n].waiting[:passed]
            self.model[n].tail = batch.positions[n]
        if end == "R":
            self.consumer.release(batch)
            return
        if end == "K":
            run_until_killed(self.consumer.release, batch, instruction=self.serial % 90)
        self.consumer.close()
        self.consumer = self.claim_consumer()
        self.consumer.resume(batch.positions)

    @rule(records_max=st.integers(1, 5), instruction=st.integers(0, 700))
    def die_reading(self, records_max: int, instruction: int) -> None:
        run_until_killed(self.consumer.read, records_max, 4096, instruction=instruction)
        self.consumer.close()
        self.consumer = self.claim_consumer()

    @invariant()
    def counters_agree(self) -> None:
        found = self.segment.stat()
        for lane, known in zip(found.lanes, self.model, strict=True):
            assert (lane.head, lane.tail) == (known.head, known.tail)
            assert (lane.accepted, lane.dropped) == (known.accepted, known.dropped)
        damaged = any(record.damaged for lane in self.model for record in lane.waiting)
        waiting = sum(len(lane.waiting) for lane in self.model)
        assert damaged or self.consumer.pending() == found.pending_records == waiting
        cells = {tuple(key): value for *key, value in self.consumer.cells()}
        assert cells == {(n, *key): value for n, lane in enumerate(self.model) for key, value in lane.counts.items()}

    def teardown(self) -> None:
        if not hasattr(self, "segment"):
            return
        try:
            for producer in self.producers:
                producer.close()
            while any(lane.waiting for lane in self.model):
                self.store(100, 1 << 20, "R")
            assert self.consumer.read(1, 1).positions == {}
            assert self.consumer.pending() == 0
        finally:
            self.consumer.close()
            self.segment.close()
            self.cleanup.close()


TestRing = RingMachine.TestCase
TestRing.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
