"""Reading the oldest waiting record in another process, while the consumer reads and the producer writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bloop.ring import layout
from bloop.ring.peek import oldest_payloads
from tests.unit.ring.support import overwrite
from tests.unit.ring.test_spill import Ring


@pytest.fixture
def ring(name: str, tmp_path: Path) -> Iterator[Ring]:
    with ExitStack() as handles:
        yield Ring(name, tmp_path / "spill", handles)


def oldest(ring: Ring) -> list[bytes]:
    return oldest_payloads(ring.segment, ring.folder)


def test_it_is_always_the_record_the_consumer_would_read_next(ring: Ring):
    """Through wraps, the lane's end, the spill and back."""
    waiting: list[bytes] = []
    for round_number in range(40):
        waiting += ring.push(round_number % 7)
        assert oldest(ring) == waiting[:1]
        stored = ring.store(1 + round_number % 3)
        assert stored == waiting[: len(stored)]
        waiting = waiting[len(stored) :]
        assert oldest(ring) == waiting[:1]
    while waiting:
        waiting = waiting[len(ring.store(1)) :]
        assert oldest(ring) == waiting[:1]


def test_records_of_several_sizes_wrap(ring: Ring):
    for size in (200, 8, 240, 100, 0, 17, 240, 60):
        assert ring.producer.push(1, bytes([size]) * size)
        assert oldest(ring) == [bytes([size]) * size]
        ring.store()


def test_what_was_read_and_not_released_still_waits(ring: Ring):
    first, _ = ring.push(2)
    ring.store(release=False)

    assert oldest(ring) == [first]


def test_a_torn_record_is_not_returned(ring: Ring):
    ring.push(2)
    overwrite(ring.segment, 0, 20, b"\xff")

    assert oldest(ring) == []


def test_bytes_that_make_no_sense_are_not_followed(ring: Ring):
    ring.push(1)
    overwrite(ring.segment, 0, 0, b"\xff" * 16)

    assert oldest(ring) == []


def test_a_spill_whose_files_are_gone_or_damaged_is_passed_over(ring: Ring):
    ring.push(6)
    ring.store(4)
    (file,) = ring.files
    assert len(oldest(ring)) == 1

    content = bytearray(file.path.read_bytes())
    content[layout.RECORD.size] ^= 1
    file.path.write_bytes(bytes(content))
    assert oldest(ring) == []
    file.path.write_bytes(b"")
    assert oldest(ring) == []
    file.path.unlink()
    assert oldest(ring) == []
