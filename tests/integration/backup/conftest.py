"""A small database with something of everything, and a backup of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.backup.create import create
from bloop.backup.folder import Entry
from tests.seed import NOW_MS, Seed


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    """Closed already when the test begins: backups are made of the file."""
    made = Seed(tmp_path / "bloop.db")
    project = made.project("shop")
    for number in range(3):
        issue = made.issue(project, f"{number:016x}")
        made.event(issue)
    user = made.user("ada", is_admin=True)
    made.session(user)
    made.close()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def entry(seed: Seed, folder: Path) -> Entry:
    return create(seed.path, folder, NOW_MS)
