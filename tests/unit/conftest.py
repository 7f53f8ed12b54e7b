"""What holds for unit tests: none opens a SQLite file. Tests that need one are in tests/integration, in a folder of the
same name.
"""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest


def refuse_files(db: apsw.Connection) -> None:
    """Called by apsw with every new connection. A database in memory has no file name."""
    if db.filename:
        pytest.fail(f"a unit test opens the SQLite file {db.filename}: move it to tests/integration")


@pytest.fixture(autouse=True, scope="package")  # ends with this folder: other tests may follow in the same process
def no_sqlite_files() -> Iterator[None]:
    apsw.connection_hooks.append(refuse_files)
    yield
    apsw.connection_hooks.remove(refuse_files)
