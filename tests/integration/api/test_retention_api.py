"""/v1/admin/retention and the storage page: the documented answers, and a purge that is waited for only a little."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.db import connection
from bloop.retention import api as retention_api
from bloop.retention import samples
from bloop.retention import sizes as storage
from bloop.retention import store as retention
from bloop.retention.read import last_run, revision
from tests.integration.api.conftest import Server
from tests.integration.retention.cleaning import add_events, steps
from tests.seed import NOW_MS, Seed

PATH = "/v1/admin/retention"
OURS = {"Origin": "https://errors.example.com"}


@pytest.fixture
def admin(seed: Seed) -> str:
    return seed.session(seed.user("grace", is_admin=True))


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop")


class Clock:
    """Time as the waiting request sees it; while it sleeps, the retention process takes a step."""

    def __init__(self, work: Iterator[None]) -> None:
        self.now_s, self._work = 0.0, work

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        next(self._work, None)


@pytest.fixture
def working(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retention process is there, and as quick as the requests that wait for it."""

    def work() -> Iterator[None]:
        yield from steps(seed.path)

    monkeypatch.setattr(retention_api, "time", Clock(work()))


def put(server: Server, cookie: str, body: Any) -> Any:
    return server.call(
        "PUT", PATH, cookie=cookie, body=body if isinstance(body, str) else json.dumps(body), headers=OURS
    )


def test_the_policy_and_the_sizes_are_answered(server: Server, seed: Seed, admin: str, shop: int) -> None:
    issue = seed.issue(shop, "f00d")
    add_events(seed, [(issue, 0, 0)] * 3)
    seed.hour(issue, NOW_MS - NOW_MS % HOUR_MS, 3)

    answer = server.get(PATH, cookie=admin)

    assert answer == {
        "global": {"raw_events_days": 7, "hourly_counts_days": 90, "issues_days": 0},
        "per_project": [],
        "storage": {
            "db_size_bytes": seed.value("PRAGMA page_count") * 4096,
            "raw_events_count": 3,
            "hourly_counts_count": 1,
        },
    }


def test_a_put_changes_only_the_given_fields(server: Server, seed: Seed, admin: str, shop: int) -> None:
    seed.project("blog")
    first = {
        "raw_events_days": 14,
        "per_project": [
            {"project_id": "id-of-shop", "raw_events_days": 30},
            {"project_id": "blog", "raw_events_days": 1},
        ],
    }

    assert put(server, admin, first).json == {"status": "ok"}
    put(
        server, admin, {"hourly_counts_days": 3650, "per_project": [{"project_id": "id-of-blog", "raw_events_days": 0}]}
    )
    answer = server.get(PATH, cookie=admin)

    assert answer["global"] == {"raw_events_days": 14, "hourly_counts_days": 3650, "issues_days": 0}
    assert answer["per_project"] == [
        {"project_id": "id-of-shop", "project_name": "Shop", "raw_events_days": 30, "issues_days": None}
    ]


@pytest.mark.parametrize(
    ("body", "path", "error"),
    [
        ({"raw_events_days": 0}, "raw_events_days", "raw_events_days must be between 1 and 3650"),
        ({"raw_events_days": 3651}, "raw_events_days", "raw_events_days must be between 1 and 3650"),
        ({"raw_events_days": "7"}, "raw_events_days", "raw_events_days must be between 1 and 3650"),
        ({"raw_events_days": True}, "raw_events_days", "raw_events_days must be between 1 and 3650"),
        ({"hourly_counts_days": -1}, "hourly_counts_days", "hourly_counts_days must be between 1 and 3650"),
        ({"per_project": {}}, "per_project", "per_project must be a list"),
        ({"per_project": [3]}, "per_project[0]", "per_project[0] must be an object"),
        ({"per_project": [{"raw_events_days": 1}]}, "per_project[0].project_id", "project_id must be a string"),
        (
            {"per_project": [{"project_id": "shop", "raw_events_days": 3651}]},
            "per_project[0].raw_events_days",
            "raw_events_days must be between 0 and 3650",
        ),
        (
            {"per_project": [{"project_id": "shop"}]},
            "per_project[0].raw_events_days",
            "raw_events_days is required",
        ),
        (
            {
                "raw_events_days": 3,
                "per_project": [
                    {"project_id": "shop", "raw_events_days": 2},
                    {"project_id": "nobody", "raw_events_days": 2},
                ],
            },
            "per_project[1].project_id",
            "project not found",
        ),
    ],
)
def test_an_invalid_field_is_named_and_nothing_changes(
    server: Server, seed: Seed, admin: str, shop: int, body: Any, path: str, error: str
) -> None:
    before = revision(seed.db)

    answer = put(server, admin, body)

    assert (answer.status_code, answer.json) == (400, {"error": error, "path": path})
    assert revision(seed.db) == before
    assert server.get(PATH, cookie=admin)["per_project"] == []


def test_a_body_has_a_limit(server: Server, admin: str) -> None:
    assert put(server, admin, {"per_project": [{"project_id": "x" * 4096}]}).status_code == 413
    assert put(server, admin, "[]").status_code == 400


def purge(server: Server, cookie: str, body: Any = None) -> Any:
    sent = json.dumps({"confirm": True} if body is None else body)
    return server.call("POST", f"{PATH}/purge", cookie=cookie, body=sent, headers=OURS)


def test_a_purge_deletes_at_once_and_answers_the_counts(
    server: Server, seed: Seed, admin: str, shop: int, working: None
) -> None:
    issue = seed.issue(shop, "f00d")
    add_events(seed, [(issue, age, age) for age in reversed(range(20))])
    seed.hour(issue, NOW_MS - 100 * DAY_MS - (NOW_MS - 100 * DAY_MS) % HOUR_MS, 3)

    answer = purge(server, admin)

    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "raw_events_deleted": 12, "hourly_counts_deleted": 1}
    assert server.get(PATH, cookie=admin)["storage"]["raw_events_count"] == 8


@pytest.mark.parametrize("body", [{}, {"confirm": False}, {"confirm": "true"}, {"confirm": 1}])
def test_an_unconfirmed_purge_is_refused(server: Server, seed: Seed, admin: str, body: Any) -> None:
    answer = purge(server, admin, body)

    assert (answer.status_code, answer.json) == (400, {"error": "confirm must be true", "path": "confirm"})
    assert last_run(seed.db) is None


def test_a_long_purge_continues_and_reports_its_progress(
    server: Server, seed: Seed, admin: str, shop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_api, "time", Clock(iter(())))
    issue = seed.issue(shop, "f00d")
    add_events(seed, [(issue, age, age) for age in reversed(range(20))])

    answer = purge(server, admin)
    path = answer.json["progress"]
    waiting = server.get(path, cookie=admin)
    work = steps(seed.path)
    for _ in range(4):
        next(work)
    running = server.get(path, cookie=admin)
    for _ in work:
        pass
    done = server.get(path, cookie=admin)

    assert (answer.status_code, answer.headers["Location"], answer.json["status"]) == (202, path, "waiting")
    assert (waiting["status"], waiting["raw_events_due"]) == ("waiting", None)
    assert (running["status"], running["raw_events_due"]) == ("running", 12)
    assert (done["status"], done["raw_events_deleted"], done["raw_events_due"]) == ("ok", 12, 12)


def test_asking_again_joins_the_purge_that_is_under_way(
    server: Server, seed: Seed, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_api, "time", Clock(iter(())))

    assert purge(server, admin).json["progress"] == purge(server, admin).json["progress"]
    assert seed.value("SELECT count(*) FROM retention_runs") == 1


def test_only_one_request_waits_the_next_is_answered_at_once(
    server: Server, seed: Seed, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    second: list[int] = []

    class Asking(Clock):
        def sleep(self, seconds: float) -> None:
            if not second:
                second.append(0)
                second.append(purge(server, admin).status_code)
            self.now_s += seconds

    monkeypatch.setattr(retention_api, "time", Asking(iter(())))

    assert purge(server, admin).status_code == 202
    assert second == [0, 202]


def test_progress_of_an_unknown_purge_is_not_found(server: Server, admin: str) -> None:
    for number in ("1", "9" * 30):
        assert server.call("GET", f"{PATH}/purge/{number}", cookie=admin).status_code == 404


# The page


def page(server: Server, cookie: str, path: str = "/settings/storage", **options: Any) -> str:
    result = server.call("GET", path, cookie=cookie, **options)
    assert result.status_code == 200, result.text
    return str(result.text)


def post(server: Server, cookie: str, path: str, **fields: str) -> Any:
    form = "&".join(f"{name}={value}" for name, value in fields.items())
    return server.call("POST", f"/settings/storage{path}", cookie=cookie, body=form, headers=OURS)


def test_the_form_saves_and_confirms(server: Server, seed: Seed, admin: str) -> None:
    done = post(server, admin, "", raw_events_days="21", hourly_counts_days="200")

    assert (done.status_code, done.headers["Location"]) == (303, "/settings/storage?done=saved")
    days = {"raw_events_days": 21, "hourly_counts_days": 200, "issues_days": 0}
    assert server.get(PATH, cookie=admin)["global"] == days
    text = page(server, admin, "/settings/storage?done=saved")
    assert 'value="21"' in text
    assert "Saved." in text


@pytest.mark.parametrize("days", ["0", "9999", "seven", "-1", "1e3", "٣", "9" * 40])
def test_an_invalid_form_keeps_its_input(server: Server, admin: str, days: str) -> None:
    answer = post(server, admin, "", raw_events_days=quote(days), hourly_counts_days="90")

    assert answer.status_code == 400
    assert "raw_events_days must be between 1 and 3650" in answer.text
    assert f'value="{days}"' in answer.text
    assert server.get(PATH, cookie=admin)["global"]["raw_events_days"] == 7


def test_a_project_gets_a_time_of_its_own_and_loses_it(server: Server, admin: str, shop: int) -> None:
    def own() -> Any:
        return [(row["project_id"], row["raw_events_days"]) for row in server.get(PATH, cookie=admin)["per_project"]]

    assert post(server, admin, "/projects", project="shop", days="30").status_code == 303
    assert own() == [("id-of-shop", 30)]
    assert "events: 30 days" in page(server, admin)
    assert post(server, admin, "/projects", project="shop", days="0").status_code == 303
    assert own() == []
    for fields in ({"project": "nobody", "days": "3"}, {"project": "shop", "days": ""}, {"project": "shop"}):
        assert post(server, admin, "/projects", **fields).status_code == 400


def test_the_page_shows_a_purge_from_asking_to_done(server: Server, seed: Seed, admin: str, shop: int) -> None:
    issue = seed.issue(shop, "f00d")
    add_events(seed, [(issue, age, age) for age in reversed(range(20))])
    assert "No clean-up yet" in page(server, admin)

    assert post(server, admin, "/purge").status_code == 303
    waiting = page(server, admin)
    work = steps(seed.path)
    for _ in range(4):
        next(work)
    running = page(server, admin)
    with connection.immediate(seed.db):
        retention.set_error(seed.db, 1, "FullError: <disk> is full")
    stuck = page(server, admin)
    for _ in work:
        pass

    assert 'data-purge="/v1/admin/retention/purge/1"' in waiting
    assert "Waiting for the retention process" in waiting
    assert "of 12 events deleted" in running
    assert "FullError: &lt;disk&gt; is full" in stuck
    assert "deleted 12 events and 0 hourly counts" in page(server, admin)


def save_samples(seed: Seed, *sizes: tuple[int, int]) -> None:
    """(days ago, bytes of the database)."""
    for days_ago, size in sizes:
        sample = {"database_bytes": size, "reusable_bytes": 0, "wal_bytes": 0, "disk_free_bytes": 0}
        at_ms = NOW_MS - days_ago * DAY_MS
        samples.save_sample(seed.db, sample, event_id=0, row_counts={"issues": 4321}, now_ms=at_ms)


def test_the_panel_tells_how_it_grows_and_how_long_that_lasts(
    server: Server, seed: Seed, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bloop.retention.disk.free_bytes", lambda path: 2**30)
    assert page(server, admin).count("available after 24 h") == 2

    save_samples(seed, (4, 100 * 2**20), (2, 120 * 2**20), (0, 140 * 2**20))
    text = page(server, admin)

    assert "10 MiB" in text
    assert "about 102 days" in text  # of a GiB
    assert "4,321" in text
    save_samples(seed, (0, 100 * 2**20))
    assert "not growing" in page(server, admin)


def test_counts_of_large_tables_are_the_last_count_plus_new_rows(
    server: Server, seed: Seed, admin: str, shop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bloop.retention.sizes.COUNTED_NOW_MAX", 5)
    issue = seed.issue(shop, "f00d")
    for _ in range(8):
        seed.event(issue)
    sample = {"database_bytes": 1, "reusable_bytes": 0, "wal_bytes": 0, "disk_free_bytes": 0}
    samples.save_sample(seed.db, sample, event_id=8, row_counts={"events": 1000, "hourly_counts": 77}, now_ms=NOW_MS)
    for _ in range(3):
        seed.event(issue)

    assert server.get(PATH, cookie=admin)["storage"]["raw_events_count"] == 1003
    assert "1,003" in page(server, admin)


def test_the_page_is_for_admins(server: Server, seed: Seed) -> None:
    ada = seed.session(seed.user("ada"))

    assert server.call("GET", "/settings/storage", cookie=ada).status_code == 403
    assert "/settings/storage" not in page(server, ada, "/settings/account")


def test_the_cost_of_reading_does_not_grow_with_the_events(server: Server, seed: Seed, admin: str) -> None:
    """No statement of the page walks a large table: each is stopped after rows that are counted in a moment."""
    for statement in (storage._COUNT_EVENTS_TO, storage._COUNT_HOURS_TO):
        assert "LIMIT :rows_max" in statement
    plan = "\n".join(row[3] for row in seed.db.execute(f"EXPLAIN QUERY PLAN {storage._SELECT_OLDEST_EVENT}"))
    assert "USE TEMP B-TREE" not in plan


def test_issues_have_a_retention_which_projects_may_set_for_themselves(server: Server, admin: str, shop: int) -> None:
    own = [{"project_id": "shop", "issues_days": 0}]

    assert put(server, admin, {"issues_days": 90, "per_project": own}).json == {"status": "ok"}
    answer = server.get(PATH, cookie=admin)

    assert answer["global"]["issues_days"] == 90
    assert [(row["raw_events_days"], row["issues_days"]) for row in answer["per_project"]] == [(None, 0)]
    put(server, admin, {"issues_days": 0, "per_project": [{"project_id": "shop", "issues_days": None}]})
    assert server.get(PATH, cookie=admin)["per_project"] == []
    refused = put(server, admin, {"issues_days": 3651})
    assert (refused.status_code, "between 0 and 3650" in refused.text) == (400, True)


def test_the_page_sets_the_days_of_issues(server: Server, admin: str, shop: int) -> None:
    form = {"raw_events_days": "7", "hourly_counts_days": "90"}

    assert post(server, admin, "", **form, issues_days="30").status_code == 303
    assert post(server, admin, "/projects", project="shop", days="", issues_days="0").status_code == 303
    assert "issues: forever" in page(server, admin)
    assert server.get(PATH, cookie=admin)["global"]["issues_days"] == 30
    assert post(server, admin, "", **form, issues_days="x").status_code == 400
