"""Another commit is unpacked whole, leaves nothing behind, and gets packages of its own only when it pins others."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.trees import REQUIREMENTS, ROOT, TreeError, checked_out, environ_of, prepare, python_for, short_name


def tree_that_pins(folder: Path, requirements: str) -> Path:
    """A checkout of nothing but a `bloop`, a `workers` and what they require."""
    for package in ("bloop", "workers"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
    (folder / REQUIREMENTS).parent.mkdir()
    (folder / REQUIREMENTS).write_text(requirements)
    return folder


def test_a_commit_is_unpacked_and_gone_afterwards() -> None:
    with checked_out("HEAD") as tree:
        assert (tree / "bloop" / "__init__.py").is_file()
        assert (tree / "workers" / "writer.py").is_file()
        assert not (tree / ".git").exists()

    assert not tree.exists()


def test_a_commit_that_is_not_there_is_named() -> None:
    with pytest.raises(TreeError, match="no-such-branch"), checked_out("no-such-branch"):
        pass
    with pytest.raises(TreeError, match="no-such-branch"):
        short_name("no-such-branch")


def test_a_tree_that_pins_the_same_packages_runs_in_this_environment(tmp_path: Path) -> None:
    tree = tree_that_pins(tmp_path / "tree", (ROOT / REQUIREMENTS).read_text())

    assert python_for(tree, tmp_path) == Path(sys.executable)


def test_a_tree_that_pins_other_packages_gets_an_environment_with_those_and_no_others(tmp_path: Path) -> None:
    tree = tree_that_pins(tmp_path / "tree", "# none\n")

    python = python_for(tree, tmp_path)

    assert python.is_relative_to(tmp_path)
    script = "import importlib.util as u, bloop; print(bloop.__file__, u.find_spec('falcon'))"
    done = subprocess.run([python, "-P", "-c", script], env=environ_of(tree), capture_output=True, text=True)
    assert done.stdout.split() == [str(tree / "bloop" / "__init__.py"), "None"]


def test_packages_that_cannot_be_installed_are_an_error_that_says_why(tmp_path: Path) -> None:
    tree = tree_that_pins(tmp_path / "tree", "package-without-a-hash==1.0\n")

    with pytest.raises(TreeError, match="hash"):
        python_for(tree, tmp_path)


def test_a_tree_is_compiled_before_its_first_start(tmp_path: Path) -> None:
    tree = tree_that_pins(tmp_path / "tree", "")

    prepare(tree, Path(sys.executable))

    assert list((tree / "bloop" / "__pycache__").glob("__init__.*.pyc"))


def test_a_tree_whose_code_would_not_run_is_refused(tmp_path: Path) -> None:
    tree = tree_that_pins(tmp_path / "tree", "")
    shutil.rmtree(tree / "workers")
    (tree / "workers").mkdir()  # without a file, so that the installed package is found in its place

    with pytest.raises(TreeError, match="does not run the code"):
        prepare(tree, Path(sys.executable))
