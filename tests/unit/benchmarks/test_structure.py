"""A trace counts the server's functions, each once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.structure import Trace, trace
from benchmarks.trees import ROOT


def function_in(path: Path, text: str) -> Callable[..., Any]:
    """`work` of a file with that text."""
    names: dict[str, Any] = {}
    exec(compile(text, str(path), "exec"), names)
    return names["work"]  # type: ignore[no-any-return]


def test_a_function_counts_once_however_often_it_is_called_and_a_comprehension_counts_to_it(tmp_path: Path) -> None:
    text = """
def inner(n): return n
def work():
    any(inner(n) for n in range(3))
    return [inner(n) for n in range(3)], {inner(n) for n in range(3)}, {n: inner(n) for n in range(3)}
"""
    work = function_in(tmp_path / "bloop" / "a.py", text)

    assert trace(work, tmp_path) == Trace(functions=2, files=1)


def test_only_functions_of_the_server_count(tmp_path: Path) -> None:
    inner = function_in(tmp_path / "workers" / "b.py", "def work(): pass")
    middle = function_in(tmp_path / "benchmarks" / "c.py", "def work(then): then()")
    outer = function_in(tmp_path / "bloop" / "a.py", "def work(middle, inner): middle(inner)")

    assert trace(lambda: outer(middle, inner), tmp_path) == Trace(functions=2, files=2)


def test_whoever_profiled_before_goes_on_after_a_trace_that_failed(tmp_path: Path) -> None:
    def profile(*_: object) -> None: ...

    sys.setprofile(profile)
    try:
        with pytest.raises(ZeroDivisionError):
            trace(lambda: 1 / 0, tmp_path)
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)


def test_imports_are_counted_without_importing_the_server() -> None:
    """The modules of another commit may be anywhere, or be broken."""
    script = (
        "import sys; from benchmarks import structure, trees; structure.measure_imports(trees.ROOT); "
        "sys.exit(any(name.split('.')[0] in ('bloop', 'workers') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
