from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from bloop.base.errors import RingError
from bloop.ring import Consumer, Producer, Segment, Spill, layout, locks, spill, spill_writer
from bloop.ring.spill import SpillFile
from tests.unit.ring.support import abandon, run_until_killed

ALL = 10_000, 1 << 30
PAYLOAD_BYTES = 240  # 256 with header and padding: four fill a lane
LATER_S = 2 * layout.VISIBLE_WITHIN_S


class Ring:
    """A ring of two lanes of 1024 bytes, spilling at most 16 KiB in files of 2 KiB, and its producer and consumer."""

    def __init__(self, name: str, folder: Path, handles: ExitStack, **limits: int) -> None:
        self.name, self.folder, self._handles = name, folder, handles
        self.spill = Spill(folder, **{"bytes_max": 16 * 1024, "disk_free_bytes_min": 0} | limits)
        self.now_s, self.serial = 0.0, 0
        self.cursors: dict[int, int] = {}  # what the database holds
        self.start()

    def start(self) -> None:
        self.segment = Segment.create(self.name, lane_count=2, lane_bytes=1024)
        self._handles.callback(self.segment.close)
        self.claim_producer()
        self.claim_consumer()

    def claim_producer(self) -> None:
        self.producer = Producer.claim(self.segment, self.spill)
        self._handles.callback(self.producer.close)

    def claim_consumer(self) -> None:
        self.consumer = Consumer.claim(self.segment, self.folder, monotonic=lambda: self.now_s)
        self._handles.callback(self.consumer.close)

    def restart_consumer(self) -> None:
        self.consumer.close()
        self.claim_consumer()
        self.consumer.resume(self.cursors)

    def lose_memory(self) -> None:
        """The machine restarts: only the files on the disk are left."""
        for handle in (self.producer, self.consumer, self.segment):
            handle.close()
        Segment.unlink(self.name)
        self.start()

    def payload(self) -> bytes:
        self.serial += 1
        return self.serial.to_bytes(4, "little") * (PAYLOAD_BYTES // 4)

    def push(self, n: int) -> list[bytes]:
        """Push `n` records, all of which must be taken; return their payloads."""
        payloads = [self.payload() for _ in range(n)]
        assert [self.producer.push(1, payload) for payload in payloads] == [True] * n
        return payloads

    def store(self, records_max: int = ALL[0], *, release: bool = True) -> list[bytes]:
        batch = self.consumer.read(records_max, ALL[1])
        self.cursors |= batch.positions
        if release:
            self.consumer.release(batch)
        return [payload for _, payload, _ in batch.records]

    @property
    def files(self) -> list[SpillFile]:
        return spill.files(self.folder)

    @property
    def lane(self):
        return self.segment.stat().lanes[0]


@pytest.fixture
def handles() -> Iterator[ExitStack]:
    with ExitStack() as handles:
        yield handles


@pytest.fixture
def ring(name: str, tmp_path: Path, handles: ExitStack) -> Ring:
    return Ring(name, tmp_path / "spill", handles)


def damage(file: SpillFile, offset: int) -> None:
    with file.path.open("r+b") as opened:
        opened.seek(offset)
        byte = opened.read(1)
        opened.seek(offset)
        opened.write(bytes([byte[0] ^ 1]))


class TestOrder:
    def test_a_record_keeps_its_form_on_the_disk(self, ring: Ring):
        forms = [1, 7, 3 | 5 << 16, 0xFFFF_FFFF] * 3
        assert all(ring.producer.push(form, ring.payload()) for form in forms)

        batch = ring.consumer.read(*ALL)

        assert (ring.lane.spilled, [form for form, _, _ in batch.records]) == (8, forms)

    def test_what_finds_the_lane_full_is_stored_after_it_and_in_order(self, ring: Ring):
        """RING-R14"""
        pushed = ring.push(10)

        assert (ring.lane.accepted, ring.lane.spilled, ring.lane.dropped) == (4, 6, 0)
        assert ring.store() == pushed

    def test_a_lane_with_room_is_passed_by_while_older_records_wait_on_the_disk(self, ring: Ring):
        """RING-R14"""
        pushed = ring.push(10)
        stored = ring.store(6)
        assert (ring.lane.used_bytes, ring.lane.spill_records) == (0, 4)

        pushed += ring.push(1)

        assert (ring.lane.used_bytes, ring.lane.spill_records) == (0, 5)
        assert stored + ring.store() == pushed

    def test_the_lane_is_used_again_once_everything_that_spilled_is_stored(self, ring: Ring):
        ring.push(10)
        ring.store()

        pushed = ring.push(4)

        assert (ring.lane.used_bytes, ring.lane.spilled) == (1024, 6)
        assert ring.store() == pushed

    def test_a_spill_after_a_spill_begins_another_file(self, ring: Ring):
        for _ in range(3):
            pushed = ring.push(6)
            (file,) = ring.files
            assert file.records == ring.lane.spilled - 2
            assert ring.store() == pushed

    def test_a_record_pushed_between_the_looks_at_spill_and_lane_does_not_overtake(self, ring: Ring, monkeypatch):
        """RING-R14: the lane's head is looked at again before the spill is read."""
        pushed = ring.push(5)
        lane_reader = ring.consumer._readers[0]
        look = lane_reader._read_lane

        def overtaken(*args):
            found = look(*args)
            words, first = ring.segment.shared().words, lane_reader.first_word
            words[first + layout.L_HEAD] += 8  # somebody published: not what this read saw
            return found

        monkeypatch.setattr(type(lane_reader), "_read_lane", lambda self, *args: overtaken(*args))
        batch = ring.consumer.read(*ALL)
        monkeypatch.undo()
        ring.segment.shared().words[lane_reader.first_word + layout.L_HEAD] -= 8

        assert [payload for _, payload, _ in batch.records] == pushed[:4]

    def test_a_sleeping_consumer_is_rung_by_a_spill(self, ring: Ring):
        """RING-R11"""
        ring.push(4)
        ring.consumer.read(*ALL)
        words = ring.segment.shared().words
        words[layout.W_ASLEEP] = 7

        ring.push(1)

        assert ring.segment.shared().bell.value == 1
        assert ring.consumer.wait(0) is True


class TestExactlyOnce:
    def test_reading_moves_nothing_until_the_batch_is_released(self, ring: Ring):
        pushed = ring.push(20)

        assert ring.store(release=False) == pushed
        ring.cursors.clear()  # the COMMIT failed

        assert (ring.lane.spill_records, ring.consumer.pending()) == (16, 20)
        assert ring.store() == pushed
        assert (ring.lane.spill_records, ring.consumer.pending(), ring.store()) == (0, 0, [])

    @pytest.mark.parametrize("records", [3, 4, 5, 13, 20])
    def test_a_consumer_that_died_between_commit_and_release_stores_nothing_twice(self, ring: Ring, records: int):
        """RING-R15"""
        pushed = ring.push(20)
        stored = ring.store(records, release=False)

        ring.restart_consumer()

        assert ring.consumer.pending() == 20 - records
        assert stored + ring.store() == pushed
        assert ring.files == []

    def test_a_consumer_killed_at_any_instruction_of_a_release_stores_nothing_twice(self, ring: Ring):
        for instruction in count(0, 7):
            pushed = ring.push(14)
            batch = ring.consumer.read(12, ALL[1])
            ring.cursors |= batch.positions
            killed = run_until_killed(ring.consumer.release, batch, instruction=instruction)
            ring.restart_consumer()

            assert ring.consumer.pending() == 2
            assert ring.store() == pushed[12:]
            if not killed:
                break
        assert ring.files == []

    def test_a_producer_killed_at_any_instruction_of_a_spill_leaves_nothing_or_a_whole_record(self, ring: Ring):
        """RING-R15: also when the successor's record is shorter than what a write that was cut short has left."""
        published = 0
        for instruction in count():
            expected, payload = ring.push(6), ring.payload()
            killed = run_until_killed(ring.producer.push, 1, payload, instruction=instruction)
            abandon(ring.producer)
            is_published = ring.lane.spill_records == 3
            published += is_published
            if killed:
                with ring.files[-1].path.open("ab") as opened:
                    opened.write(b"half a record" * 40)
            ring.claim_producer()

            assert ring.producer.push(1, b"next")
            assert ring.store() == [*expected, *[payload] * is_published, b"next"]
            if not killed:
                break
        assert instruction > 200
        assert 0 < published < instruction, "some kills came before, some after the record was published"

    def test_bytes_past_the_head_are_cut_off_before_the_next_record(self, ring: Ring):
        pushed = ring.push(6)
        with ring.files[0].path.open("ab") as opened:
            opened.write(bytes(2000))
        abandon(ring.producer)

        ring.claim_producer()

        assert ring.files[0].path.stat().st_size == 512
        assert ring.store() == pushed


class TestFiles:
    def test_a_stored_file_is_removed_as_soon_as_the_next_one_is_reached(self, ring: Ring):
        pushed = ring.push(4 + 20)
        assert [file.start for file in ring.files] == [0, 2048, 4096]

        stored = ring.store(4 + 8)

        assert [file.start for file in ring.files] == [2048, 4096]
        assert stored + ring.store() == pushed
        assert ring.files == []

    def test_the_last_file_stays_while_its_producer_has_the_lock(self, ring: Ring, monkeypatch):
        """RING-R16"""
        ring.push(6)
        with monkeypatch.context() as patched:
            patched.setattr(locks, "try_lock", lambda fd, byte: False)
            ring.store()
            assert len(ring.files) == 1

        ring.consumer.tidy()

        assert ring.files == []

    def test_a_producer_that_finds_its_file_being_removed_begins_another(self, ring: Ring, monkeypatch):
        """RING-R16: the consumer removes it only when everything in it is stored."""
        ring.push(6)
        with monkeypatch.context() as patched:
            patched.setattr(spill_writer.locks, "try_lock", lambda fd, byte: False)
            pushed = ring.push(1)

        assert [file.start for file in ring.files] == [0, 512]
        assert ring.store()[-1:] == pushed

    def test_a_file_that_was_just_stored_is_not_appended_to(self, ring: Ring, monkeypatch):
        """RING-R16: between the producer's first look and its lock."""
        ring.push(6)
        take = locks.try_lock

        def stored_meanwhile(fd: int, byte: int) -> bool:
            monkeypatch.undo()
            ring.store()
            return take(fd, byte)

        monkeypatch.setattr(spill_writer.locks, "try_lock", stored_meanwhile)
        pushed = ring.push(1)

        assert [file.start for file in ring.files] == [512]
        assert ring.store() == pushed

    def test_a_file_that_is_about_to_be_written_is_not_removed(self, ring: Ring):
        """RING-R16: it starts where everything before it is stored."""
        ring.push(6)
        ring.store()
        SpillFile.named(ring.folder, ring.segment.ring_id, 0, 512, 2).path.touch()

        ring.restart_consumer()
        ring.consumer.tidy()

        assert [file.start for file in ring.files] == [512]

    def test_foreign_files_in_the_folder_are_left_alone(self, ring: Ring):
        ring.folder.mkdir()
        for name in ("note.txt", "a-b-c-d.spill", "1-2-3.spill"):
            (ring.folder / name).write_text("mine")

        ring.push(6)
        ring.store()

        assert len(list(ring.folder.iterdir())) == 3

    def test_no_descriptor_is_left_behind(self, ring: Ring):
        before = len(os.listdir("/proc/self/fd"))
        ring.push(30)
        ring.store(10)
        ring.store()
        ring.producer.close()

        ring.consumer.close()

        assert len(os.listdir("/proc/self/fd")) == before

    def test_a_folder_that_cannot_be_used_is_reported_when_the_lane_is_claimed(self, name, tmp_path, handles):
        (tmp_path / "spill").write_text("a file")
        segment = handles.enter_context(closing(Segment.create(name, lane_count=1, lane_bytes=1024)))

        with pytest.raises(RingError, match="cannot use the folder"):
            Producer.claim(segment, Spill(tmp_path / "spill", 1 << 20, 0))

        Producer.claim(segment).close()


class TestLimits:
    def test_a_full_spill_drops_and_counts_and_takes_records_again_once_a_file_is_stored(self, ring: Ring):
        pushed = ring.push(4 + 64)
        assert ring.producer.push(1, b"too much") is False
        assert (ring.lane.dropped, ring.lane.spill_bytes) == (1, 16 * 1024)

        stored = ring.store(4 + 8)
        pushed += ring.push(8)

        assert ring.producer.push(1, b"too much") is False
        assert stored + ring.store() == pushed

    def test_the_limit_is_shared_by_all_lanes(self, ring: Ring):
        with closing(Producer.claim(ring.segment, ring.spill)) as other:
            for _ in range(4 + 60):
                assert other.push(1, bytes(PAYLOAD_BYTES))
            ring.push(4 + 4)

            assert ring.producer.push(1, b"") is False
            assert other.push(1, b"") is False

    def test_records_spill_only_while_the_disk_can_store_them_as_well(self, name, tmp_path, handles, monkeypatch):
        ring = Ring(name, tmp_path / "spill", handles, disk_free_bytes_min=10_000)
        disk = SimpleNamespace(f_bavail=10_000 + 2 * 3 * 256, f_frsize=1)
        ring.push(5)

        monkeypatch.setattr(os, "statvfs", lambda path: disk)

        assert [ring.producer.push(1, ring.payload()) for _ in range(4)] == [True, True, False, False]

    def test_a_write_that_fails_drops_the_record_and_nothing_else(self, ring: Ring, monkeypatch, caplog):
        pushed = ring.push(6)
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwritev", refuse)
            assert [ring.producer.push(1, b"lost") for _ in range(2)] == [False, False]
        assert caplog.text.count("cannot spill to") == 1, "said once, not per record"

        pushed += ring.push(1)

        assert ring.store() == pushed
        assert ring.lane.dropped == 2

    def test_a_write_that_comes_to_an_end_early_leaves_nothing(self, ring: Ring, monkeypatch):
        pushed, write = ring.push(6), os.pwritev
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwritev", lambda fd, parts, at: write(fd, [b"".join(parts)[:100]], at))
            assert ring.producer.push(1, b"x" * 200) is False

        assert ring.files[0].path.stat().st_size == 512
        assert ring.store() == pushed

    def test_without_a_spill_a_full_lane_drops_though_older_records_wait_on_the_disk(self, ring: Ring):
        """The setting was changed to 0: what spilled before is stored all the same."""
        pushed = ring.push(6)
        abandon(ring.producer)
        ring.spill = None

        ring.claim_producer()

        assert ring.producer.push(1, b"lost") is False
        assert ring.store() == pushed


def refuse(*_: object) -> int:
    raise OSError(28, "No space left on device")


class TestDamage:
    """RING-R17"""

    def test_a_record_that_does_not_verify_costs_only_itself(self, ring: Ring):
        pushed = ring.push(4 + 6)
        damage(ring.files[0], 2 * 256 + 100)

        assert ring.store() == pushed[:6], "it has time to become a record"
        ring.now_s += LATER_S
        batch = ring.consumer.read(*ALL)
        ring.consumer.release(batch)

        assert batch.torn == 1
        assert [payload for _, payload, _ in batch.records] == pushed[7:]
        assert ring.consumer.pending() == 0

    def test_a_damaged_size_costs_the_rest_of_its_file(self, ring: Ring):
        pushed = ring.push(4 + 20)
        damage(ring.files[0], 2 * 256 + 3)

        assert ring.store() == pushed[:6]
        ring.now_s += LATER_S
        batch = ring.consumer.read(*ALL)
        ring.consumer.release(batch)

        assert batch.torn == 6
        assert [payload for _, payload, _ in batch.records] == pushed[12:]
        assert (ring.consumer.pending(), ring.files) == (0, [])

    def test_a_missing_last_file_costs_what_was_in_it(self, ring: Ring):
        pushed = ring.push(4 + 10)
        ring.files[1].path.unlink()

        assert ring.store() == pushed[:12]
        ring.now_s += LATER_S
        batch = ring.consumer.read(*ALL)
        ring.consumer.release(batch)

        assert (batch.torn, batch.records, ring.consumer.pending()) == (2, [], 0)
        pushed = ring.push(2)
        assert ring.store() == pushed

    def test_other_lanes_continue_while_one_waits_for_a_record(self, ring: Ring):
        ring.push(4 + 2)
        damage(ring.files[0], 30)
        ring.store()
        with closing(Producer.claim(ring.segment, ring.spill)) as other:
            other.push(1, b"of another lane")

            assert ring.store() == [b"of another lane"]


class TestOrphans:
    """RING-R18"""

    def test_what_spilled_before_the_machine_restarted_is_stored_by_the_next_start(self, ring: Ring):
        pushed = ring.push(4 + 20)
        ring.store(4 + 3)
        old_ring_id, old_cursor = ring.segment.ring_id, ring.cursors[spill.SPILL_SLOT_0]

        ring.lose_memory()
        (orphan,) = ring.consumer.orphans
        assert (orphan.ring_id, orphan.lane, orphan.spill_slot) == (old_ring_id, 0, spill.SPILL_SLOT_0)
        ring.consumer.resume({orphan.slot: old_cursor})

        assert ring.consumer.pending() == 1, "nobody knows how many"
        fresh = ring.push(2)
        batch = ring.consumer.read(*ALL)
        assert sorted(batch.records) == sorted(
            [(1, payload, orphan.slot) for payload in pushed[7:]] + [(1, payload, 0) for payload in fresh]
        )
        ring.consumer.release(batch)
        assert ring.consumer.finished_orphans() == [orphan]
        assert (ring.files, ring.consumer.orphans, ring.consumer.pending()) == ([], [], 0)

    @pytest.mark.parametrize("cut", [1, 100, 255])
    def test_a_torn_tail_is_counted_and_never_stored_half(self, ring: Ring, cut: int):
        pushed = ring.push(4 + 5)
        os.truncate(ring.files[0].path, 5 * 256 - cut)
        ring.lose_memory()

        assert ring.store() == pushed[4:8]
        ring.now_s += LATER_S
        batch = ring.consumer.read(*ALL)
        ring.consumer.release(batch)

        assert (batch.torn, batch.records) == (1, [])
        assert ring.consumer.finished_orphans() != []
        assert ring.files == []

    def test_a_tail_of_zeros_is_no_record(self, ring: Ring):
        """A file system may have grown the file before it wrote the bytes."""
        pushed = ring.push(4 + 2)
        with ring.files[0].path.open("ab") as opened:
            opened.write(bytes(1000))
        ring.lose_memory()

        assert ring.store() == pushed[4:]
        ring.now_s += LATER_S
        assert (ring.store(), ring.files) == ([], [])

    def test_records_of_another_ring_do_not_verify(self, ring: Ring):
        ring.push(4 + 1)
        file = ring.files[0]
        ring.lose_memory()
        file.path.rename(SpillFile.named(ring.folder, file.ring_id ^ 1, 0, 0, 0).path)
        ring.restart_consumer()

        assert ring.store() == []

    def test_files_shorter_than_what_was_stored_of_them_are_removed(self, ring: Ring):
        """A power cut can bring back a file, and the end of it not."""
        ring.push(4 + 5)
        os.truncate(ring.files[0].path, 256)
        ring.lose_memory()

        ring.consumer.resume({ring.consumer.orphans[0].slot: 5 * 256})

        assert ring.store() == []
        assert len(ring.consumer.finished_orphans()) == 1
        assert ring.files == []

    def test_an_orphan_read_and_not_committed_is_read_again(self, ring: Ring):
        pushed = ring.push(4 + 5)
        ring.lose_memory()

        assert ring.store(release=False) == pushed[4:]
        ring.cursors.clear()
        ring.restart_consumer()

        assert ring.store() == pushed[4:]
