"""Hostile tests start real processes and hold them up; they share the test worker of the acceptance tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import BloopServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("processes"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BloopServer]:
    server = BloopServer(tmp_path_factory.mktemp("hostile"), quiet=True)
    try:
        yield server.start()
    finally:
        server.remove_traces()
