"""/v1/admin/backups and the button of the storage page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bloop import features
from bloop.backup import store as storage
from bloop.backup.create import create
from bloop.backup.read import open_run
from bloop.backup.views import load_panel
from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.db import connection
from bloop.site.deps import Deps, Hooks
from bloop.site.render import Renderer
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed

PATH = "/v1/admin/backups"


@pytest.fixture
def admin(seed: Seed) -> str:
    return seed.session(seed.user("grace", is_admin=True))


def get(server: Server, admin: str) -> Any:
    answer = server.call("GET", PATH, cookie=admin)
    assert answer.status_code == 200
    return answer.json


def test_before_the_first_night_the_list_is_empty_and_the_next_time_is_given(server: Server, admin: str) -> None:
    said = get(server, admin)

    assert (said["last_good"], said["last_proven_at_ms"], said["failing"], said["open"]) == (None, None, None, None)
    assert said["runs"] == said["files"] == []
    assert said["next_at_ms"] % DAY_MS == 3 * HOUR_MS
    assert 0 < said["next_at_ms"] - NOW_MS <= DAY_MS


def test_asking_twice_is_asking_once(server: Server, admin: str) -> None:
    first, second = (server.call("POST", PATH, cookie=admin) for _ in range(2))

    assert first.status_code == second.status_code == 202
    assert first.json == second.json
    assert (first.json["state"], first.json["cause"]) == ("waiting", "asked")
    assert get(server, admin)["open"] == first.json


def test_the_button_asks_and_leads_back(server: Server, seed: Seed, admin: str) -> None:
    answer = server.call("POST", "/settings/storage/backups", cookie=admin)

    assert (answer.status_code, answer.headers["location"]) == (303, "/settings/storage#backups")
    assert open_run(seed.db) is not None


def test_backups_in_the_folder_are_listed(server: Server, seed: Seed, admin: str) -> None:
    made = create(seed.path, server.settings.backup_dir, NOW_MS)

    (listed,) = get(server, admin)["files"]

    assert (listed["name"], listed["cause"], listed["created_at_ms"]) == (made.path.name, "command", NOW_MS)
    assert listed["rows"] == made.manifest.rows


def test_the_reason_of_a_failure_is_shown_until_a_backup_succeeds(server: Server, seed: Seed, admin: str) -> None:
    with connection.immediate(seed.db):
        run = storage.request(seed.db, cause="schedule", asked_by=None, now_ms=NOW_MS)
        storage.begin(seed.db, run.id, NOW_MS)
        storage.end(seed.db, run.id, now_ms=NOW_MS, error="no room")
    assert get(server, admin)["failing"] == "no room"

    with connection.immediate(seed.db):
        storage.add_done(
            seed.db, created_at_ms=NOW_MS, now_ms=NOW_MS, file="x", file_bytes=1, database_bytes=2, proven_at_ms=NOW_MS
        )
    said = get(server, admin)

    assert said["failing"] is None
    assert (said["last_good"]["file"], said["last_proven_at_ms"]) == ("x", NOW_MS)


@pytest.mark.parametrize("state", ["", "waiting", "running", "failed", "done"])
def test_the_panel_reads_in_every_state(server: Server, seed: Seed, state: str) -> None:
    create(seed.path, server.settings.backup_dir, NOW_MS)
    with connection.immediate(seed.db):
        if state:
            run = storage.request(seed.db, cause="asked", asked_by=None, now_ms=NOW_MS)
        if state in ("running", "failed", "done"):
            storage.begin(seed.db, run.id, NOW_MS)
        if state in ("failed", "done"):
            error = "<script>" if state == "failed" else None
            storage.end(seed.db, run.id, now_ms=NOW_MS, file_bytes=5_000_000, error=error)
    with server.database.reader() as db:
        deps = Deps(
            server.settings,
            server.database,
            lambda: None,
            lambda: None,
            Renderer(),
            lambda: NOW_MS,
            Hooks.resolve(features.hooks()),
        )
        panel = load_panel(deps, db)

    html = deps.render("backup/_backups.html", {"panel": panel, "now_ms": NOW_MS})

    assert ("Back up now" in html) == (state not in ("waiting", "running"))
    assert ("starts in a moment" in html) == (state == "waiting")
    assert ("A backup is running" in html) == (state == "running")
    assert ("The last backup failed" in html) == (state == "failed")
    assert ("4.8 MiB, took 0.0 s" in html) == (state == "done")
    assert "<script>" not in html
    assert Path(str(server.settings.backup_dir)).name in html
