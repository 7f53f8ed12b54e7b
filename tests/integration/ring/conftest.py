from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.ring.processes import Processes
from tests.unit.ring.support import fresh_ring_name


@pytest.fixture
def name() -> Iterator[str]:
    with fresh_ring_name() as name:
        yield name


@pytest.fixture
def processes() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.kill_all()
