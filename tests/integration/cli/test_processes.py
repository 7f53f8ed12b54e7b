"""Processes that may not be looked into are known by the locks they hold."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from bloop.base import config
from bloop.cli.processes import find_processes, parse_lock_owners
from bloop.db import connection

LOCKS = """\
1: POSIX  ADVISORY  WRITE 238 00:2f:2 66 66
2: POSIX  ADVISORY  READ 199 fd:01:6303 128 128
2: -> POSIX  ADVISORY  WRITE 200 fd:01:6303 128 128
3: FLOCK  ADVISORY  WRITE 201 fd:01:6303 0 EOF
4: OFDLCK ADVISORY  READ -1 fe:00:6303 0 EOF
5: POSIX  ADVISORY  READ 202 fd:01:63030 128 128
6: LEASE  ACTIVE    READ 203 fd:01:6303 0 EOF
"""
_HOLD = """
import sys, apsw
from pathlib import Path
db = apsw.Connection(sys.argv[1])
db.execute("SELECT count(*) FROM sqlite_schema").fetchall()
Path("/proc/self/comm").write_text("bloop-alerts")
print("holds", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    path = tmp_path / "bloop.db"
    with closing(connection.open_control(path)) as db:
        db.execute("CREATE TABLE t (a)")
    settings = config.load(None, {"BLOOP__AUTH__HMAC_SECRET": "s" * 32})
    return dataclasses.replace(settings, database=dataclasses.replace(settings.database, path=str(path)))


@pytest.fixture
def holder(settings: config.Settings) -> Iterator[int]:
    """The pid of a process that has the database open, and that nobody may look into."""
    command = [sys.executable, "-c", _HOLD, str(settings.database_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"holds\n"
        yield process.pid


def test_only_who_holds_a_lock_on_one_of_the_files_counts():
    assert parse_lock_owners({2, 6303}, LOCKS) == {238, 199}
    assert parse_lock_owners(set(), LOCKS) == set()


def hide(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: psutil.Process) -> Any:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "open_files", refuse)


def test_process_of_another_user_namespace_is_found_by_its_lock_on_the_database(
    settings: config.Settings, holder: int, monkeypatch: pytest.MonkeyPatch
):
    hide(monkeypatch)

    assert [(member.name, member.pid) for member in find_processes(settings)] == [("alerts", holder)]


def test_another_users_process_stays_out_of_it(settings: config.Settings, holder: int, monkeypatch: pytest.MonkeyPatch):
    hide(monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)

    assert find_processes(settings) == []


def test_process_with_another_database_is_not_of_the_family(
    settings: config.Settings, holder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    hide(monkeypatch)
    other = dataclasses.replace(settings.database, path=str(tmp_path / "other.db"))

    assert find_processes(dataclasses.replace(settings, database=other)) == []
