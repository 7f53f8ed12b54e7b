"""A backup holds everything, and whatever byte of it changes, verifying goes red (create.py, verify.py)."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bloop.backup.verify as verifying
from bloop.backup import folder as folders
from bloop.backup import manifest as manifests
from bloop.backup.create import create
from bloop.backup.folder import Entry
from bloop.backup.manifest import Cause
from bloop.backup.verify import drill, verify, verify_bytes
from bloop.backup.watch import Stopped, Watch
from bloop.base.errors import BackupError, StorageError
from bloop.db import connection
from tests.seed import NOW_MS, Seed

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EXABYTE = 1 << 60
STAND_STILL = """
import sys
from pathlib import Path
from bloop.backup.create import create
from bloop.backup.watch import Watch

def report(step, share):
    if step == sys.argv[3]:
        print(step, flush=True)
        sys.stdin.read()

create(Path(sys.argv[1]), Path(sys.argv[2]), 1, watch=Watch(report=report))
"""


def damage(path: Path, position: int, flips: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[position % len(raw)] ^= flips
    path.write_bytes(raw)


def damage_table(path: Path, table: str) -> None:
    """Empty the page its rows begin on."""
    with contextlib.closing(apsw.Connection(str(path))) as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
        page_bytes = db.pragma("page_size")
    raw = bytearray(path.read_bytes())
    raw[(page - 1) * page_bytes : page * page_bytes] = bytes(page_bytes)
    path.write_bytes(raw)


def repack(entry: Entry, database: bytes) -> None:
    """Another database under a manifest whose packed file is right."""
    packed = zstandard.compress(database)
    entry.path.write_bytes(packed)
    fields = {name: getattr(entry.manifest, name) for name in entry.manifest.__struct_fields__}
    changed = fields | {"sha256": verifying.hashlib.sha256(packed).hexdigest(), "file_bytes": len(packed)}
    raw = manifests.render(manifests.Manifest(**changed))
    manifests.manifest_path(entry.path).write_bytes(raw)


def test_a_backup_says_what_is_in_it(seed: Seed, entry: Entry) -> None:
    made = entry.manifest

    assert entry.path.name == "bloop-20270115-080000.db.zst"
    assert (made.cause, made.created_at_ms, made.integrity) == (Cause.COMMAND, NOW_MS, "ok")
    assert made.rows["issues"] == made.rows["events"] == 3
    assert made.file_bytes == entry.path.stat().st_size < made.database_bytes
    assert verify(entry.path) == verify_bytes(entry.path) == drill(entry.path, NOW_MS) == made


def test_unpacked_by_hand_it_is_the_database(seed: Seed, entry: Entry, tmp_path: Path) -> None:
    with entry.path.open("rb") as packed, (tmp_path / "x.db").open("wb") as out:
        zstandard.ZstdDecompressor().copy_stream(packed, out)

    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as db:
        assert db.execute("SELECT count(*) FROM issues").fetchone() == (3,)


def test_what_the_log_holds_is_in_the_backup(seed: Seed, folder: Path) -> None:
    with contextlib.closing(connection.open_control(seed.path)) as db:
        db.execute("INSERT INTO issue_users SELECT id, 1 FROM fingerprints")
        assert seed.path.with_name("bloop.db-wal").stat().st_size > 0

        assert create(seed.path, folder, NOW_MS).manifest.rows["issue_users"] == 3


def test_verifying_leaves_nothing_behind(entry: Entry, folder: Path) -> None:
    before = sorted(folder.iterdir())

    drill(entry.path, NOW_MS)

    assert sorted(folder.iterdir()) == before


@MANY
@given(position=st.integers(0, 1 << 30), flips=st.integers(1, 255), in_manifest=st.booleans())
def test_one_byte_changed_anywhere_is_found(entry: Entry, position: int, flips: int, in_manifest: bool) -> None:
    path = manifests.manifest_path(entry.path) if in_manifest else entry.path
    whole = path.read_bytes()
    damage(path, position, flips)
    try:
        for look in (verify, verify_bytes):
            with pytest.raises(BackupError):
                look(entry.path)
        with pytest.raises(StorageError):
            drill(entry.path, NOW_MS)
    finally:
        path.write_bytes(whole)


@MANY
@given(length=st.integers(0, 1 << 30))
def test_a_file_cut_short_is_found(entry: Entry, length: int) -> None:
    whole = entry.path.read_bytes()
    os.truncate(entry.path, length % len(whole))
    try:
        with pytest.raises(BackupError, match="size"):
            verify(entry.path)
    finally:
        entry.path.write_bytes(whole)


def test_a_database_that_is_damaged_inside_is_found(seed: Seed, entry: Entry) -> None:
    damage_table(seed.path, "issues")
    repack(entry, seed.path.read_bytes())

    assert verify_bytes(entry.path).sha256 != entry.manifest.sha256
    with pytest.raises(BackupError, match=r"unpacks to"):
        verify(entry.path)
    with pytest.raises(BackupError, match=r"unpacks to"):
        drill(entry.path, NOW_MS)


def test_rows_that_are_missing_are_found(seed: Seed, entry: Entry) -> None:
    with contextlib.closing(apsw.Connection(str(seed.path))) as db:
        db.execute("DELETE FROM events WHERE id = 1")
    repack(entry, seed.path.read_bytes())

    with pytest.raises(BackupError, match="without the rows"):
        verify(entry.path)


def test_a_bomb_is_not_unpacked_past_the_size_announced(entry: Entry, folder: Path) -> None:
    repack(entry, bytes(256 * 1024 * 1024))

    with pytest.raises(BackupError, match="more than its manifest says"):
        verify(entry.path)


def test_a_damaged_database_is_not_called_backed_up(seed: Seed, folder: Path) -> None:
    damage_table(seed.path, "issues")

    with pytest.raises(BackupError, match="the database is damaged"):
        create(seed.path, folder, NOW_MS)
    assert list(folder.iterdir()) == []


def test_another_programs_database_is_refused(tmp_path: Path, folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE t (x)")

    with pytest.raises(StorageError, match="is the database of another program"):
        create(tmp_path / "other.db", folder, NOW_MS)


def test_no_room_is_said_before_anything_is_written(seed: Seed, folder: Path) -> None:
    with pytest.raises(BackupError, match="not enough space"):
        create(seed.path, folder, NOW_MS, watch=Watch(free_bytes_min=EXABYTE))
    assert list(folder.iterdir()) == []


def test_no_room_to_verify_is_said_as_such(entry: Entry) -> None:
    with pytest.raises(BackupError, match="not enough space"):
        verify(entry.path, Watch(free_bytes_min=EXABYTE))


@pytest.mark.parametrize("after", range(4))  # copying, checking twice, packing
def test_stopped_anywhere_it_leaves_nothing(seed: Seed, folder: Path, after: int) -> None:
    looks = iter(range(1000))

    with pytest.raises(Stopped):
        create(seed.path, folder, NOW_MS, watch=Watch(stopping=lambda: next(looks) >= after))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("step", ["Copying", "Checking", "Packing"])
def test_killed_anywhere_it_leaves_no_backup_and_the_next_one_cleans_up(seed: Seed, folder: Path, step: str) -> None:
    command = [sys.executable, "-c", STAND_STILL, str(seed.path), str(folder), step]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == f"{step}\n"
        maker.kill()
    assert len(list(folder.iterdir())) == 1
    assert folders.entries(folder) == []

    made = create(seed.path, folder, NOW_MS)

    assert {path.suffix for path in folder.iterdir()} == {".zst", ".json"}
    assert verify(made.path) == made.manifest


def test_a_missing_database_is_not_made(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BackupError, match="there is no database"):
        create(tmp_path / "nowhere.db", folder, NOW_MS)
    assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("UPDATE schema_migrations SET sha256 = 'another' WHERE version = 3", "changed after it was applied"),
        ("DELETE FROM aggregates; DELETE FROM issues", "has issues and lists none"),
        ("DROP TABLE events", "does not answer: no such table"),
    ],
)
def test_a_drill_finds_what_no_checksum_can(seed: Seed, folder: Path, sql: str, why: str) -> None:
    with contextlib.closing(apsw.Connection(str(seed.path))) as db:
        db.execute("DROP TRIGGER issues_counted_on_delete")
        db.execute(sql)
    made = create(seed.path, folder, NOW_MS)
    verify(made.path)

    with pytest.raises(StorageError, match=why):
        drill(made.path, NOW_MS)
