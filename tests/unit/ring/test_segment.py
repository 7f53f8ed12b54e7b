from __future__ import annotations

import errno
import os
import stat

import posix_ipc
import pytest

from bloop.base.errors import RingError, RingMismatch, RingMissing
from bloop.ring import Consumer, Producer, Segment, WriterState, layout, locks, mapping
from tests.unit.ring.support import SHM, Killed, run_until_killed


def shm_bytes(name: str) -> int:
    return os.stat(SHM + name).st_size


def poke(name: str, word: int, value: int) -> None:
    """Change a word of a segment that no handle of this process has open."""
    with open(SHM + name, "r+b") as file:
        file.seek(word * 8)
        file.write(value.to_bytes(8, "little"))


def test_a_new_ring_is_empty_private_and_has_an_id_that_fits_sqlite(name):
    segment = Segment.create(name, lane_count=2, lane_bytes=4096)

    assert (segment.name, segment.lane_count, segment.lane_bytes) == (name, 2, 4096)
    assert 0 < segment.ring_id < 1 << 63
    assert stat.S_IMODE(os.stat(SHM + name).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(f"{SHM}/sem.{name[1:]}.bell").st_mode) == 0o600
    found = segment.stat()
    assert (found.used_bytes, found.pending_records, found.fill, found.capacity_bytes) == (0, 0, 0.0, 8192)
    assert found.writer_state is WriterState.STOPPED
    segment.close()


def test_the_ring_outlives_its_creator_and_is_found_again(name):
    first = Segment.create(name, lane_count=2, lane_bytes=4096)
    ring_id = first.ring_id
    first.close()

    second = Segment.create(name, lane_count=2, lane_bytes=4096)
    third = Segment.attach(name)

    assert (second.ring_id, third.ring_id) == (ring_id, ring_id)
    second.close()
    third.close()


def test_a_name_without_its_slash_is_the_same_ring(name):
    segment = Segment.create(name[1:], lane_count=1, lane_bytes=1024)

    assert segment.name == name
    segment.close()


@pytest.mark.parametrize("bad", ["", "/", "/a/b", "a/b", "x" * 201, "nul\0"])
def test_a_name_that_cannot_be_shared_memory_is_refused(bad):
    with pytest.raises(ValueError, match="not a name for shared memory"):
        Segment.attach(bad)


def test_attaching_to_nothing_says_so_and_creates_nothing(name):
    with pytest.raises(RingMissing):
        Segment.attach(name)

    assert not os.path.exists(SHM + name)


def test_attaching_does_not_resize(name):
    Segment.create(name, lane_count=1, lane_bytes=4096).close()
    size = shm_bytes(name)

    Segment.attach(name).close()

    assert shm_bytes(name) == size == layout.Geometry(1, 4096).total_bytes


def test_an_idle_ring_of_another_geometry_is_replaced(name):
    old = Segment.create(name, lane_count=1, lane_bytes=4096)
    old_id = old.ring_id
    old.close()

    new = Segment.create(name, lane_count=2, lane_bytes=8192)

    assert (new.lane_count, new.lane_bytes) == (2, 8192)
    assert new.ring_id != old_id
    assert shm_bytes(name) == layout.Geometry(2, 8192).total_bytes
    new.close()


def test_a_ring_that_holds_records_is_never_replaced(name):
    old = Segment.create(name, lane_count=2, lane_bytes=4096)
    one, two = Producer.claim(old), Producer.claim(old)
    two.push(1, b"kept")
    for handle in (one, two, old):
        handle.close()

    with pytest.raises(RingMismatch, match="2 lanes of 4096 bytes, layout version 2, and holds records"):
        Segment.create(name, lane_count=1, lane_bytes=4096)

    again = Segment.attach(name)
    assert again.stat().pending_records == 1
    again.close()


def test_a_drained_ring_is_replaced_although_its_head_word_counts_records(name):
    old = Segment.create(name, lane_count=1, lane_bytes=4096)
    producer, consumer = Producer.claim(old), Consumer.claim(old)
    producer.push(1, b"stored")
    consumer.release(consumer.read(10, 4096))
    for handle in (producer, consumer, old):
        handle.close()

    new = Segment.create(name, lane_count=3, lane_bytes=4096)

    assert new.lane_count == 3
    new.close()


def test_another_geometry_in_the_same_process_is_refused(name):
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)

    with pytest.raises(RingMismatch, match="open in this process"):
        Segment.create(name, lane_count=2, lane_bytes=4096)
    segment.close()


def test_an_empty_ring_of_another_layout_is_replaced_but_not_attached(name):
    """RING-R13"""
    Segment.create(name, lane_count=1, lane_bytes=4096).close()
    poke(name, layout.W_VERSION, 99)

    with pytest.raises(RingMismatch, match="layout version 99"):
        Segment.attach(name)
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)

    assert segment.is_current
    segment.close()


def test_a_ring_of_another_layout_that_holds_records_is_left_alone(name):
    """RING-R13"""
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)
    producer = Producer.claim(segment)
    producer.push(1, b"kept")
    producer.close()
    segment.close()
    poke(name, layout.W_VERSION, 99)

    with pytest.raises(RingMismatch, match="holds records"):
        Segment.create(name, lane_count=1, lane_bytes=4096)


def test_shared_memory_that_is_not_a_ring_is_left_alone(name):
    with open(SHM + name, "wb") as file:
        file.write(b"something else entirely" * 10)

    for opening in (Segment.attach, lambda n: Segment.create(n, lane_count=1, lane_bytes=4096)):
        with pytest.raises(RingMismatch, match="not a bloop ring"):
            opening(name)

    assert shm_bytes(name) == 230


def test_a_ring_cut_short_is_not_mapped(name):
    Segment.create(name, lane_count=1, lane_bytes=4096).close()
    os.truncate(SHM + name, 8192)

    with pytest.raises(RingMismatch, match="damaged"):
        Segment.attach(name)


def test_a_creator_killed_at_any_instruction_leaves_nothing_that_stops_the_next(name):
    """RING-R12"""
    geometry, instruction = layout.Geometry(1, 1024), 0
    fds_before = len(os.listdir("/proc/self/fd"))
    while True:
        fd = posix_ipc.SharedMemory(name, posix_ipc.O_CREAT, mode=0o600, size=0).fd
        open_before = set(os.listdir("/proc/self/fd"))
        killed = run_until_killed(mapping._make, name, fd, geometry, instruction=instruction)
        for leaked in set(os.listdir("/proc/self/fd")) - open_before:
            if os.path.exists(f"/proc/self/fd/{leaked}"):
                os.close(int(leaked))
        os.close(fd)

        segment = Segment.create(name, lane_count=1, lane_bytes=1024)
        producer = Producer.claim(segment)
        assert producer.push(1, b"works")
        producer.close()
        segment.close()
        Segment.unlink(name)
        if not killed:
            break
        instruction += 1

    assert instruction > 50
    assert len(os.listdir("/proc/self/fd")) == fds_before


def test_a_half_made_ring_cannot_be_attached(name):
    """RING-R12"""
    fd = posix_ipc.SharedMemory(name, posix_ipc.O_CREAT, mode=0o600, size=0).fd
    os.ftruncate(fd, 8192)
    os.close(fd)

    with pytest.raises(RingMissing, match="half made"):
        Segment.attach(name)


def test_full_shared_memory_is_an_error_and_not_a_dead_process(name, monkeypatch):
    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(RingError, match="needs 48 KiB of shared memory: No space left on device; give /dev/shm more"):
        Segment.create(name, lane_count=1, lane_bytes=4096)

    assert not os.path.exists(SHM + name)


def test_the_pages_of_a_ring_are_reserved_when_it_is_made(name):
    segment = Segment.create(name, lane_count=2, lane_bytes=1 << 20)

    assert os.stat(SHM + name).st_blocks * 512 >= layout.Geometry(2, 1 << 20).total_bytes
    segment.close()


def test_handles_of_one_process_share_one_mapping_and_keep_each_others_claims(name):
    """RING-R7: closing a second descriptor of the file would drop every lock, so there is none."""
    first = Segment.create(name, lane_count=1, lane_bytes=1024)
    producer = Producer.claim(first)
    descriptors = len(os.listdir("/proc/self/fd"))

    second = Segment.attach(name)
    assert len(os.listdir("/proc/self/fd")) == descriptors
    second.close()
    first.close()

    assert producer.push(1, b"still ours")
    producer.close()


def test_closing_twice_releases_once(name):
    one = Segment.create(name, lane_count=1, lane_bytes=1024)
    other = Segment.attach(name)

    one.close()
    one.close()

    assert other.generation > 0
    with pytest.raises(ValueError):
        one.generation
    with pytest.raises(ValueError, match="is closed"):
        one.stat()
    other.close()


def test_closing_the_last_handle_gives_back_every_descriptor(name):
    before = len(os.listdir("/proc/self/fd"))
    segment = Segment.create(name, lane_count=1, lane_bytes=1024)
    producer, consumer = Producer.claim(segment), Consumer.claim(segment)

    for handle in (consumer, segment, producer):
        handle.close()

    assert len(os.listdir("/proc/self/fd")) == before


def test_unlinking_removes_segment_and_doorbell_and_says_whether_there_was_one(name):
    Segment.create(name, lane_count=1, lane_bytes=1024).close()

    assert Segment.unlink(name) is True
    assert Segment.unlink(name) is False


def test_no_process_can_claim_or_bump_in_a_ring_that_was_unlinked(name):
    """RING-R12: what is put there would never be read."""
    old = Segment.create(name, lane_count=1, lane_bytes=1024)
    Segment.unlink(name)

    assert not old.is_current
    with pytest.raises(RingMissing, match="attach again"):
        Producer.claim(old)
    with pytest.raises(RingMissing, match="attach again"):
        old.bump_generation()
    new = Segment.create(name, lane_count=1, lane_bytes=1024)
    assert new.ring_id != old.ring_id
    new.close()
    old.close()


def test_a_replacement_that_was_killed_half_way_is_finished_by_the_next(name):
    """RING-R12"""
    Segment.create(name, lane_count=1, lane_bytes=1024).close()
    poke(name, layout.W_MAGIC, layout.RETIRED)

    with pytest.raises(RingMissing):
        Segment.attach(name)
    segment = Segment.create(name, lane_count=1, lane_bytes=1024)

    assert segment.is_current
    segment.close()


def test_a_ring_unlinked_between_opening_and_locking_it_is_looked_up_again(name, monkeypatch):
    """RING-R12: its name is gone, so no other process would ever see records in it."""
    Segment.create(name, lane_count=1, lane_bytes=1024).close()
    lock, calls = locks.lock, []

    def overtaken(fd: int, byte: int, *, within_s: float) -> None:
        lock(fd, byte, within_s=within_s)
        calls.append(byte)
        if len(calls) == 1:
            posix_ipc.unlink_shared_memory(name)

    monkeypatch.setattr(locks, "lock", overtaken)
    segment = Segment.create(name, lane_count=1, lane_bytes=1024)

    assert len(calls) == 2
    assert os.fstat(segment.shared().fd).st_ino == os.stat(SHM + name).st_ino
    segment.close()


def test_a_lock_that_is_never_released_is_an_error_and_not_a_hang(name, monkeypatch):
    Segment.create(name, lane_count=1, lane_bytes=1024).close()
    monkeypatch.setattr(mapping, "LOCK_WAIT_S", 0.01)
    monkeypatch.setattr(locks, "try_lock", lambda fd, byte: False)

    with pytest.raises(RingError, match="another process holds the ring's lock 0"):
        Segment.attach(name)


def test_every_bump_gives_a_generation_that_was_never_there(segment):
    seen = [segment.generation]
    for _ in range(100):
        segment.bump_generation()
        seen.append(segment.generation)

    assert seen == sorted(set(seen))


def test_a_generation_moves_on_even_when_the_clock_was_set_back(segment, monkeypatch):
    monkeypatch.setattr(mapping.time, "time_ns", lambda: 1)
    before = segment.generation

    segment.bump_generation()

    assert segment.generation == before + 1


def test_writer_state_and_heartbeat_are_seen_through_every_handle(segment, consumer):
    other = Segment.attach(segment.name)
    consumer.heartbeat(1_700_000_000_123, WriterState.DISK_FULL)

    assert (other.heartbeat_ms, other.writer_state) == (1_700_000_000_123, WriterState.DISK_FULL)
    other.writer_state = WriterState.STOPPED
    assert segment.writer_state is WriterState.STOPPED
    other.close()


def test_stat_names_the_holder_of_each_claim(segment):
    producer, consumer = Producer.claim(segment), Consumer.claim(segment)
    producer.push(1, bytes(100))
    producer.push(1, bytes(100))

    busy = segment.stat()
    assert busy.lanes[0] == (0, os.getpid(), 240, 0, 240, 2, 0, True, 0, 0, 0)
    assert busy.lanes[1] == (1, 0, 0, 0, 0, 0, 0, False, 0, 0, 0)
    assert (busy.pending_records, busy.used_bytes, busy.consumer_claimed) == (2, 240, True)
    assert busy.fill == 240 / 2048

    producer.close()
    consumer.close()
    idle = segment.stat()
    assert (idle.lanes[0].producer_pid, idle.lanes[0].claimed, idle.consumer_claimed) == (0, False, False)


def test_killed_is_not_caught_by_anything_in_the_ring():
    assert not issubclass(Killed, Exception)
