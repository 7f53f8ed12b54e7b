from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest


@dataclass
class Peak:
    bytes: int = 0


@pytest.fixture
def tracemalloc_peak() -> Callable[[], AbstractContextManager[Peak]]:
    """A context whose value holds, afterwards, the most Python memory that was in use inside it."""

    @contextmanager
    def measure() -> Iterator[Peak]:
        peak = Peak()
        tracemalloc.start()
        try:
            yield peak
        finally:
            peak.bytes = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

    return measure
