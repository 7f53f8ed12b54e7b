"""`python -m benchmarks paired COMMIT`, and that each side runs its own code. No test checks a figure."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks.ratios import KINDS
from benchmarks.trees import ROOT, checked_out, environ_of
from bloop.base.config import Database, Settings
from bloop.bench.instance import SHARED_MEMORY, BenchInstance
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


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_every_process_of_a_side_runs_the_code_of_its_tree(tmp_path: Path) -> None:
    with checked_out("HEAD") as tree:
        with (tree / "bloop" / "__init__.py").open("a") as module:
            module.write(SIGN)
        with BenchInstance(tmp_path, **environ_of(tree)) as instance:
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
        with BenchInstance(tmp_path) as instance:
            assert instance.processes()

    assert not pids_with_sign(tmp_path)


def test_the_working_tree_is_compared_with_a_commit_from_start_to_table(tmp_path: Path) -> None:
    result = tmp_path / "result.json"

    done = benchmarks("paired", "HEAD", "--quick", "--json", str(result))

    assert done.returncode == 0, done.stderr
    content = json.loads(result.read_text())
    assert [figure["name"] for figure in content["figures"]] == list(KINDS)
    for figure in content["figures"]:
        assert len(figure["ours"]) == len(figure["theirs"]) == 1
        assert figure["ratio"] == figure["ours"][0] / figure["theirs"][0] > 0
    assert all(name in done.stdout for name in KINDS)


def test_an_unknown_commit_ends_the_comparison_with_1() -> None:
    done = benchmarks("paired", "no-such-branch", "--quick")

    assert done.returncode == 1
    assert "no-such-branch" in done.stderr


def test_a_comparison_that_is_ended_leaves_no_process_no_file_and_no_shared_memory() -> None:
    with tempfile.TemporaryDirectory(prefix="paired-") as folder:  # its bloop has Unix sockets: the name must be short
        command = [sys.executable, "-m", "benchmarks", "paired", "HEAD", "--quick", "--dir", folder]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            (database, *_) = until(lambda: list(Path(folder).glob("*/run-*/bloop.db")), "a database", within_s=60)
            ring = SHARED_MEMORY / Settings(database=Database(path=str(database))).ring_name[1:]
            until(ring.exists, "a ring", within_s=60)
            of_run = psutil.Process(process.pid).children(recursive=True)
            process.terminate()
            code = process.wait(60)

        assert code == 128 + signal.SIGTERM
        assert of_run
        assert not any(map(is_alive, of_run))
        assert not ring.exists()
        assert list(Path(folder).iterdir()) == []
