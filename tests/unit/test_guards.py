"""The guards of this folder's conftest.py stop what they are there to stop."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest


def test_opening_a_sqlite_file_fails_a_unit_test(tmp_path: Path):
    with pytest.raises(pytest.fail.Exception, match="move it to tests/integration"):
        apsw.Connection(str(tmp_path / "x.db"))


def test_database_in_memory_is_no_file():
    apsw.Connection(":memory:").close()
