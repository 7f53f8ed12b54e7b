"""How commands find settings and secrets, and how they refuse (bloop/cli_kit/context.py)."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import apsw
import pytest

from bloop.base import config
from bloop.base.errors import NotFound
from bloop.cli_kit.context import Refusal, errors_as_refusals, find_settings, generate_secret, print_table

SECRET = "y" * 32


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_data(folder: Path) -> None:
    folder.mkdir()
    (folder / "bloop.db").touch()


class TestDataFolder:
    def test_without_any_the_built_in_default_holds(self, here: Path):
        assert find_settings(None, None, {}).database_path == here / "bloop.db"

    def test_data_folder_that_holds_a_database_is_found(self, here: Path):
        make_data(here / "data")

        assert find_settings(None, None, {}).database_path == here / "data" / "bloop.db"

    def test_named_folder_is_taken_before_it_holds_anything(self, here: Path):
        assert find_settings(None, "elsewhere", {}).database_path == here / "elsewhere" / "bloop.db"

    @pytest.mark.parametrize("data", [None, "data", "elsewhere"])
    def test_setting_wins_over_any_folder(self, here: Path, data: str | None):
        make_data(here / "data")

        settings = find_settings(None, data, {"BLOOP__DATABASE__PATH": "set.db"})

        assert settings.database_path == here / "set.db"

    def test_what_was_found_reaches_the_processes_started_next(self, here: Path):
        environ: dict[str, str] = {}
        make_data(here / "data")
        generate_secret(here / "data" / "secret")

        found = find_settings(None, None, environ)

        assert config.load(None, environ) == found


class TestSecret:
    def test_secret_beside_the_database_is_used(self, here: Path):
        (here / "secret").write_text(SECRET + "\n")

        assert find_settings(None, None, {}).auth.hmac_secret == SECRET

    def test_configured_secret_wins(self, here: Path):
        (here / "secret").write_text(SECRET)

        assert find_settings(None, None, {"BLOOP__AUTH__HMAC_SECRET": "z" * 32}).auth.hmac_secret == "z" * 32

    def test_secret_is_made_only_when_asked_for(self, here: Path):
        find_settings(None, "data", {})
        assert not (here / "data").exists()

        made = find_settings(None, "data", {}, make_secret=True).auth.hmac_secret
        again = find_settings(None, "data", {}, make_secret=True).auth.hmac_secret

        assert len(made) == 64
        assert made == again

    def test_two_data_folders_get_two_secrets(self):
        first = find_settings(None, "a", {}, make_secret=True)
        second = find_settings(None, "b", {}, make_secret=True)

        assert first.auth.hmac_secret != second.auth.hmac_secret

    def test_secret_follows_the_database_not_the_folder(self, here: Path):
        environ = {"BLOOP__DATABASE__PATH": str(here / "far" / "x.db")}

        find_settings(None, "data", environ, make_secret=True)

        assert (here / "far" / "secret").exists()
        assert not (here / "data").exists()

    def test_generated_secret_is_for_this_user_only(self, here: Path):
        old = os.umask(0)
        try:
            generate_secret(here / "new" / "secret")
        finally:
            os.umask(old)

        assert stat.S_IMODE((here / "new" / "secret").stat().st_mode) == 0o600
        assert stat.S_IMODE((here / "new").stat().st_mode) == 0o700
        assert os.listdir(here / "new") == ["secret"]


class TestRefusing:
    @pytest.mark.parametrize(
        ("raised", "said"),
        [
            (NotFound("no such thing"), "no such thing"),
            (apsw.BusyError("locked"), "the database is busy; try again"),
            (apsw.CorruptError("torn page"), "database error: torn page"),
            (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        ],
    )
    def test_expected_trouble_becomes_one_line(self, raised: Exception, said: str):
        with pytest.raises(Refusal) as caught, errors_as_refusals():
            raise raised

        assert caught.value.message == said
        assert caught.value.exit_code == 1

    def test_reader_that_went_away_is_clicks_business(self):
        with pytest.raises(BrokenPipeError), errors_as_refusals():
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    def test_bug_stays_a_traceback(self):
        with pytest.raises(ZeroDivisionError), errors_as_refusals():
            raise ZeroDivisionError


def test_table_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]):
    print_table(("A", "LONGER"), [("x" * 5, 1), ("y", 22)])

    assert capsys.readouterr().out == "A      LONGER\nxxxxx  1\ny      22\n"
