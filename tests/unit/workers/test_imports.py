"""The processes of the server load no commands, no load generator and no demo: what they do not use costs no memory."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from workers.command import NAMES

ROOT = Path(__file__).parents[3]
FOR_OPERATORS = re.compile(r"bloop\.(bench|demo|cli|command|transfer)(\.|$)|bloop\..*cli$|(click|rich|requests)$")
OF_BENCH_OR_DEMO = re.compile(r"^\s*(from|import) bloop\.(bench|demo)\b", re.MULTILINE)
LOADED = "import sys, workers.{name}; from bloop import features; features.tables(); print(*sys.modules)"


@pytest.mark.parametrize("name", NAMES)
def test_a_process_of_the_server_loads_nothing_that_only_operators_use(name: str) -> None:
    command = [sys.executable, "-c", LOADED.format(name=name)]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout.split()

    assert f"workers.{name}" in loaded
    assert [module for module in loaded if FOR_OPERATORS.match(module)] == []


def test_nothing_else_imports_the_load_generator_and_the_demo() -> None:
    """Also not inside functions, where importing a process does not show it. Commands are named, not imported."""
    sources = [*(ROOT / "bloop").rglob("*.py"), *(ROOT / "workers").rglob("*.py"), ROOT / "gunicorn.conf.py"]
    importing = {str(path.relative_to(ROOT)) for path in sources if OF_BENCH_OR_DEMO.search(path.read_text("utf-8"))}

    assert [path for path in importing if not path.startswith(("bloop/bench/", "bloop/demo/"))] == []
