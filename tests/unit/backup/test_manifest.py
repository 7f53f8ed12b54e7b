"""One spelling, one checksum, one place (bloop/backup/manifest.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bloop.backup import manifest as manifests
from bloop.backup.manifest import FORMAT, MANIFEST_BYTES_MAX, Cause, Manifest, parse, render
from bloop.base.errors import BackupError

MADE = Manifest(
    format=FORMAT,
    cause=Cause.SCHEDULE,
    created_at_ms=1_800_000_000_000,
    duration_ms=1234,
    sha256="ab" * 32,
    file_bytes=1000,
    database_bytes=8192,
    database_id="0123456789abcdef",
    schema_version=2,
    migrations={"1": "cd" * 32, "2": "ef" * 32},
    rows={"issues": 3, "events": 40},
    integrity="ok",
    bloop_version="0.1.0",
    sqlite_version="3.54.1",
)
RAW = render(MADE)


def test_manifest_survives_the_way_to_disk_and_back() -> None:
    assert parse(RAW) == MADE


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
@example(RAW.index(b"\n"), ord("\n") ^ ord(" "))  # white space for white space
@example(len(RAW) - 1, ord("\n") ^ ord(" "))
def test_any_byte_changed_makes_it_no_manifest(position: int, flips: int) -> None:
    changed = bytearray(RAW)
    changed[position] ^= flips

    with pytest.raises(BackupError):
        parse(bytes(changed))


@given(st.integers(0, len(RAW) - 1))
def test_a_part_of_it_is_no_manifest(length: int) -> None:
    with pytest.raises(BackupError):
        parse(RAW[:length])


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{}", b'{"manifest_sha256": 1, "format": 1}', b"[" * 100_000])
def test_other_files_are_no_manifests(raw: bytes) -> None:
    with pytest.raises(BackupError, match="damaged"):
        parse(raw)


def test_a_later_format_is_named_as_such() -> None:
    later = json.loads(RAW) | {"format": FORMAT + 1, "something": "new"}

    with pytest.raises(BackupError, match="upgrade bloop"):
        parse(json.dumps(later).encode())


def test_a_backup_without_manifest_is_none(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"bloop-x\.json is missing"):
        manifests.read(tmp_path / "bloop-x.db.zst")


def test_a_manifest_is_not_read_past_its_bound(tmp_path: Path) -> None:
    (tmp_path / "bloop-x.json").write_bytes(RAW + b" " * MANIFEST_BYTES_MAX)

    with pytest.raises(BackupError, match="too large"):
        manifests.read(tmp_path / "bloop-x.db.zst")


def test_only_files_named_like_backups_are_asked_for() -> None:
    with pytest.raises(BackupError, match="is not a backup"):
        manifests.manifest_path(Path("bloop.db"))


def test_two_backups_of_one_second_have_two_names() -> None:
    first = manifests.new_name(MADE.created_at_ms, [])
    second = manifests.new_name(MADE.created_at_ms, [first])

    assert (first, second) == ("bloop-20270115-080000.db.zst", "bloop-20270115-080000-2.db.zst")
