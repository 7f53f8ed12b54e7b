"""The folder of the backups: who may work in it, what lies there, what is removed.

F1  One process at a time makes or removes backups in a folder. The lock is on the folder itself and ends with its
    process, however that dies.
F2  Everything unfinished lies in a folder of its own, `.making-…`, whose holder is known to be dead once the lock is
    free: the next one removes it, and a packed file that had moved out of it already but has no manifest yet (M1).
F3  Only files with a manifest of this installation are ever removed, and never the newest good one.
F4  Folders and files are this user's alone. A folder that anybody may write to is refused; a link in place of a file
    of ours is not followed.
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

ENTRIES_MAX = 1000  # looked at in one folder
LOCK_WAIT_S = 600.0  # a backup that is being made there is waited for
_MAKING = ".making-"
_LOOK_EVERY_S = 0.05


class Entry(NamedTuple):
    """One backup, as its manifest describes it."""

    path: Path
    manifest: Manifest


@contextlib.contextmanager
def held(folder: Path, watch: Watch, *, wait_s: float = 0.0) -> Iterator[None]:
    """`folder`, which is made if need be, for us alone (F1), and swept (F2).

    Raises:
        BackupError: another process works there, also after `wait_s`, or the folder is open to everybody.
    """
    _make(folder)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(fd, folder, watch, time.monotonic() + wait_s)
        sweep(folder)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def working_in(folder: Path, watch: Watch, *, wait_s: float = 0.0) -> Iterator[Path]:
    """A temporary folder inside `folder`, which is `held` meanwhile. Raises: BackupError."""
    with held(folder, watch, wait_s=wait_s), tempfile.TemporaryDirectory(prefix=_MAKING, dir=folder) as making:
        yield Path(making)


def _lock(fd: int, folder: Path, watch: Watch, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise BackupError(f"another process works on the backups in {folder}; try again later") from None
            watch.look("Waiting", 0, 1)
            time.sleep(_LOOK_EVERY_S)
        else:
            return


def _make(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise BackupError(f"anybody may write to {folder}: take that right away (chmod o-w) or name another folder")


def sweep(folder: Path) -> None:
    """Remove what a killed process left. Only while the lock is held."""
    for making in folder.glob(f"{_MAKING}*"):
        if making.is_symlink() or not making.is_dir():
            continue
        for manifest in making.glob(f"*{MANIFEST_SUFFIX}"):
            moved = folder / manifest.name
            if not moved.exists():
                manifests.data_path(moved).unlink(missing_ok=True)
        shutil.rmtree(making)


def entries(folder: Path) -> list[Entry]:
    """The backups in `folder`, newest first; what is damaged or incomplete is none. An unreadable folder is empty."""
    found: list[Entry] = []
    with contextlib.suppress(OSError), os.scandir(folder) as names:
        for entry in names:
            if len(found) < ENTRIES_MAX and manifests.is_manifest_name(entry.name):
                with contextlib.suppress(BackupError, OSError):
                    found.append(_entry(manifests.data_path(folder / entry.name)))
    return sorted(found, key=lambda entry: (entry.manifest.created_at_ms, entry.path.name), reverse=True)


def _entry(path: Path) -> Entry:
    """Whole as far as its size says; whether its bytes are right is for `verify`."""
    manifest = manifests.read(path)
    if path.stat().st_size != manifest.file_bytes:
        raise BackupError(f"{path.name} does not have the size its manifest says")
    return Entry(path, manifest)


def remove(entry: Entry) -> None:
    """The packed file first: a manifest without one is no backup, and nobody takes it for one."""
    entry.path.unlink(missing_ok=True)
    manifests.manifest_path(entry.path).unlink(missing_ok=True)


def rotate(folder: Path, *, database_id: str, keep: int, bad: Collection[str], watch: Watch) -> list[Entry]:
    """Remove what is beyond `keep` (F3); return what went. Raises: BackupError when another process works there."""
    with held(folder, watch, wait_s=LOCK_WAIT_S):
        gone = to_remove(entries(folder), database_id=database_id, keep=keep, bad=bad)
        for entry in gone:
            remove(entry)
    return gone


def to_remove(found: Sequence[Entry], *, database_id: str, keep: int, bad: Collection[str]) -> list[Entry]:
    """Which to remove so that `keep` of each cause stay, and the newest good one in any case (F3). Pure.

    `found` is newest first; `bad` names the files whose restore drill failed.
    """
    own = [entry for entry in found if entry.manifest.database_id == database_id]
    newest_good = next((entry for entry in own if entry.path.name not in bad), None)
    kept: dict[str, int] = {}
    beyond = []
    for entry in own:
        kept[entry.manifest.cause] = kept.get(entry.manifest.cause, 0) + 1
        if kept[entry.manifest.cause] > keep and entry is not newest_good:
            beyond.append(entry)
    return beyond
