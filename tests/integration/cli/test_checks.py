"""Each check of `bloop doctor` on what it is there to find."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from bloop.base import clock, config
from bloop.cli import checks, checks_online, checks_running
from bloop.cli.checks import Check, Verdict
from bloop.cli.processes import ProcessInfo
from bloop.db import connection


class Disk(NamedTuple):
    free: int


def verdicts(check: Check, settings: config.Settings) -> dict[str, Verdict]:
    """Subject → how it is."""
    found = list(check(settings))
    assert all(bool(f.remedy) == (f.verdict is not Verdict.OK) for f in found)
    assert not any(settings.auth.hmac_secret and settings.auth.hmac_secret in f.says for f in found)
    return {finding.subject: finding.verdict for finding in found}


def with_auth(settings: config.Settings, **auth: str) -> config.Settings:
    return replace(settings, auth=replace(settings.auth, **auth))


@pytest.mark.parametrize(
    ("secret", "expected"),
    [("", Verdict.WRONG), ("1" * 40, Verdict.WARNING), ("0123456789abcdef" * 3, Verdict.OK)],
)
def test_a_secret_is_there_and_not_one_letter(settings: config.Settings, secret: str, expected: Verdict) -> None:
    assert verdicts(checks.secret, with_auth(settings, hmac_secret=secret)) == {"secret": expected}


def test_a_database_everybody_may_read_is_found(database: config.Settings) -> None:
    os.chmod(database.database_path, 0o600)
    assert verdicts(checks.files, database) == {}

    os.chmod(database.database_path, 0o644)

    assert verdicts(checks.files, database) == {"files": Verdict.WARNING}


def test_a_database_that_is_not_there_is_said(settings: config.Settings) -> None:
    assert verdicts(checks.files, settings) == {"database": Verdict.WARNING}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ext4", Verdict.OK), ("nfs4", Verdict.WRONG), ("cifs", Verdict.WRONG), ("overlay", Verdict.WARNING)],
)
def test_the_innermost_mount_decides(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch, kind: str, expected: Verdict
) -> None:
    class Mount(NamedTuple):
        mountpoint: str
        fstype: str

    mounts = [Mount("/", "xfs"), Mount(str(settings.database_path.parent), kind), Mount("/somewhere/else", "nfs")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)

    assert verdicts(checks.filesystem, settings) == {"file system": expected}


@pytest.mark.parametrize(
    ("free", "expected"), [(0, Verdict.WRONG), (64 * checks.MIB, Verdict.WARNING), (10**12, Verdict.OK)]
)
def test_room_for_storing_and_for_a_backup(
    database: config.Settings, monkeypatch: pytest.MonkeyPatch, free: int, expected: Verdict
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: Disk(free))
    settings = replace(database, database=replace(database.database, disk_free_bytes_min=64 * checks.MIB))

    assert verdicts(checks.disk, settings) == {"disk": expected}


@pytest.mark.parametrize(("free", "expected"), [(checks.MIB, Verdict.WRONG), (10**10, Verdict.OK)])
def test_room_for_the_buffer(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch, free: int, expected: Verdict
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: Disk(free))

    assert verdicts(checks.shared_memory, settings) == {"shared memory": expected}


@pytest.mark.parametrize(("ahead_s", "expected"), [(0, Verdict.OK), (86_400, Verdict.WARNING)])
def test_a_clock_behind_the_file_is_found(database: config.Settings, ahead_s: int, expected: Verdict) -> None:
    later = os.stat(database.database_path).st_mtime + ahead_s
    os.utime(database.database_path, (later, later))

    assert verdicts(checks.clock_is_right, database) == {"clock": expected}


def test_a_clock_that_was_never_set_is_found(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1000.0)

    assert verdicts(checks.clock_is_right, settings) == {"clock": Verdict.WRONG}


@pytest.fixture
def taken() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


def test_a_port_somebody_else_has_is_found_with_his_name(settings: config.Settings, taken: int) -> None:
    settings = replace(settings, server=replace(settings.server, host="127.0.0.1", port=taken))

    (finding,) = checks.port(settings)

    assert finding.verdict is Verdict.WRONG
    assert f"pid {os.getpid()}" in finding.says


def test_too_few_descriptors_are_found(settings: config.Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 4096))

    assert verdicts(checks.limits, settings) == {"open files": Verdict.WARNING}


def test_a_database_in_order(database: config.Settings) -> None:
    assert verdicts(checks.database, database) == {"schema": Verdict.OK, "database": Verdict.OK}


def test_a_damaged_database_is_found(database: config.Settings) -> None:
    with closing(connection.open_control(database.database_path)) as db:
        db.wal_checkpoint(mode=3)
    size = os.stat(database.database_path).st_size
    with Path(database.database_path).open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 4096 * 8)

    assert Verdict.WRONG in verdicts(checks.database, database).values()


def test_a_file_that_is_no_database_is_found(settings: config.Settings) -> None:
    settings.database_path.write_text("not a database, and long enough to be read as one" * 100)

    assert verdicts(checks.database, settings) == {"database": Verdict.WRONG}


def test_a_wal_that_is_never_truncated_is_found(database: config.Settings) -> None:
    wal = Path(f"{database.database_path}-wal")
    with wal.open("ab") as file:
        file.truncate(checks.WAL_BYTES_MANY + 1)

    assert verdicts(checks.database, database)["WAL"] is Verdict.WARNING


@pytest.mark.parametrize(
    ("origin", "rp_id", "proxies", "expected"),
    [
        ("http://localhost:5332", "localhost", (), {"sign-in": Verdict.OK}),
        ("http://errors.example.com", "errors.example.com", (), {"sign-in": Verdict.WRONG}),
        ("https://errors.example.com", "example.com", (), {"sign-in": Verdict.OK, "proxy": Verdict.WARNING}),
        ("https://errors.example.com", "example.com", ("127.0.0.1",), {"sign-in": Verdict.OK}),
    ],
)
def test_where_passkeys_work(
    settings: config.Settings, origin: str, rp_id: str, proxies: tuple[str, ...], expected: dict[str, Verdict]
) -> None:
    settings = with_auth(settings, rp_origin=origin, rp_id=rp_id)
    settings = replace(settings, server=replace(settings.server, trusted_proxies=proxies))

    assert verdicts(checks.sign_in, settings) == expected


class Past(NamedTuple):
    """Backups, hours ago; the database is as old as `made`."""

    expected: Verdict
    made: int = 100
    good: int | None = None
    failed: bool = False
    enabled: bool = True


@pytest.mark.parametrize(
    "past",
    [
        Past(Verdict.OK, made=1),
        Past(Verdict.WARNING),
        Past(Verdict.OK, good=20),
        Past(Verdict.WARNING, good=50),
        Past(Verdict.WARNING, good=20, failed=True),
        Past(Verdict.OK, good=20, enabled=False),
        Past(Verdict.WARNING, good=50, enabled=False),
        Past(Verdict.WARNING, made=1, enabled=False),
    ],
)
def test_backups_that_are_missing_old_or_failing_are_found(database: config.Settings, past: Past) -> None:
    def ago(hours: int) -> int:
        return clock.now_ms() - hours * clock.HOUR_MS

    with closing(connection.open_control(database.database_path)) as db:
        db.execute("UPDATE schema_migrations SET applied_at_ms = ?", (ago(past.made),))
        insert = (
            "INSERT INTO backup_runs (cause, state, asked_at_ms, started_at_ms, error) VALUES ('asked', ?, 0, ?, ?)"
        )
        if past.good is not None:
            db.execute(insert, ("done", ago(past.good), None))
        if past.failed:
            db.execute(insert, ("failed", ago(1), "no room"))
    settings = replace(database, backup=replace(database.backup, enabled=past.enabled))

    assert verdicts(checks_running.backups, settings) == {"backup": past.expected}


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        ((), {}),
        (("writer", "ingest", "ingest worker", "dashboard", "alerts", "retention"), {"processes": Verdict.OK}),
        (("writer", "ingest", "ingest worker", "dashboard", "retention"), {"processes": Verdict.WRONG}),
    ],
)
def test_a_process_that_is_missing_is_found(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch, running: tuple[str, ...], expected: dict[str, Verdict]
) -> None:
    members = [ProcessInfo(name, 1, 0.0, 0.0, None) for name in running]
    monkeypatch.setattr(checks_running, "find_processes", lambda settings: members)

    assert verdicts(checks_running.processes, settings) == expected


@pytest.mark.parametrize(("status", "expected"), [(200, Verdict.WRONG), (401, Verdict.OK), (404, Verdict.OK)])
def test_metrics_that_everybody_can_read_are_found(
    monkeypatch: pytest.MonkeyPatch, status: int, expected: Verdict
) -> None:
    class Answer(NamedTuple):
        status_code: int

    monkeypatch.setattr(checks_online.requests, "get", lambda url, **_: Answer(status))

    assert [finding.verdict for finding in checks_online.metrics_are_private("https://errors.example.com")] == [
        expected
    ]
