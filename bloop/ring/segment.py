"""The ring as a whole: make it, open it, read its shared words, look at its lanes.

A `Segment` is a light handle. A process may hold several of one ring; they share one mapping, which is closed with
the last `Segment`, `Producer` or `Consumer` that uses it. The ring itself outlives every process; only
`Segment.unlink` ends it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from bloop.ring import layout, mapping
from bloop.ring.layout import Geometry
from bloop.ring.mapping import CLOSED, Mapping


class WriterState(IntEnum):
    """What the consumer is doing, for `/health`. Stored in shared memory: append, never renumber."""

    STOPPED = 0
    RUNNING = 1
    DISK_FULL = 2
    BUSY = 3
    DAMAGED = 4  # the database is


class LaneStat(NamedTuple):
    index: int  # type: ignore[assignment]  # shadows tuple.index, which has no use here
    producer_pid: int  # 0 when the lane is free
    head: int
    tail: int
    used_bytes: int
    accepted: int
    dropped: int
    claimed: bool
    spilled: int = 0  # records in total
    spill_records: int = 0  # waiting on the disk
    spill_bytes: int = 0

    @property
    def waiting_bytes(self) -> int:
        """In the lane and on the disk."""
        return self.used_bytes + self.spill_bytes


class RingStat(NamedTuple):
    ring_id: int
    lanes: list[LaneStat]
    used_bytes: int
    capacity_bytes: int
    fill: float  # 0.0 to 1.0; 1.0 while anything waits on the disk
    pending_records: int  # in the ring and on the disk
    heartbeat_ms: int
    writer_state: WriterState
    generation: int
    consumer_claimed: bool
    spill_records: int = 0
    spill_bytes: int = 0

    @property
    def waiting_bytes(self) -> int:
        """In the lanes and on the disk."""
        return self.used_bytes + self.spill_bytes


class Meters(NamedTuple):
    """Words that producers and consumer add to; their meaning is defined by the code that adds."""

    consumer: list[int]  # layout.CONSUMER_METERS words
    lanes: list[list[int]]  # layout.LANE_METERS words each


class Segment:
    """A handle on one ring, for any thread. Only opening and `bump_generation` wait, for locks held briefly."""

    __slots__ = ("_mapping", "_words", "lane_bytes", "lane_count", "name", "ring_id")

    def __init__(self, owned: Mapping) -> None:
        self._mapping: Mapping | None = owned
        self._words = owned.words
        self.name, self.ring_id = owned.name, owned.ring_id
        self.lane_count, self.lane_bytes = owned.geometry.lane_count, owned.geometry.lane_bytes

    @classmethod
    def create(cls, name: str, *, lane_count: int, lane_bytes: int) -> Segment:
        """Open the ring of this geometry, making it if there is none; `lane_bytes` is rounded up to a multiple of 64.

        A ring of another geometry or layout is replaced when it is empty and no process holds a claim in it. Its counts
        are lost: read them first with `attach_to_drain`.

        Raises:
            RingMismatch: it is not empty, in use, or not a bloop ring.
            RingError: shared memory has no room for it, or it belongs to another user.
        """
        return cls(mapping.create(mapping.checked_name(name), Geometry.fitting(lane_count, lane_bytes)))

    @classmethod
    def attach(cls, name: str) -> Segment:
        """Open the existing ring; RingMissing, RingMismatch."""
        return cls(mapping.attach(mapping.checked_name(name)))

    @classmethod
    def attach_to_drain(cls, name: str) -> Segment:
        """As `attach`, also a ring of an older layout, of which only `stat` and a `Consumer` make sense."""
        return cls(mapping.attach(mapping.checked_name(name), any_version=True))

    @classmethod
    def unlink(cls, name: str) -> bool:
        """Remove the ring, its contents and its doorbell; False when there was none."""
        return mapping.unlink(mapping.checked_name(name))

    def is_laid_out(self, *, lane_count: int, lane_bytes: int) -> bool:
        """Whether `create` with the same arguments would open this ring as it is."""
        return self.shared().geometry == Geometry.fitting(lane_count, lane_bytes)

    @property
    def payload_bytes_max(self) -> int:
        """The largest payload `Producer.push` takes."""
        return layout.payload_bytes_max(self.lane_bytes)

    @property
    def is_current(self) -> bool:
        """False once the ring was replaced or unlinked: time to close this handle and attach again."""
        return self._words[layout.W_MAGIC] == layout.MAGIC

    @property
    def generation(self) -> int:
        """Changes whenever project keys or other control-plane rows did."""
        return self._words[layout.W_GENERATION]

    def bump_generation(self) -> None:
        """Make every process reload control-plane rows; call after COMMIT. RingMissing when not `is_current`."""
        self.shared().bump_generation()

    @property
    def heartbeat_ms(self) -> int:
        """Time of the writer's last heartbeat, in Unix ms; 0 before the first one."""
        return self._words[layout.W_HEARTBEAT]

    @property
    def writer_state(self) -> WriterState:
        return WriterState(self._words[layout.W_STATE])

    @writer_state.setter
    def writer_state(self, state: WriterState) -> None:
        self._words[layout.W_STATE] = state

    def stat(self) -> RingStat:
        """What `bloop ring stat` prints. Figures of busy lanes are read one after the other, not at one instant."""
        shared, words = self.shared(), self._words
        lanes = [_lane_stat(shared, lane) for lane in range(self.lane_count)]
        used_bytes = sum(lane.used_bytes for lane in lanes)
        capacity_bytes = self.lane_count * self.lane_bytes
        spill_bytes = sum(lane.spill_bytes for lane in lanes)
        return RingStat(
            ring_id=self.ring_id,
            lanes=lanes,
            used_bytes=used_bytes,
            capacity_bytes=capacity_bytes,
            fill=1.0 if spill_bytes else used_bytes / capacity_bytes,
            pending_records=sum(pending(words, shared.geometry.lane_word(lane)) for lane in range(self.lane_count)),
            heartbeat_ms=self.heartbeat_ms,
            writer_state=self.writer_state,
            generation=self.generation,
            consumer_claimed=shared.is_claimed(layout.LOCK_CONSUMER),
            spill_records=sum(lane.spill_records for lane in lanes),
            spill_bytes=spill_bytes,
        )

    def meters(self) -> Meters:
        """The statistics that producers and consumer have added up."""
        words, geometry = self.shared().words, self.shared().geometry
        assert geometry.version is layout.CURRENT, "older layouts have other meters"

        def at(first: int, count: int) -> list[int]:
            return words[first : first + count].tolist()

        firsts = (geometry.lane_word(lane) + layout.L_METERS for lane in range(self.lane_count))
        return Meters(at(layout.W_METERS, layout.CONSUMER_METERS), [at(first, layout.LANE_METERS) for first in firsts])

    def close(self) -> None:
        """Close the handle; harmless when called again. Claims made through it stay until they are closed."""
        if self._mapping is not None:
            self._mapping.release()
            self._mapping, self._words = None, CLOSED

    def shared(self) -> Mapping:
        """The mapping, for the other modules of this package; ValueError when the handle is closed."""
        if self._mapping is None:
            raise ValueError(f"ring {self.name} is closed")
        return self._mapping


def pending(words: memoryview, lane_word: int) -> int:
    """Records of one lane and its spill that wait: exact while no producer pushes, never 0 while one waits."""
    return _waiting(words, lane_word) + _waiting(words, lane_word + layout.L_SPILL)


def _waiting(words: memoryview, first: int) -> int:
    accepted = words[first + layout.L_ACCEPTED]
    consumed = words[first + layout.L_CONSUMED]
    tail = words[first + layout.L_TAIL]
    head = words[first + layout.L_HEAD]
    if head & layout.POSITION_MASK == tail:
        return 0
    return max(1, layout.accepted_exact(head, accepted) - consumed)


def _lane_stat(shared: Mapping, lane: int) -> LaneStat:
    words, first = shared.words, shared.geometry.lane_word(lane)
    spill = first + layout.L_SPILL
    tail, head_word = words[first + layout.L_TAIL], words[first + layout.L_HEAD]
    spill_tail, spill_head_word = words[spill + layout.L_TAIL], words[spill + layout.L_HEAD]
    head = head_word & layout.POSITION_MASK
    claimed = shared.is_claimed(layout.LOCK_LANE_0 + lane)
    return LaneStat(
        index=lane,
        producer_pid=words[first + layout.L_PRODUCER_PID] if claimed else 0,
        head=head,
        tail=tail,
        used_bytes=head - tail,
        accepted=layout.accepted_exact(head_word, words[first + layout.L_ACCEPTED]),
        dropped=words[first + layout.L_DROPPED],
        claimed=claimed,
        spilled=layout.accepted_exact(spill_head_word, words[spill + layout.L_ACCEPTED]),
        spill_records=_waiting(words, spill),
        spill_bytes=(spill_head_word & layout.POSITION_MASK) - spill_tail,
    )
