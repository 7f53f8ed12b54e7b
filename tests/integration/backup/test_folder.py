"""Who works in the folder of the backups, and what is removed there (bloop/backup/folder.py), FOLDER-1 to FOLDER-4."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.backup import folder as folders
from bloop.backup import manifest as manifests
from bloop.backup.folder import Entry, select_surplus
from bloop.backup.manifest import Cause
from bloop.backup.watch import Watch
from bloop.base.errors import BackupError
from tests.unit.backup.test_manifest import MADE

WATCH = Watch()
HOLD = """
import sys
from pathlib import Path
from bloop.backup.folder import temporary_folder
from bloop.backup.watch import Watch
with temporary_folder(Path(sys.argv[1]), Watch()) as making:
    (making / "copy.db").write_bytes(b"half")
    print("held", flush=True)
    sys.stdin.read()
"""


def entry(number: int, cause: Cause = Cause.SCHEDULE, database_id: str = MADE.database_id) -> Entry:
    fields = {name: getattr(MADE, name) for name in MADE.__struct_fields__}
    made = manifests.Manifest(**(fields | {"created_at_ms": number, "cause": cause, "database_id": database_id}))
    return Entry(Path(f"/backups/bloop-{number}.db.zst"), made)


# What is removed

entry_lists = st.lists(
    st.tuples(st.sampled_from(Cause), st.sampled_from(["own", "other"]), st.booleans()), max_size=30
).map(lambda rows: [(entry(len(rows) - i, cause, owner), is_bad) for i, (cause, owner, is_bad) in enumerate(rows)])


@given(entry_lists, st.integers(1, 8))
def test_rotation_keeps_enough_of_each_cause_and_the_newest_good_one(rows: list[tuple[Entry, bool]], keep: int) -> None:
    found = [one for one, _ in rows]
    bad = {one.path.name for one, is_bad in rows if is_bad}

    gone = select_surplus(found, database_id="own", keep=keep, bad=bad)

    left = [one for one in found if one not in gone]
    own = [one for one in found if one.manifest.database_id == "own"]
    assert all(one.manifest.database_id == "own" for one in gone)
    for cause in Cause:
        of_cause = [one for one in own if one.manifest.cause == cause]
        kept = [one for one in left if one in of_cause]
        assert kept[:keep] == of_cause[:keep]
        assert len(kept) <= keep + 1
    good = [one for one in own if one.path.name not in bad]
    assert not good or good[0] in left
    assert select_surplus(left, database_id="own", keep=keep, bad=bad) == []


def test_backups_by_hand_do_not_push_out_the_nightly_ones() -> None:
    nightly = [entry(1), entry(2)]
    by_hand = [entry(number, Cause.ASKED) for number in range(3, 9)]

    gone = select_surplus([*reversed(by_hand), *reversed(nightly)], database_id=MADE.database_id, keep=2, bad=())

    assert [one.manifest.created_at_ms for one in gone] == [6, 5, 4, 3]


# What is there


def test_only_whole_backups_are_listed(folder: Path, entry: Entry) -> None:
    (folder / "bloop-20200101-000000.json").write_bytes(b"{}")
    (folder / "bloop-20200102-000000.json").write_bytes(manifests.render(MADE))  # and no packed file
    (folder / "bloop-20200103-000000.db.zst").write_bytes(b"no manifest")
    (folder / "notes.json").write_bytes(b"{}")

    assert folders.entries(folder) == [entry]


def test_a_packed_file_cut_short_is_not_listed(folder: Path, entry: Entry) -> None:
    os.truncate(entry.path, entry.manifest.file_bytes - 1)

    assert folders.entries(folder) == []


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert folders.entries(tmp_path / "nowhere") == []


# Who works there


def test_two_processes_never_work_in_one_folder(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"

        with pytest.raises(BackupError, match="another process works on the backups"), folders.locked(folder, WATCH):
            pass

        holder.communicate("", timeout=20)
    with folders.locked(folder, WATCH):
        assert list(folder.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_one(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
        holder.wait()
    assert [path.name[:8] for path in folder.iterdir()] == [".making-"]

    with folders.locked(folder, WATCH):
        assert list(folder.iterdir()) == []


def test_killed_between_the_two_names_it_is_no_backup_and_goes(folder: Path, entry: Entry) -> None:
    making = folder / ".making-killed"
    making.mkdir()
    manifest = manifests.manifest_path(entry.path)
    manifest.rename(making / manifest.name)

    with folders.locked(folder, WATCH):
        assert list(folder.iterdir()) == []


def test_killed_after_both_names_it_stays(folder: Path, entry: Entry) -> None:
    (folder / ".making-killed").mkdir()

    with folders.locked(folder, WATCH):
        assert folders.entries(folder) == [entry]
    assert not (folder / ".making-killed").exists()


def test_sweeping_follows_no_link(folder: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    folder.mkdir()
    (folder / ".making-link").symlink_to(precious)

    with folders.locked(folder, WATCH):
        pass

    assert (precious / "file").read_text() == "kept"


def test_a_folder_open_to_everybody_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(BackupError, match="every user may write"), folders.locked(folder, WATCH):
        pass


def test_files_and_folder_are_this_users_alone(folder: Path, entry: Entry) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}

    assert set(modes.values()) == {0o700, 0o600}
    assert modes[folder.name] == 0o700
