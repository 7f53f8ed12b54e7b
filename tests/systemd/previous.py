"""The commit before this one, from the clone: upgrades begin with it."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60


class NoPrevious(Exception):
    """This checkout does not have it; the text is the reason, in one line."""


@functools.cache
def commit() -> str:
    """Its hash; the same for the life of this process.

    Raises:
        NoPrevious: an unpacked archive, a shallow clone, the first commit.
    """
    if Path(_git("rev-parse", "--show-toplevel").decode().strip()).resolve() != ROOT.resolve():
        raise NoPrevious("this folder is not the root of a clone")
    try:
        return _git("rev-parse", "--verify", "HEAD~1^{commit}").decode().strip()
    except NoPrevious:
        raise NoPrevious("the clone has no commit before this one") from None


def text_of(path: str) -> str:
    """The text of one of its files. Raises: NoPrevious."""
    return _git("show", f"{commit()}:{path}").decode()


def unpack(folder: Path) -> Path:
    """Unpack all of its files. Raises: NoPrevious."""
    archive = _git("archive", commit())
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True, timeout=TIMEOUT_S)
    return folder


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, timeout=TIMEOUT_S)
    except OSError as error:
        raise NoPrevious(f"git: {error.strerror}") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise NoPrevious(lines[0] if lines else f"git ended with {done.returncode}")
    return done.stdout
