"""The machine of these tests. Its file system takes a minute to make; that begins once the tests are collected."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.systemd.machine import Machine, booted, module
from tests.systemd.tree import ROOT, Unavailable, ensure

HERE = Path(__file__).parent
_making: list[subprocess.Popen[bytes]] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("systemd"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Every worker of xdist collects all tests; only the first one makes the tree."""
    worker = getattr(session.config, "workerinput", {"workerid": "gw0"})["workerid"]
    if worker == "gw0" and any("machine" in getattr(item, "fixturenames", ()) for item in session.items):
        null = subprocess.DEVNULL
        making = subprocess.Popen(module("tree"), cwd=ROOT, stdin=null, stdout=null, stderr=null, process_group=0)
        _making.append(making)


def pytest_sessionfinish() -> None:
    for making in _making:
        if making.poll() is None:  # the run was ended early
            with contextlib.suppress(ProcessLookupError):
                os.killpg(making.pid, signal.SIGTERM)
        making.wait()


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print a line to the terminal, once."""
    printed = set()

    def print_once(line: str) -> None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        assert capture is not None
        if line not in printed:
            printed.add(line)
            with capture.global_and_fixture_disabled():
                print(f"\n{line}", file=sys.stderr, flush=True)

    return print_once


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, say: Callable[[str], None]) -> Iterator[Machine | None]:
    """One for all tests of a module, which build on each other; None, and a line with the reason, if none boots."""
    folder = tmp_path_factory.mktemp("machine")
    with contextlib.ExitStack() as stack:
        try:
            tree, wheels = ensure()
            machine = stack.enter_context(booted(tree, wheels, folder))
        except Unavailable as reason:
            say(f"The units of systemd do not run on this machine: {reason}")
            machine = None
        yield machine
