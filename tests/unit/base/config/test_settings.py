"""What follows from the settings, and how they are shown."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from bloop.base import config
from tests.unit.base.config.loads import SECRET, load


class TestDerived:
    def test_two_databases_get_two_rings(self, tmp_path: Path):
        first = load(None, DATABASE__PATH=str(tmp_path / "a.db"))
        second = load(None, DATABASE__PATH=str(tmp_path / "b.db"))

        assert first.ring_name != second.ring_name
        assert first.ring_name.startswith("/bloop-")

    def test_one_database_has_one_ring_however_it_is_named(self, tmp_path: Path):
        (tmp_path / "data").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "data")

        names = {load(None, DATABASE__PATH=p).ring_name for p in ("data/x.db", f"{tmp_path}/data/x.db", "link/x.db")}

        assert len(names) == 1

    def test_home_is_understood_in_paths(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setenv("HOME", str(tmp_path))

        assert load(None, DATABASE__PATH="~/x.db").database_path == tmp_path / "x.db"

    def test_sockets_live_beside_the_database_unless_named(self, tmp_path: Path):
        beside = load(None, DATABASE__PATH=str(tmp_path / "d" / "x.db"))
        named = load(None, SERVER__RUN_DIR=str(tmp_path / "r"))

        assert beside.handoff_path == tmp_path / "d" / "run" / "handoff.sock"
        assert named.dashboard_path == tmp_path / "r" / "dashboard.sock"

    def test_workers_follow_the_cores_this_process_may_use(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
        assert load().ingest_workers == 1
        assert load(None, SERVER__WORKERS="7").ingest_workers == 7

    def test_a_value_somebody_set_is_known_from_one_that_nobody_set(self):
        assert not load().is_set("server.threads")
        assert load(None, SERVER__THREADS="8").is_set("server.threads"), "also when it is the default"
        assert config.Settings(server=config.Server(threads=3)).is_set("server.threads")
        assert not config.Settings().is_set("ingest.channel_capacity")

    def test_ring_has_room_for_every_worker_the_dashboard_and_a_newcomer(self):
        settings = load(None, SERVER__WORKERS="3", INGEST__CHANNEL_CAPACITY="1000")

        assert settings.lane_count == 5
        assert settings.lane_bytes == 400 * 1024


class TestDescription:
    def test_description_hides_secrets_and_shows_the_rest(self):
        settings = load('[smtp]\npassword = "correct horse"\n[server]\nport = 6000')

        described = {key: value for key, value, _ in config.describe(settings)}

        assert SECRET not in str(described)
        assert "correct horse" not in str(described)
        assert described["auth.hmac_secret"] == "(32 characters, hidden)"
        assert described["server.port"] == 6000
        assert described["smtp.from"] == "bloop@example.com"

    def test_description_shows_that_a_secret_is_not_set(self):
        described = {key: value for key, value, _ in config.describe(load())}

        assert described["smtp.password"] == ""

    def test_webhooks_are_hidden_in_descriptions(self):
        hook = "https://hooks.example.com/hunter2"

        settings = load(None, ALERTING__SLACK_WEBHOOK_URL=hook, ALERTING__WEBHOOK_URL=hook)

        assert "hunter2" not in str(config.describe(settings))


def test_settings_cannot_be_changed_after_loading():
    settings = load()

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.server.port = 1
