"""/v1/ledger and /v1/rejections: everything accounted for, and nobody sees the accounts of another project."""

from __future__ import annotations

from bloop.base.clock import DAY_MS, HOUR_MS, hour_of
from bloop.base.limits import Limit
from bloop.base.outcomes import Outcome
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed

THIS_HOUR = hour_of(NOW_MS)


def book(seed: Seed, project_id: int, outcome: Outcome, count: int, at_ms: int = THIS_HOUR) -> None:
    seed.ledger(project_id, outcome, at_ms, count)
    seed.db.execute(
        "INSERT INTO ledger_totals VALUES (?, 0, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        (project_id, outcome, count),
    )


def note(seed: Seed, project_id: int, detail: str) -> None:
    seed.db.execute(
        "INSERT INTO rejections (rejected_at_ms, project_id, outcome, detail, key_prefix, size_bytes, client,"
        " user_agent) VALUES (?, ?, 6, ?, 'bloop_1a1a1a…', 12, '192.0.2.0/24', 'sdk/1')",
        (NOW_MS, project_id, detail),
    )


def test_the_ledger_answers_received_events_and_outcomes_by_hour(server: Server, seed: Seed) -> None:
    shop = seed.project("shop")
    book(seed, shop, Outcome.RECEIVED, 10)
    book(seed, shop, Outcome.STORED, 6)
    book(seed, shop, Outcome.RATE_LIMITED, 1)
    book(seed, shop, Outcome.RECEIVED, 5, THIS_HOUR - HOUR_MS)
    book(seed, shop, Outcome.STORED, 5, THIS_HOUR - HOUR_MS + 60_000)
    book(seed, shop, Outcome.RECEIVED, 3, THIS_HOUR - 24 * HOUR_MS)
    book(seed, shop, Outcome.STORED, 3, THIS_HOUR - 24 * HOUR_MS)

    found = server.get("/v1/ledger", token=seed.token(shop, "errors:read"))

    zeros = {outcome.label: 0 for outcome in Outcome}
    assert found == {
        "totals": zeros | {"received": 18, "stored": 14, "rate_limited": 1},
        "in_flight": 3,
        "bucket": "hour",
        "buckets": [
            {"start": THIS_HOUR - HOUR_MS, "received": 5, "stored": 5},
            {"start": THIS_HOUR, "received": 10, "stored": 6, "rate_limited": 1},
        ],
        "overflowed": {},
    }


def test_events_beyond_a_limit_are_counted_by_setting_within_the_hours_asked_for(server: Server, seed: Seed) -> None:
    shop, other = seed.project("shop"), seed.project("other")
    for project, hour_ms, limit, count in (
        (shop, THIS_HOUR, Limit.RELEASES, 3),
        (shop, THIS_HOUR - HOUR_MS, Limit.RELEASES, 4),
        (shop, THIS_HOUR, Limit.NEW_ISSUES, 5),
        (shop, THIS_HOUR - 24 * HOUR_MS, Limit.RELEASES, 100),
        (other, THIS_HOUR, Limit.RELEASES, 100),
    ):
        seed.db.execute("INSERT INTO overflow_counts VALUES (?, ?, ?, ?)", (project, hour_ms, limit, count))

    found = server.get("/v1/ledger", token=seed.token(shop, "errors:read"))

    assert found["overflowed"] == {"releases": 7, "new_issues_per_hour": 5}


def test_days_are_utc_days_and_the_span_is_bounded(server: Server, seed: Seed) -> None:
    shop = seed.project("shop")
    for days in range(40):
        book(seed, shop, Outcome.RECEIVED, 1, THIS_HOUR - days * DAY_MS)
    cookie = seed.session()

    today = NOW_MS - NOW_MS % DAY_MS
    for hours, expected in ((36, 2), (24, 1), (720, 30), (100_000, 30), (0, 1)):
        found = server.get(f"/v1/ledger?bucket=day&hours={hours}", cookie=cookie)["buckets"]
        assert [row["start"] for row in found] == [today - n * DAY_MS for n in reversed(range(expected))]
    assert server.call("GET", "/v1/ledger?bucket=week", cookie=cookie).status_code == 400


def test_only_users_who_see_all_projects_see_events_without_a_project(server: Server, seed: Seed) -> None:
    shop, api = seed.project("shop"), seed.project("api")
    for project_id, count in ((0, 1), (shop, 10), (api, 100), (99, 1000)):  # 99: deleted long ago
        book(seed, project_id, Outcome.RECEIVED, count)
        note(seed, project_id, f"of {project_id}")
    token, cookie = seed.token(shop, "errors:read"), seed.session(seed.user("ada"))

    def seen(query: str = "", **credential: str) -> tuple[int, set[str]]:
        total = server.get(f"/v1/ledger{query}", **credential)["totals"]["received"]
        return total, {row["detail"] for row in server.get(f"/v1/rejections{query}", **credential)}

    assert seen(cookie=cookie) == (1111, {"of 0", f"of {shop}", f"of {api}", "of 99"})
    assert seen("?project_id=api", cookie=cookie) == (100, {f"of {api}"})
    assert seen(token=token) == (10, {f"of {shop}"})
    assert seen("?project_id=api", token=token) == (10, {f"of {shop}"})
    assert server.call("GET", "/v1/ledger?project_id=none", cookie=cookie).status_code == 404


def test_rejections_are_newest_first_with_details_of_the_sender(server: Server, seed: Seed) -> None:
    shop = seed.project("shop")
    note(seed, shop, "first")
    note(seed, 0, "second")

    newest, oldest = server.get("/v1/rejections", cookie=seed.session())

    assert (newest["detail"], newest["project_id"]) == ("second", None)
    assert oldest == {
        "id": oldest["id"],
        "rejected_at": NOW_MS,
        "project_id": "id-of-shop",
        "reason": "bad_signature",
        "detail": "first",
        "key_prefix": "bloop_1a1a1a…",
        "size_bytes": 12,
        "client": "192.0.2.0/24",
        "user_agent": "sdk/1",
    }
    assert len(server.get("/v1/rejections?limit=1", cookie=seed.session())) == 1
