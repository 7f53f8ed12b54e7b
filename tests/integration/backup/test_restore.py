"""A backup in the place of the database (bloop/backup/restore.py), RESTORE-1 to RESTORE-4."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from bloop.backup.create import create
from bloop.backup.folder import Entry
from bloop.backup.restore import exclusive_access, restore
from bloop.backup.watch import Watch
from bloop.base.errors import BackupError, SchemaTooNew
from bloop.db import connection, migrate
from tests.integration.backup.test_create_and_verify import damage, damage_table
from tests.seed import NOW_MS, Seed

LATER_MS = NOW_MS + 5000
HOLD = """
import sys
from bloop.db import connection
db = connection.open_{role}(sys.argv[1])
db.execute("SELECT count(*) FROM projects").fetchall()
print("open", flush=True)
sys.stdin.read()
"""


def value(path: Path, sql: str) -> object:
    with contextlib.closing(connection.open_reader(path)) as db:
        return db.execute(sql).get


def change(path: Path, sql: str) -> None:
    with contextlib.closing(connection.open_control(path)) as db:
        db.execute(sql)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@contextlib.contextmanager
def opened_elsewhere(path: Path, role: str = "reader") -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD.format(role=role), str(path)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        yield holder
        holder.kill()


def test_what_was_there_comes_back_and_what_is_there_is_kept(seed: Seed, entry: Entry, tmp_path: Path) -> None:
    change(seed.path, "DELETE FROM events")

    done = restore(entry.path, seed.path, LATER_MS)

    assert value(seed.path, "SELECT count(*) FROM events") == 3
    assert done.kept_path == tmp_path / "bloop.db.before-restore-20270115-080005-000"
    assert value(done.kept_path, "SELECT count(*) FROM events") == 0
    assert (done.manifest, done.migrations) == (entry.manifest, [])
    assert seed.path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == {"bloop.db", done.kept_path.name, "backups"}


def test_on_a_new_machine_there_is_nothing_to_keep(entry: Entry, tmp_path: Path) -> None:
    done = restore(entry.path, tmp_path / "new" / "bloop.db", LATER_MS)

    assert done.kept_path is None
    assert value(tmp_path / "new" / "bloop.db", "SELECT count(*) FROM events") == 3


def test_the_old_log_is_not_applied_to_the_new_file(seed: Seed, entry: Entry, tmp_path: Path) -> None:
    """A process was killed and has left its last commits in the log."""
    with opened_elsewhere(seed.path, "writer") as holder:
        change(seed.path, "UPDATE issues SET message = 'newer'")
        holder.kill()
        holder.wait()
    assert (tmp_path / "bloop.db-wal").stat().st_size > 0

    done = restore(entry.path, seed.path, LATER_MS)

    assert value(seed.path, "SELECT count(*) FROM issues WHERE message = 'newer'") == 0
    assert value(seed.path, "PRAGMA integrity_check") == "ok"
    assert done.kept_path is not None
    assert value(done.kept_path, "SELECT count(*) FROM issues WHERE message = 'newer'") == 3


def test_a_log_that_cannot_be_brought_in_is_kept_beside_the_old_file(
    seed: Seed, entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(database: Path) -> None:
        raise apsw.IOError("the disk does not answer")

    monkeypatch.setattr("bloop.backup.restore._checkpoint_log", fail)
    with opened_elsewhere(seed.path, "writer") as holder:
        change(seed.path, "UPDATE issues SET message = 'newer'")
        holder.kill()
        holder.wait()
    log = (tmp_path / "bloop.db-wal").read_bytes()

    done = restore(entry.path, seed.path, LATER_MS)

    assert done.kept_path is not None
    assert not {"bloop.db-wal", "bloop.db-shm"} & names(tmp_path)
    assert done.kept_path.with_name(f"{done.kept_path.name}-wal").read_bytes() == log
    assert value(done.kept_path, "SELECT count(*) FROM issues WHERE message = 'newer'") == 3
    assert value(seed.path, "SELECT count(*) FROM issues WHERE message = 'newer'") == 0


def test_a_file_that_is_no_database_any_more_is_replaced(seed: Seed, entry: Entry, tmp_path: Path) -> None:
    seed.path.write_bytes(b"not a database any more" * 1000)
    (tmp_path / "bloop.db-wal").write_bytes(b"nor is this a log")

    done = restore(entry.path, seed.path, LATER_MS)

    assert done.kept_path is not None
    assert done.kept_path.read_bytes().startswith(b"not a database")
    assert "bloop.db-wal" not in names(tmp_path)
    assert value(seed.path, "SELECT count(*) FROM events") == 3


@pytest.mark.parametrize("role", ["reader", "control", "writer"])
def test_while_a_process_has_the_database_open_nothing_is_touched(
    seed: Seed, entry: Entry, tmp_path: Path, role: str
) -> None:
    before = seed.path.read_bytes()
    with opened_elsewhere(seed.path, role):
        with pytest.raises(BackupError, match="stop bloop first"):
            restore(entry.path, seed.path, LATER_MS)

        assert seed.path.read_bytes() == before
        assert "bloop.db" in names(tmp_path)
        assert not [name for name in names(tmp_path) if "restore" in name]


def test_nobody_can_open_it_while_it_is_replaced(seed: Seed) -> None:
    script = f"import apsw; apsw.Connection({str(seed.path)!r}).execute('SELECT count(*) FROM projects').fetchall()"
    with exclusive_access(seed.path):
        refused = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "BusyError" in refused.stderr
    assert subprocess.run([sys.executable, "-c", script], timeout=30).returncode == 0


def test_a_damaged_backup_changes_nothing(seed: Seed, entry: Entry, tmp_path: Path) -> None:
    before = seed.path.read_bytes()
    damage(entry.path, 1000, 1)

    with pytest.raises(BackupError, match="damaged"):
        restore(entry.path, seed.path, LATER_MS)
    assert seed.path.read_bytes() == before
    assert names(tmp_path) == {"bloop.db", "backups"}


def test_a_damaged_database_is_replaced(seed: Seed, entry: Entry) -> None:
    damage_table(seed.path, "projects")

    restore(entry.path, seed.path, LATER_MS)

    assert value(seed.path, "PRAGMA integrity_check") == "ok"


def test_an_older_backup_is_migrated(tmp_path: Path, folder: Path) -> None:
    old = tmp_path / "old.db"
    migrate.migrate(old, NOW_MS, migrate.shipped()[:5])
    change(old, "INSERT INTO projects (public_id, slug, name, api_key, short_prefix, created_at_ms)"
                " VALUES ('p', 'shop', 'Shop', 'k', 'SHOP', 1)")  # fmt: skip
    entry = create(old, folder, NOW_MS)

    done = restore(entry.path, tmp_path / "bloop.db", LATER_MS)

    assert done.migrations == [one.name for one in migrate.shipped()[5:]]
    assert value(tmp_path / "bloop.db", "SELECT name FROM projects") == "Shop"
    assert names(tmp_path) == {"bloop.db", "old.db", "backups"}


def test_a_backup_from_the_future_is_refused(seed: Seed, folder: Path, tmp_path: Path) -> None:
    change(seed.path, "INSERT INTO schema_migrations VALUES (9999, 'later', 'x', 1)")
    entry = create(seed.path, folder, NOW_MS)

    with pytest.raises(SchemaTooNew, match="9999"):
        restore(entry.path, tmp_path / "other.db", LATER_MS)
    assert not (tmp_path / "other.db").exists()


def test_no_room_to_restore_is_said_before_anything_happens(seed: Seed, entry: Entry, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="not enough space"):
        restore(entry.path, seed.path, LATER_MS, Watch(free_bytes_min=1 << 60))
    assert names(tmp_path) == {"bloop.db", "backups"}


def test_what_was_ended_since_then_does_not_come_back(seed: Seed, folder: Path, tmp_path: Path) -> None:
    change(
        seed.path,
        """
        INSERT INTO login_links (token_hash, created_at_ms, expires_at_ms) VALUES ('t', 1, 9e15);
        INSERT INTO invites (id, token_hash, token_prefix, created_at, expires_at) VALUES ('i', 't', 't', 1, 9e15);
        INSERT INTO signals (kind, project_id, at_ms) VALUES ('issue.new', 1, 1);
        INSERT INTO alert_firings (rule_name, rule_type, key, fired_at_ms, message) VALUES ('r', 'test', '', 1, '{}');
        INSERT INTO deliveries (firing_id, channel_type, target, message_key, next_try_at_ms, created_at_ms)
        SELECT id, 'slack', 'x', 'm', 1, 1 FROM alert_firings;
        INSERT INTO process_states VALUES ('alerts', 1, 1, '[]');
        INSERT INTO backup_runs (cause, state, asked_at_ms, started_at_ms) VALUES ('schedule', 'running', 1, 1);
        """,
    )
    entry = create(seed.path, folder, NOW_MS)
    restored = tmp_path / "restored.db"

    restore(entry.path, restored, LATER_MS)

    for table in ("sign_ins", "login_links", "invites", "process_states"):
        assert value(restored, f"SELECT count(*) FROM {table}") == 0
    assert value(restored, "SELECT state FROM deliveries") == "dismissed"
    assert value(restored, "SELECT signal_id = (SELECT max(id) FROM signals) FROM alert_cursor") == 1
    with contextlib.closing(connection.open_reader(restored)) as db:
        run = db.execute("SELECT state, file, proven_at_ms FROM backup_runs").fetchall()
    assert run == [("done", entry.path.name, LATER_MS)]


def test_a_link_to_a_backup_folder_works(seed: Seed, entry: Entry, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(entry.path.parent)

    assert restore(tmp_path / "link" / entry.path.name, seed.path, LATER_MS).manifest == entry.manifest


@pytest.fixture(autouse=True)
def no_connection_left() -> Iterator[None]:
    """Closing a file drops its locks: a connection of ours would make these tests meaningless."""
    yield
    assert not list(apsw.connections())


def test_dictionaries_made_since_the_backup_come_along(seed: Seed, entry: Entry, tmp_path: Path) -> None:
    """Events that wait in the ring may be packed with them."""
    change(seed.path, "INSERT INTO dictionaries VALUES (5, x'0102', 'trained', 9)")
    seed.close()

    restore(entry.path, seed.path, LATER_MS)

    assert value(seed.path, "SELECT hex(content) FROM dictionaries WHERE id = 5") == "0102"
    assert value(seed.path, "SELECT count(*) FROM dictionaries") == 2
