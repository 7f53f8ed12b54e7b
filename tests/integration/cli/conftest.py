"""A database of its own for every test, and a way to run commands on it inside this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bloop.base import config
from bloop.cli.main import main
from bloop.db import connection
from bloop.db.migrate import migrate
from bloop.projects.store import ensure_default_project

SECRET = "x" * 40

Run = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> config.Settings:
    """Settings that lead to `tmp_path/x.db`, in the environment, with the working directory elsewhere."""
    for name in [name for name in os.environ if name.lower().startswith("bloop")]:
        monkeypatch.delenv(name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("BLOOP__DATABASE__PATH", str(tmp_path / "x.db"))
    monkeypatch.setenv("BLOOP__AUTH__HMAC_SECRET", SECRET)
    monkeypatch.setenv("BLOOP__DATABASE__DISK_FREE_BYTES_MIN", "0")  # how full this disk is is not what is tested
    return config.load()


@pytest.fixture
def database(settings: config.Settings) -> config.Settings:
    """The same, and the database is there with its default project."""
    migrate(settings.database_path, 1_700_000_000_000)
    with closing(connection.open_control(settings.database_path)) as db, connection.immediate(db):
        ensure_default_project(db, SECRET, 1_700_000_000_000)
    return settings


@pytest.fixture
def run(settings: config.Settings) -> Run:
    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    return invoke
