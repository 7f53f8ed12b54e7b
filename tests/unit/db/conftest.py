from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seed import Seed


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()
