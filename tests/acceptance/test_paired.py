"""`python -m benchmarks paired COMMIT`, and that each side runs the code it says it runs. No figure is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.ratios import KINDS
from benchmarks.trees import ROOT, checked_out, environ_of
from bloop.bench.instance import Instance
from tests.waiting import until

# Put into a tree: each process that runs it, forked or not, leaves a file named for its pid beside the database.
SIGN = """
import os as _os

def _leave_sign():
    open(_os.path.join(_os.path.dirname(_os.environ["BLOOP__DATABASE__PATH"]), f"ran-{_os.getpid()}"), "w").close()

_leave_sign()
_os.register_at_fork(after_in_child=_leave_sign)
"""


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)


def pids_with_sign(folder: Path) -> set[int]:
    return {int(path.name.removeprefix("ran-")) for path in folder.glob("ran-*")}


def test_every_process_of_a_side_runs_the_code_of_its_tree(tmp_path: Path) -> None:
    with checked_out("HEAD") as tree:
        with (tree / "bloop" / "__init__.py").open("a") as module:
            module.write(SIGN)
        with Instance(tmp_path, **environ_of(tree)) as instance:
            parts = {"supervisor", "writer", "ingest worker", "dashboard worker", "retention", "alerts"}
            until(lambda: parts <= set(instance.processes().values()), "every part of it")
            processes = instance.processes()
            until(lambda: processes.keys() <= pids_with_sign(tmp_path), "a sign of every process")
            signs = len(pids_with_sign(tmp_path))
            token = instance.command("token", "create", "t", "--project", "default", "--scopes", "errors:read")

    assert token.strip()
    assert len(pids_with_sign(tmp_path)) > signs  # the command ran that code, too


def test_a_bloop_without_a_tree_runs_the_code_that_is_installed(tmp_path: Path) -> None:
    with checked_out("HEAD") as tree:
        with (tree / "bloop" / "__init__.py").open("a") as module:
            module.write(SIGN)
        with Instance(tmp_path) as instance:
            assert instance.processes()

    assert not pids_with_sign(tmp_path)


def test_the_working_tree_is_compared_with_a_commit_from_start_to_table(tmp_path: Path) -> None:
    result = tmp_path / "result.json"

    done = benchmarks("paired", "HEAD", "--quick", "--json", str(result))

    assert done.returncode == 0, done.stderr
    found = json.loads(result.read_text())
    assert [figure["name"] for figure in found["figures"]] == list(KINDS)
    for figure in found["figures"]:
        assert len(figure["ours"]) == len(figure["theirs"]) == 1
        assert figure["ratio"] == figure["ours"][0] / figure["theirs"][0] > 0
    assert all(name in done.stdout for name in KINDS)


def test_a_commit_that_is_not_there_ends_the_comparison_with_1() -> None:
    done = benchmarks("paired", "no-such-branch", "--quick")

    assert done.returncode == 1
    assert "no-such-branch" in done.stderr
