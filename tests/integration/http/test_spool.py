"""SPOOL-1 and SPOOL-2 of bloop/http/spool.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bloop.http.refusal import Refused
from bloop.http.spool import Spool, SpoolFolder


@pytest.fixture
def room(tmp_path: Path) -> SpoolFolder:
    return SpoolFolder(tmp_path, bytes_max=100)


def spool(room: SpoolFolder) -> Spool:
    return Spool(memory_bytes_max=10, room=room)


def test_short_body_stays_in_memory(room: SpoolFolder):
    body = spool(room)
    body.write(b"0123456789")

    assert (body.is_in_file, body.memory_bytes, room.bytes_held) == (False, 10, 0)
    body.seek(0)
    assert body.read() == b"0123456789"


def test_long_body_goes_to_a_file_without_a_name(room: SpoolFolder, tmp_path: Path):
    body = spool(room)
    for piece in (b"0123456", b"789ab", b"cdef"):
        body.write(piece)

    assert (body.is_in_file, body.memory_bytes, body.tell(), room.bytes_held) == (True, 0, 16, 16)
    assert os.listdir(tmp_path) == []
    body.seek(0)
    assert (body.read(4), body.readline(), body.read()) == (b"0123", b"456789abcdef", b"")
    body.close()
    body.close()
    assert room.bytes_held == 0


def test_files_of_all_bodies_share_one_bound(room: SpoolFolder):
    first, second = spool(room), spool(room)
    first.write(b"x" * 60)

    with pytest.raises(Refused, match="too many unfinished uploads"):
        second.write(b"x" * 41)
    second.close()

    assert room.bytes_held == 60
    first.close()
    assert room.bytes_held == 0


def test_folder_that_cannot_be_written_refuses_the_body(tmp_path: Path):
    room = SpoolFolder(tmp_path / "missing", bytes_max=100)
    body = spool(room)

    with pytest.raises(Refused, match="no space for an upload"):
        body.write(b"x" * 11)
    body.close()

    assert room.bytes_held == 0
