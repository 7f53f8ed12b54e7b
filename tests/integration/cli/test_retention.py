"""`bloop retention`: what is in force, changing it, and a purge with and without a retention process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from bloop.base import clock, config
from bloop.base.clock import DAY_MS
from bloop.processes.read import RETENTION
from bloop.processes.store import store_heartbeat
from bloop.retention import cli as command
from bloop.retention.read import last_run
from tests.integration.cli.conftest import Run
from tests.integration.retention.cleaning import settle, steps, stored
from tests.seed import NOW_MS, Seed


@pytest.fixture
def seed(settings: config.Settings) -> Iterator[Seed]:
    made = Seed(settings.database_path)
    yield made
    made.close()


class Clock:
    """While the command sleeps, something happens."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self._meanwhile()


def old_events(seed: Seed, count: int = 20) -> None:
    issue = seed.issue(seed.project("shop"), "f00d")
    for number in range(count):
        at_ms = clock.now_ms() - 30 * DAY_MS + number
        seed.event(issue, received_at_ms=at_ms, timestamp_ms=at_ms)
    settle(seed)


def test_show_says_what_is_kept_and_how_much_there_is(run: Run, seed: Seed) -> None:
    seed.project("shop")
    assert run("retention", "set", "--events", "14", "--hours", "180", "--project", "shop=30").exit_code == 0

    table, found = run("retention", "show").stdout, json.loads(run("retention", "show", "--json").stdout)

    assert [line.split() for line in table.splitlines()] == [
        ["WHAT", "DAYS", "ROWS"],
        ["raw", "events", "14", "0"],
        ["shop", "30"],
        ["hourly", "counts", "180", "0"],
        ["issues", "not", "seen", "forever"],
    ]
    assert found["global"] == {"raw_events_days": 14, "hourly_counts_days": 180, "issues_days": 0}
    assert found["per_project"] == [
        {"project_id": "id-of-shop", "project_name": "Shop", "raw_events_days": 30, "issues_days": None}
    ]


def test_issues_get_a_time_and_projects_a_time_of_their_own(run: Run, seed: Seed) -> None:
    for slug in ("shop", "blog", "docs"):
        seed.project(slug)
    run("retention", "set", "--issues", "90", "--project-issues", "shop=0", "--project-issues", "blog=7")
    run("retention", "set", "--project-issues", "blog=default", "--project-issues", "docs=30")

    lines = [line.split() for line in run("retention", "show").stdout.splitlines()]
    found = json.loads(run("retention", "show", "--json").stdout)

    assert lines[-3:] == [["issues", "not", "seen", "90"], ["shop", "forever"], ["docs", "30"]]
    assert found["global"]["issues_days"] == 90
    assert [(row["project_name"], row["raw_events_days"], row["issues_days"]) for row in found["per_project"]] == [
        ("Shop", None, 0),
        ("Docs", None, 30),
    ]


def test_set_changes_what_is_named_and_takes_a_time_of_its_own_away(run: Run, seed: Seed) -> None:
    seed.project("shop")
    run("retention", "set", "--hours", "10", "--project", "shop=30")

    run("retention", "set", "--events", "3", "--project", "shop=default")

    found = json.loads(run("retention", "show", "--json").stdout)
    days = {"raw_events_days": 3, "hourly_counts_days": 10, "issues_days": 0}
    assert (found["global"], found["per_project"]) == (days, [])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "name what to set"),
        (("--events", "0"), 2, "is not in the range"),
        (("--hours", "3651"), 2, "is not in the range"),
        (("--project", "shop"), 2, "must be SLUG=DAYS"),
        (("--project", "shop=0"), 2, "must be SLUG=DAYS"),
        (("--project", "=3"), 2, "must be SLUG=DAYS"),
        (("--issues", "3651"), 2, "is not in the range"),
        (("--project-issues", "shop=-1"), 2, "must be SLUG=DAYS"),
        (("--project-issues", "nobody=3"), 1, "project 'nobody' not found"),
        (("--project", "nobody=3"), 1, "project 'nobody' not found"),
    ],
)
def test_what_will_not_do_is_said(run: Run, seed: Seed, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = run("retention", "set", *arguments)

    assert done.exit_code == code
    assert said in done.stderr
    assert seed.value("SELECT revision FROM retention_policy") == 0


def test_a_purge_without_a_retention_process_is_done_here(run: Run, seed: Seed) -> None:
    old_events(seed)

    done = run("retention", "purge", "--yes")

    assert done.stdout.startswith("15 events and 0 hourly counts deleted")
    assert len(stored(seed)) == 5
    found = last_run(seed.db)
    assert found is not None
    assert found.finished_at_ms is not None


def test_a_purge_is_left_to_the_retention_process_where_there_is_one(
    run: Run, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_events(seed)
    now_ms = clock.now_ms()
    store_heartbeat(seed.db, RETENTION, started_at_ms=now_ms, now_ms=now_ms, troubles=[])
    work = steps(seed.path, now_ms=now_ms)
    monkeypatch.setattr(command, "time", Clock(lambda: next(work, None)))

    done = run("retention", "purge", "--yes", "--json")

    assert json.loads(done.stdout)["raw_events_deleted"] == 15
    assert seed.value("SELECT asked_by FROM retention_runs") == "cli"


def test_a_retention_process_that_dies_meanwhile_is_said(run: Run, seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ms = clock.now_ms()
    store_heartbeat(seed.db, RETENTION, started_at_ms=now_ms, now_ms=now_ms, troubles=[])

    def die() -> None:
        store_heartbeat(seed.db, RETENTION, started_at_ms=NOW_MS, now_ms=1, troubles=[])

    monkeypatch.setattr(command, "time", Clock(die))

    done = run("retention", "purge", "--yes")

    assert done.exit_code == 1
    assert "does not answer" in done.stderr


def test_nothing_is_deleted_before_somebody_says_yes(run: Run, seed: Seed) -> None:
    old_events(seed)

    done = run("retention", "purge")

    assert done.exit_code == 1
    assert "Delete raw events of more than 7" in done.stderr
    assert len(stored(seed)) == 20
    assert last_run(seed.db) is None
