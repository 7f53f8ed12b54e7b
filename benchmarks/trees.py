"""Another commit of this repository, checked out beside the working tree, and the interpreter that runs it.

TREE-1  The files come from `git archive`, so a checkout leaves nothing in the repository, also when it is killed.
TREE-2  A process started with `environ_of` a tree imports `bloop` and `workers` from it, and so do all its children:
    PYTHONPATH comes before the editable installation of the virtual environment, and children inherit it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the working tree
REQUIREMENTS = Path("requirements") / "runtime.txt"
LIMITS = Path("bloop") / "issues" / "limits"
INSTALL_WITHIN_S = 600.0
_PRINT_FILES = "import bloop, workers; print(bloop.__file__, workers.__file__, sep='\\n')"


class TreeError(Exception):
    """The commit cannot be checked out or run."""


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The files of a commit in a temporary folder.

    Raises:
        TreeError: git does not know the commit.
    """
    hashed = resolve(commit)
    with tempfile.TemporaryDirectory(prefix="bloop-tree-") as name:
        tree = Path(name).resolve() / "tree"
        tree.mkdir()
        subprocess.run(["tar", "-x", "-C", str(tree)], input=_git("archive", hashed), check=True)
        yield tree


def resolve(commit: str) -> str:
    """The hash of a commit named in any way git understands. Raises: TreeError."""
    return _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").decode().strip()


def short_name(commit: str) -> str:
    """The short hash of a commit. Raises: TreeError."""
    return _git("rev-parse", "--short", resolve(commit)).decode().strip()


def environ_of(tree: Path) -> dict[str, str]:
    """Variables that make a process run the code of a tree (TREE-2)."""
    return {"PYTHONPATH": str(tree)}


def has_limits(tree: Path) -> bool:
    """Whether the bloop of a tree knows the section [limits]; an older one refuses to start with it."""
    return (tree / LIMITS).exists()


def python_for(tree: Path, folder: Path) -> Path:
    """The interpreter with what the tree requires: our own, or that of a virtual environment made in `folder`.

    Raises:
        TreeError: its requirements cannot be installed.
    """
    if not needs_own_environment(tree):
        return Path(sys.executable)
    venv = folder / "venv"
    python = venv / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    install = ["install", "--quiet", "--no-input", "--disable-pip-version-check", "--require-hashes", "--no-deps"]
    command = [sys.executable, "-m", "pip", "--python", str(python), *install, "-r", str(tree / REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN_S)
    if done.returncode:
        raise TreeError(f"cannot install {REQUIREMENTS} of the commit: {done.stderr.strip()}")
    return python


def needs_own_environment(tree: Path) -> bool:
    """Whether the tree pins other packages than the working tree does."""
    return (tree / REQUIREMENTS).read_bytes() != (ROOT / REQUIREMENTS).read_bytes()


def prepare(tree: Path, python: Path) -> None:
    """Compile a tree, so that its first start is like every other, and check that its code is the one that runs.

    Raises:
        TreeError: the interpreter imports bloop from elsewhere.
    """
    command = [str(python), "-P", "-c", _PRINT_FILES]
    environ = {"PATH": os.defpath, **environ_of(tree)}
    for package in ("bloop", "workers"):
        subprocess.run([str(python), "-m", "compileall", "-q", str(tree / package)], check=True)
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode or not all(Path(file).is_relative_to(tree) for file in done.stdout.splitlines()):
        raise TreeError(f"{python} does not run the code of {tree}: {(done.stdout + done.stderr).strip()}")


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip() or "no such commit"
        raise TreeError(f"git {' '.join(arguments)}: {reason}")
    return done.stdout
