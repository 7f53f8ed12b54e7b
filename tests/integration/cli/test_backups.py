"""`bloop backup` and `bloop restore`: what they print, and what they refuse."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import apsw
import pytest

from bloop.backup.read import last_good, last_proven_at_ms
from bloop.base import config
from bloop.base.pid_file import Instance
from bloop.db import connection, migrate
from bloop.ring import Consumer, Producer, Segment
from tests.integration.cli.conftest import Run


def events_in(path: Path) -> object:
    with contextlib.closing(connection.open_reader(path)) as db:
        return db.execute("SELECT count(*) FROM projects").get


def backup(run: Run, *arguments: str) -> Path:
    done = run("backup", *arguments)
    assert done.exit_code == 0, done.output
    return Path(done.stdout.strip())


class TestBackup:
    def test_without_a_command_it_makes_one_and_prints_where(self, run: Run, database: config.Settings):
        made = backup(run)

        assert made.parent == database.database_path.parent / "backups"
        assert made.name.endswith(".db.zst")

    def test_it_is_written_down(self, run: Run, database: config.Settings):
        made = backup(run)

        with contextlib.closing(connection.open_reader(database.database_path)) as db:
            noted = last_good(db)
            assert noted is not None
            assert (noted.cause, noted.file) == ("command", made.name)
            assert last_proven_at_ms(db) is not None

    def test_to_another_folder_it_is_not(self, run: Run, database: config.Settings, tmp_path: Path):
        made = backup(run, "--to", str(tmp_path / "usb"))

        assert made.parent == tmp_path / "usb"
        with contextlib.closing(connection.open_reader(database.database_path)) as db:
            assert last_good(db) is None

    def test_json_says_all_of_the_manifest(self, run: Run, database: config.Settings):
        said = json.loads(run("backup", "--json").stdout)

        assert (said["integrity"], said["proven"], said["rows"]["projects"]) == ("ok", True, 1)

    def test_before_an_upgrade_migrates_the_old_schema_is_backed_up(self, run: Run, settings: config.Settings):
        migrate.migrate(settings.database_path, 1, migrate.shipped()[:3])

        made = backup(run)

        assert json.loads(run("backup", "verify", "--json", str(made)).stdout)["schema_version"] == 3

    def test_more_than_are_kept_are_removed(self, run: Run, database: config.Settings, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("BLOOP__BACKUP__KEEP", "2")
        made = [backup(run) for _ in range(4)]

        listed = json.loads(run("backup", "list", "--json").stdout)

        assert [Path(one["file"]) for one in listed] == made[:1:-1]

    def test_list_shows_what_is_in_them(self, run: Run, database: config.Settings):
        made = backup(run)

        assert made.name in run("backup", "list").stdout
        assert made.name not in run("backup", "list", "--in", "/nowhere").stdout

    def test_no_database_is_said_as_such(self, run: Run, settings: config.Settings):
        done = run("backup")

        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"bloop: there is no database {settings.database_path}\n"

    @pytest.mark.parametrize("arguments", [["backup", "nonsense"], ["backup", "--nonsense"], ["backup", "verify"]])
    def test_misuse_is_exit_code_2(self, run: Run, arguments: list[str]):
        assert run(*arguments).exit_code == 2

    def test_help_names_the_commands(self, run: Run):
        assert "verify" in run("backup", "--help").stdout


class TestVerify:
    def test_a_good_one_is_named_good(self, run: Run, database: config.Settings):
        made = backup(run)

        for arguments in ([str(made)], [made.name], [made.name, "--quick"]):
            done = run("backup", "verify", *arguments)
            assert (done.exit_code, done.stdout) == (0, "")
            assert f"{made} is good: 1 projects" in done.stderr

    def test_a_damaged_one_is_exit_code_1(self, run: Run, database: config.Settings):
        made = backup(run)
        raw = bytearray(made.read_bytes())
        raw[len(raw) // 2] ^= 1
        made.write_bytes(raw)

        for arguments in ([], ["--quick"]):
            done = run("backup", "verify", made.name, *arguments)
            assert done.exit_code == 1
            assert "damaged" in done.stderr

    def test_one_that_is_not_there_is_named(self, run: Run, database: config.Settings):
        done = run("backup", "verify", "bloop-x.db.zst")

        assert (done.exit_code, done.stdout) == (1, "")
        assert "backup bloop-x.db.zst not found" in done.stderr


class TestRestore:
    def test_it_brings_back_what_was_there(self, run: Run, database: config.Settings):
        made = backup(run)
        run("project", "create", "Later")
        assert events_in(database.database_path) == 2

        done = run("restore", made.name, "--yes")

        assert done.exit_code == 0, done.output
        assert events_in(database.database_path) == 1
        assert "now holds 1 projects" in done.stdout
        kept = Path(done.stdout.split("is kept: ")[1].splitlines()[0])
        assert events_in(kept) == 2
        assert not database.run_dir.exists()

    def test_it_asks_first(self, run: Run, database: config.Settings):
        made = backup(run)
        before = database.database_path.read_bytes()

        done = run("restore", made.name)  # nobody answers

        assert done.exit_code == 1
        assert "The backup holds 1 projects" in done.stderr
        assert database.database_path.read_bytes() == before

    def test_json_says_where_the_old_one_is(self, run: Run, database: config.Settings):
        made = backup(run)

        said = json.loads(run("restore", made.name, "--yes", "--json").stdout)

        assert Path(said.pop("kept")).exists()
        assert said == {"restored": str(made), "migrations": [], "records_waiting": 0}

    def test_while_bloop_runs_it_is_refused(self, run: Run, database: config.Settings):
        made = backup(run)
        database.run_dir.mkdir()
        instance = Instance.claim(database.run_dir / "bloop.pid")
        pid = os.fork()  # a lock does not keep out the process that has it
        if pid == 0:
            os._exit(10 + run("restore", made.name, "--yes").exit_code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        instance.release()

        assert code == 11

    def test_while_a_process_works_on_the_ring_it_is_refused(self, run: Run, database: config.Settings):
        made = backup(run)
        with contextlib.ExitStack() as stack:
            stack.callback(Segment.unlink, database.ring_name)
            segment = stack.enter_context(
                contextlib.closing(Segment.create(database.ring_name, lane_count=2, lane_bytes=64 * 1024))
            )
            stack.enter_context(contextlib.closing(Consumer.claim(segment)))

            done = run("restore", made.name, "--yes")

        assert done.exit_code == 1
        assert "stop bloop first" in done.stderr

    def test_records_that_wait_in_the_ring_are_announced(self, run: Run, database: config.Settings):
        made = backup(run)
        with contextlib.ExitStack() as stack:
            stack.callback(Segment.unlink, database.ring_name)
            segment = stack.enter_context(
                contextlib.closing(Segment.create(database.ring_name, lane_count=2, lane_bytes=64 * 1024))
            )
            with contextlib.closing(Producer.claim(segment)) as lane:
                assert lane.push(1, b"x")

            done = run("restore", made.name, "--yes")

        assert "1 records accepted since then wait in the ring" in done.stdout

    def test_a_run_folder_that_only_systemd_may_make_is_no_hindrance(
        self, run: Run, database: config.Settings, monkeypatch: pytest.MonkeyPatch
    ):
        made = backup(run)

        def mkdir(path: Path, *arguments: object, **options: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        real = Path.mkdir
        monkeypatch.setattr(Path, "mkdir", lambda p, *a, **o: (mkdir if p == database.run_dir else real)(p, *a, **o))

        assert run("restore", made.name, "--yes").exit_code == 0

    def test_a_missing_file_changes_nothing(self, run: Run, database: config.Settings):
        done = run("restore", "/nowhere/bloop-x.db.zst", "--yes")

        assert done.exit_code == 1
        assert "not found" in done.stderr

    def test_a_database_is_not_taken_for_a_backup(self, run: Run, database: config.Settings):
        done = run("restore", str(database.database_path), "--yes")

        assert done.exit_code == 1
        assert "is not a backup" in done.stderr


@pytest.fixture(autouse=True)
def no_connection_left():
    yield
    assert not list(apsw.connections())
