"""The folder of the backups: locks it, lists its backups, removes surplus ones.

FOLDER-1  One process at a time makes or removes backups in a folder. The lock is on the folder itself and ends with its
    process, even after SIGKILL.
FOLDER-2  Unfinished files lie in a folder of their own, `.making-…`. Once the lock is free, its owner is dead: the next
    process removes the folder, and a packed file that had left it but has no manifest yet (MANIFEST-1).
FOLDER-3  Only files with a manifest of this installation are ever removed, and never the newest good one.
FOLDER-4  Folders and files are private to this user. A folder that every user may write to is refused; a symbolic link
    in place of a backup file is not followed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bloop.backup import manifest as manifests
from bloop.backup.manifest import MANIFEST_SUFFIX, Manifest
from bloop.backup.watch import Watch
from bloop.base.errors import BackupError

ENTRIES_MAX = 1000  # backups read in one folder
LOCK_WAIT_S = 600.0  # for a backup in progress there
_MAKING = ".making-"
_LOOK_EVERY_S = 0.05


class Entry(NamedTuple):
    """One backup, as its manifest describes it."""

    path: Path
    manifest: Manifest


@contextlib.contextmanager
def locked(folder: Path, watch: Watch, *, wait_s: float = 0.0) -> Iterator[None]:
    """Create `folder` if missing, lock it for this process (FOLDER-1) and sweep it (FOLDER-2).

    Raises:
        BackupError: another process still works there after `wait_s`, or every user may write to the folder.
    """
    _ensure_folder(folder)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(fd, folder, watch, time.monotonic() + wait_s)
        sweep(folder)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def temporary_folder(folder: Path, watch: Watch, *, wait_s: float = 0.0) -> Iterator[Path]:
    """A temporary folder inside `folder`, which is `locked` for as long. Raises: BackupError."""
    with locked(folder, watch, wait_s=wait_s), tempfile.TemporaryDirectory(prefix=_MAKING, dir=folder) as making:
        yield Path(making)


def _lock(fd: int, folder: Path, watch: Watch, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise BackupError(f"another process works on the backups in {folder}; try again later") from None
            watch.check("Waiting", 0, 1)
            time.sleep(_LOOK_EVERY_S)
        else:
            return


def _ensure_folder(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise BackupError(f"every user may write to {folder}: run chmod o-w on it or set another folder")


def sweep(folder: Path) -> None:
    """Remove the files of a killed process. Call only while holding the lock."""
    for making in folder.glob(f"{_MAKING}*"):
        if making.is_symlink() or not making.is_dir():
            continue
        for manifest in making.glob(f"*{MANIFEST_SUFFIX}"):
            moved = folder / manifest.name
            if not moved.exists():
                manifests.data_path(moved).unlink(missing_ok=True)
        shutil.rmtree(making)


def entries(folder: Path) -> list[Entry]:
    """The backups in `folder`, newest first, without damaged or incomplete ones; [] for an unreadable folder."""
    backups: list[Entry] = []
    with contextlib.suppress(OSError), os.scandir(folder) as names:
        for entry in names:
            if len(backups) < ENTRIES_MAX and manifests.is_manifest_name(entry.name):
                with contextlib.suppress(BackupError, OSError):
                    backups.append(_entry(manifests.data_path(folder / entry.name)))
    return sorted(backups, key=lambda entry: (entry.manifest.created_at_ms, entry.path.name), reverse=True)


def _entry(path: Path) -> Entry:
    """The backup at `path` if it has the right size; only `verify` checks its bytes."""
    manifest = manifests.read(path)
    if path.stat().st_size != manifest.file_bytes:
        raise BackupError(f"{path.name} does not have the size its manifest says")
    return Entry(path, manifest)


def remove(entry: Entry) -> None:
    """Remove the packed file first: a manifest alone is not a backup."""
    entry.path.unlink(missing_ok=True)
    manifests.manifest_path(entry.path).unlink(missing_ok=True)


def rotate(folder: Path, *, database_id: str, keep: int, bad: Collection[str], watch: Watch) -> list[Entry]:
    """Remove and return the backups beyond `keep` (FOLDER-3). Raises: BackupError when another process works there."""
    with locked(folder, watch, wait_s=LOCK_WAIT_S):
        surplus = select_surplus(entries(folder), database_id=database_id, keep=keep, bad=bad)
        for entry in surplus:
            remove(entry)
    return surplus


def select_surplus(backups: Sequence[Entry], *, database_id: str, keep: int, bad: Collection[str]) -> list[Entry]:
    """The backups to remove so that `keep` of each cause stay, and always the newest good one (FOLDER-3). Pure.

    `backups` are newest first; `bad` names the files whose restore drill failed.
    """
    own = [entry for entry in backups if entry.manifest.database_id == database_id]
    newest_good = next((entry for entry in own if entry.path.name not in bad), None)
    counts: dict[str, int] = {}
    surplus = []
    for entry in own:
        counts[entry.manifest.cause] = counts.get(entry.manifest.cause, 0) + 1
        if counts[entry.manifest.cause] > keep and entry is not newest_good:
            surplus.append(entry)
    return surplus
