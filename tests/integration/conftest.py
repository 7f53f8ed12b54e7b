from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from bloop.db import connection
from tests.seed import Seed


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


@pytest.fixture
def db(seed: Seed) -> Iterator[apsw.Connection]:
    reader = connection.open_reader(seed.path)
    yield reader
    reader.close()
