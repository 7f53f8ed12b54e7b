"""GET /v1/errors and what hangs on it, as the wire contract prints it."""

from __future__ import annotations

from typing import Any

import pytest

from bloop.base.clock import HOUR_MS, hour_of, minute_of
from bloop.base.outcomes import Outcome
from bloop.records.event import Parts
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed, many_issues


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["fingerprint"] for row in rows]


# Lists --------------------------------------------------------------------------------------------------------------


def test_an_error_is_printed_with_the_fields_clients_know(server: Server, seed: Seed) -> None:
    project = seed.project("default", public_id="default")
    seed.issue(
        project,
        "c6be5b205cdb4fae",
        error_type="RuntimeError",
        message="connection refused",
        event_count=42,
        first_seen_ms=NOW_MS - 1000,
    )

    assert server.get("/v1/errors", cookie=seed.session()) == [
        {
            "project_id": "default",
            "fingerprint": "c6be5b205cdb4fae",
            "release": "1.0",
            "environment": "production",
            "total_count": 42,
            "first_seen": NOW_MS - 1000,
            "last_seen": NOW_MS,
            "error_type": "RuntimeError",
            "message": "connection refused",
            "source": "api",
            "route_or_procedure": None,
            "screen": None,
            "status": "unresolved",
            "regressed": False,
            "short_id": "DEFAULT-1",
        }
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["open", "again", "done"]),
        ("status=unresolved", ["open", "again"]),
        ("status=active", ["open", "again"]),
        ("status=regressed", ["again"]),
        ("status=resolved", ["done"]),
        ("status=muted", []),
        ("status=", ["open", "again", "done"]),
        ("source=ios", ["again"]),
        ("route=/cart", ["done"]),
        ("route=/car", []),
        ("release=1.0&environment=production", ["open", "again", "done"]),
        ("release=9", []),
        ("environment=staging", []),
        (f"since={NOW_MS - 1}", ["open", "again"]),
        (f"since={(NOW_MS - 2000) // 1000}", ["open", "again", "done"]),
        (f"until={NOW_MS - 1}", ["again", "done"]),
        (f"since={NOW_MS - 1}&until={NOW_MS - 1}", ["again"]),
        ("sort=total_count", ["done", "again", "open"]),
        ("sort=first_seen", ["again", "done", "open"]),
        ("limit=1", ["open"]),
        ("limit=1&offset=1", ["again"]),
        ("limit=-1", ["open"]),
        ("offset=-7", ["open", "again", "done"]),
        ("offset=3", []),
    ],
)
def test_parameters_filter_order_and_bound_the_list(
    server: Server, seed: Seed, query: str, expected: list[str]
) -> None:
    project = seed.project("shop")
    seed.issue(project, "open", event_count=1, first_seen_ms=NOW_MS - 30)
    seed.issue(
        project,
        "again",
        status="regressed",
        source="ios",
        event_count=2,
        first_seen_ms=NOW_MS - 10,
        last_seen_ms=NOW_MS - 1,
    )
    seed.issue(
        project,
        "done",
        status="resolved",
        route="/cart",
        event_count=3,
        first_seen_ms=NOW_MS - 20,
        last_seen_ms=NOW_MS - 2000,
    )

    rows = server.get("/v1/errors", token=seed.token(project, "errors:read"), query_string=query)

    assert names(rows) == expected
    assert {row["status"] for row in rows if row["fingerprint"] == "again"} <= {"unresolved"}
    assert all(row["regressed"] == (row["fingerprint"] == "again") for row in rows)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("sort=message", "sort"),
        ("status=open", "status"),
        ("limit=ten", "limit"),
        ("offset=1.5", "offset"),
        ("since=yesterday", "since"),
        (f"until={10**40}", "until"),
        ("cursor=nonsense", "cursor"),
        ("route=" + "x" * 2000, "route"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(server: Server, seed: Seed, query: str, path: str) -> None:
    result = server.call("GET", "/v1/errors", cookie=seed.session(), query_string=query)

    assert result.status_code == 400
    assert result.json["path"] == path
    assert result.json["error"].startswith(f"{path}: ")


@pytest.mark.parametrize("by", ["cursor", "offset"])
@pytest.mark.parametrize("sort", ["last_seen", "total_count", "first_seen"])
def test_pages_meet_without_gap_or_repeat_while_errors_keep_happening(
    server: Server, seed: Seed, by: str, sort: str
) -> None:
    projects = [seed.project("one"), seed.project("two")]
    for project in projects:
        many_issues(seed, project, 120)
    cookie, query, seen = seed.session(), f"limit=20&sort={sort}", []
    moving = {row[0] for row in seed.rows("SELECT id FROM aggregates WHERE id % 5 = 0")}

    for page in range(40):
        result = server.call("GET", "/v1/errors", cookie=cookie, query_string=query)
        seen += [(row["project_id"], row["fingerprint"]) for row in result.json]
        bump = {"now": NOW_MS + page, "id": page}
        seed.db.execute(
            "UPDATE aggregates SET last_seen_ms = :now, first_seen_ms = :now, event_count = :now"
            " WHERE id % 5 = 0 AND id % 40 = :id",
            bump,
        )
        if "Link" not in result.headers:
            break
        following = result.headers["Link"].removeprefix("</v1/errors?").removesuffix('>; rel="next"')
        query = following if by == "cursor" else f"limit=20&sort={sort}&offset={20 * (page + 1)}"

    still = seed.rows(
        "SELECT p.public_id, i.fingerprint FROM aggregates AS a JOIN issues AS i ON i.id = a.issue_id"
        " JOIN projects AS p ON p.id = a.project_id WHERE a.id % 5 <> 0"
    )
    assert len(moving) == 48
    assert sorted(set(seen) & set(still)) == sorted(still)
    assert len([row for row in seen if row in set(still)]) == len(still)


@pytest.mark.parametrize("release", ["1.0", "web@1.0/beta", "a/b/errors", "50%", "v1 é+&?", "%2F", "a//b"])
def test_a_release_may_hold_anything(server: Server, seed: Seed, release: str) -> None:
    project = seed.project("shop")
    first, second = seed.issue(project, "few", aggregates=False), seed.issue(project, "many", aggregates=False)
    seed.aggregate(first, release=release, event_count=2)
    seed.aggregate(second, release=release, event_count=9)
    seed.aggregate(second, release="other")

    # A WSGI server hands the path over decoded once, so this is what `web%401.0%2Fbeta` and `web@1.0/beta` both become.
    rows = server.get(f"/v1/releases/{release}/errors".replace("%", "%25").replace("?", "%3F"), cookie=seed.session())

    assert [(row["fingerprint"], row["total_count"], row["release"]) for row in rows] == [
        ("many", 9, release),
        ("few", 2, release),
    ]


def test_a_release_is_filtered_by_project_and_paged(server: Server, seed: Seed) -> None:
    one, two = seed.project("one"), seed.project("two")
    for n in range(3):
        seed.issue(one, f"f{n}")
    seed.issue(two, "other")
    cookie = seed.session()

    assert len(server.get("/v1/releases/1.0/errors", cookie=cookie)) == 4
    assert names(server.get("/v1/releases/1.0/errors", cookie=cookie, query_string="project_id=two")) == ["other"]
    pages = [server.get("/v1/releases/1.0/errors", cookie=cookie, query_string=f"project_id=one&limit=2&offset={o}")
             for o in (0, 2)]  # fmt: skip
    assert names([*pages[0], *pages[1]]) == ["f2", "f1", "f0"]


# One error ----------------------------------------------------------------------------------------------------------


def test_detail_shows_aggregates_and_the_newest_samples(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    issue_id = seed.issue(project, "f00d")
    seed.aggregate(issue_id, release="2.0", last_seen_ms=NOW_MS + 5)
    ids = [seed.event(issue_id, timestamp_ms=NOW_MS + n, metadata='{"n": 1}', stack="at f") for n in range(7)]

    detail = server.get("/v1/errors/f00d", token=seed.token(project, "errors:read"))

    assert [row["release"] for row in detail["aggregates"]] == ["2.0", "1.0"]
    assert [row["id"] for row in detail["samples"]] == ids[:1:-1]
    assert detail["samples"][0] == {
        "id": ids[-1],
        "fingerprint": "f00d",
        "project_id": "id-of-shop",
        "captured_at": NOW_MS,
        "timestamp": NOW_MS + 6,
        "source": "api",
        "environment": "production",
        "release": "1.0",
        "error_type": "TypeError",
        "message": "message of f00d",
        "stack": "at f",
        "http_status": None,
        "request_id": None,
        "route_or_procedure": None,
        "screen": None,
        "user_id_hash": None,
        "device_id_hash": None,
        "app_version": None,
        "build_number": None,
        "metadata": {"n": 1},
    }


def test_what_was_cut_is_listed_and_large_integers_are_verbatim_everywhere(server: Server, seed: Seed) -> None:
    large = 2**70
    cut = ["stack", "metadata.request"]
    seed.event(seed.issue(seed.project("shop"), "f00d"), metadata=f'{{"n": {large}}}', parts=Parts(cut=cut))
    cookie = seed.session()

    for path in ("/v1/errors/f00d/occurrences", "/v1/errors/f00d", "/issues/SHOP-1.json"):
        text = server.call("GET", path, cookie=cookie).text
        assert f'"metadata":{{"n": {large}}}' in text
        assert '"cut":["stack","metadata.request"]' in text
    shown = server.call("GET", "/issues/SHOP-1", cookie=cookie, headers={"Accept": "text/html"}).text
    document = server.call("GET", "/issues/SHOP-1.md", cookie=cookie).text
    for text in (shown, document):
        assert str(large) in text
        assert "metadata.request" in text
    assert "Trimmed: <code><bdi>stack</bdi></code>, " in shown


@pytest.mark.parametrize("reference", ["f00d", "SHOP-1", "shop-1"])
def test_a_short_id_works_where_a_fingerprint_does(server: Server, seed: Seed, reference: str) -> None:
    seed.event(seed.issue(seed.project("shop"), "f00d"))
    cookie = seed.session()

    assert server.get(f"/v1/errors/{reference}", cookie=cookie)["samples"][0]["fingerprint"] == "f00d"
    assert len(server.get(f"/v1/errors/{reference}/occurrences", cookie=cookie)) == 1
    result = server.call("POST", f"/v1/errors/{reference}/mute", cookie=cookie)
    assert result.json == {"fingerprint": "f00d", "status": "muted", "updated": 1, "undo_id": result.json["undo_id"]}


@pytest.mark.parametrize("fingerprint", ["client/chosen/id", "a/resolve", "50%", "checkout: état", "trend"])
def test_a_fingerprint_chosen_by_a_client_may_hold_anything(server: Server, seed: Seed, fingerprint: str) -> None:
    seed.issue(seed.project("shop"), fingerprint)
    cookie, path = seed.session(), fingerprint.replace("%", "%25")

    assert server.get(f"/v1/errors/{path}/history", cookie=cookie) == []
    result = server.call("POST", f"/v1/errors/{path}/resolve", cookie=cookie)
    assert result.json == {
        "fingerprint": fingerprint,
        "status": "resolved",
        "updated": 1,
        "undo_id": result.json["undo_id"],
    }
    assert len(server.get(f"/v1/errors/{path}/history", cookie=cookie)) == 1


def test_an_unknown_fingerprint_is_404_and_its_lists_are_empty(server: Server, seed: Seed) -> None:
    seed.project("shop")
    cookie = seed.session()

    for method, path in (("GET", "/v1/errors/nope"), ("POST", "/v1/errors/nope/resolve")):
        result = server.call(method, path, cookie=cookie)
        assert (result.status_code, result.json) == (404, {"error": "no errors with fingerprint nope"})
    for name in ("occurrences", "trend", "history"):
        assert server.get(f"/v1/errors/nope/{name}", cookie=cookie) == []


def test_occurrences_are_paged_newest_first(server: Server, seed: Seed) -> None:
    issue_id = seed.issue(seed.project("shop"), "f00d")
    ids = [seed.event(issue_id, timestamp_ms=NOW_MS + n, received_at_ms=NOW_MS + 99) for n in range(5)]
    cookie = seed.session()

    first = server.get("/v1/errors/f00d/occurrences", cookie=cookie, query_string="limit=2")
    rest = server.get("/v1/errors/f00d/occurrences", cookie=cookie, query_string="limit=200&offset=2")

    assert [row["id"] for row in first + rest] == ids[::-1]
    assert (first[0]["timestamp"], first[0]["received_at"]) == (NOW_MS + 4, NOW_MS + 99)
    assert set(first[0]) >= {"id", "timestamp", "source", "environment", "release", "error_type", "message", "stack",
                             "http_status", "request_id", "route_or_procedure", "fingerprint", "received_at",
                             "project_id"}  # fmt: skip


def test_trends_count_hours_within_bounds(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    issue_id, hour = seed.issue(project, "f00d"), hour_of(NOW_MS)
    for back, count in ((0, 1), (71, 2), (72, 4), (719, 8), (721, 16)):
        seed.hour(issue_id, hour - back * HOUR_MS, count)
    token = seed.token(project, "errors:read")

    def counts(path: str, query: str) -> list[int]:
        return [row["count"] for row in server.get(path, token=token, query_string=query)]

    for path in ("/v1/errors/f00d/trend", "/v1/trends"):
        assert counts(path, "") == ([4, 2, 1] if hour == NOW_MS else [2, 1])
        assert counts(path, "hours=1") == [1]
        assert counts(path, "hours=99999") == counts(path, "hours=720")
        assert counts(path, "hours=720")[-3:] == [4, 2, 1]
        assert counts(path, "hours=0") == counts(path, "hours=1")
    assert server.get("/v1/trends", token=token, query_string="hours=1") == [{"hour_bucket": hour, "count": 1}]


def test_stats_come_from_kept_counters(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    seed.issue(project, "a")
    seed.issue(project, "b", status="resolved")
    seed.ledger(project, Outcome.STORED, minute_of(NOW_MS), 340)
    seed.route(project, "/api/users", 42)

    assert server.get("/v1/stats", token=seed.token(project, "errors:read")) == {
        "total_errors": 2,
        "unresolved_errors": 1,
        "total_events_24h": 340,
        "top_routes": [{"route": "/api/users", "count": 42}],
    }


# Status changes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "status"),
    [("resolve", "resolved"), ("ignore", "ignored"), ("mute", "muted"), ("unresolve", "unresolved")],
)
def test_a_status_change_is_answered_written_down_and_signalled(
    server: Server, seed: Seed, action: str, status: str
) -> None:
    project = seed.project("shop")
    issue_id = seed.issue(project, "f00d", status="regressed")
    seed.aggregate(issue_id, release="2.0")
    seed.aggregate(issue_id, release="3.0")
    token = seed.token(project, "errors:write", "errors:read")

    result = server.call("POST", f"/v1/errors/f00d/{action}", token=token)

    assert result.json == {"fingerprint": "f00d", "status": status, "updated": 3, "undo_id": result.json["undo_id"]}
    (change,) = server.get("/v1/errors/f00d/history", token=token)
    assert (change["old_status"], change["new_status"], change["changed_at"]) == ("regressed", status, NOW_MS)
    assert change["changed_by"] == seed.value("SELECT id FROM api_tokens")
    assert change["changed_by_name"] == "ci"
    assert seed.value("SELECT kind FROM signals") == f"issue.{status}"


def test_history_names_the_user(server: Server, seed: Seed) -> None:
    seed.issue(seed.project("shop"), "f00d")
    user_id = seed.user("ada")

    server.call("POST", "/v1/errors/f00d/resolve", cookie=seed.session(user_id))
    server.call("POST", "/v1/errors/f00d/unresolve", cookie=seed.session())

    changes = server.get("/v1/errors/f00d/history", cookie=seed.session())
    assert [change["changed_by"] for change in changes] == ["operator", user_id]


def test_a_session_without_project_changes_the_issue_everywhere(server: Server, seed: Seed) -> None:
    projects = [seed.project("one"), seed.project("two"), seed.project("three")]
    for project in projects:
        seed.issue(project, "shared")
    cookie = seed.session()

    one = server.call("POST", "/v1/errors/shared/resolve", cookie=cookie, query_string="project_id=id-of-two")
    assert one.json["updated"] == 1
    assert seed.rows("SELECT status FROM issues ORDER BY id") == [("unresolved",), ("resolved",), ("unresolved",)]

    every = server.call("POST", "/v1/errors/shared/ignore", cookie=cookie)
    assert every.json["updated"] == 3
    assert seed.rows("SELECT DISTINCT status FROM issues") == [("ignored",)]
    assert seed.value("SELECT count(*) FROM status_changes") == 4


# Projects stay apart ------------------------------------------------------------------------------------------------


def test_a_token_never_leaves_its_project(server: Server, seed: Seed) -> None:
    mine, theirs = seed.project("mine"), seed.project("theirs")
    seed.issue(mine, "mine-only")
    for project in (mine, theirs):
        seed.event(seed.issue(project, "shared"))
    other = seed.issue(theirs, "theirs-only")
    seed.event(other)
    seed.hour(other, hour_of(NOW_MS), 5)
    seed.ledger(theirs, Outcome.STORED, minute_of(NOW_MS), 7)
    seed.route(theirs, "/theirs", 3)
    token = seed.token(mine, "errors:read", "errors:write")

    for query in ("", "project_id=id-of-theirs", "project_id=theirs"):
        assert set(names(server.get("/v1/errors", token=token, query_string=query))) == {"mine-only", "shared"}
        assert server.get("/v1/trends", token=token, query_string=query) == []
        assert server.get("/v1/stats", token=token, query_string=query)["total_errors"] == 2
        assert server.get("/v1/stats", token=token, query_string=query)["total_events_24h"] == 0
        assert len(server.get("/v1/releases/1.0/errors", token=token, query_string=query)) == 2
        assert len(server.get("/v1/errors/shared/occurrences", token=token, query_string=query)) == 1
        for reference in ("theirs-only", "THEIRS-1", "THEIRS-2"):
            assert server.call("GET", f"/v1/errors/{reference}", token=token, query_string=query).status_code == 404
            assert server.get(f"/v1/errors/{reference}/occurrences", token=token, query_string=query) == []
            result = server.call("POST", f"/v1/errors/{reference}/mute", token=token, query_string=query)
            assert result.status_code == 404
        server.call("POST", "/v1/errors/shared/resolve", token=token, query_string=query)

    assert seed.rows("SELECT DISTINCT status FROM issues WHERE project_id = ?", theirs) == [("unresolved",)]


def test_a_session_names_a_project_by_id_or_slug_and_unknown_ones_are_404(server: Server, seed: Seed) -> None:
    seed.issue(seed.project("one"), "a")
    seed.issue(seed.project("two"), "b")
    cookie = seed.session()

    for reference in ("one", "id-of-one"):
        assert names(server.get("/v1/errors", cookie=cookie, query_string=f"project_id={reference}")) == ["a"]
    assert sorted(names(server.get("/v1/errors", cookie=cookie, query_string="project_id="))) == ["a", "b"]
    result = server.call("GET", "/v1/errors", cookie=cookie, query_string="project_id=three")
    assert (result.status_code, result.json) == (404, {"error": "project not found"})


def test_a_remembered_page_end_of_one_project_is_no_start_in_another(server: Server, seed: Seed) -> None:
    projects = [seed.project("one"), seed.project("two")]
    for project in projects:
        for n in range(4):
            seed.issue(project, f"{project}-{n}")
    tokens = [seed.token(project, "errors:read") for project in projects]

    server.get("/v1/errors", token=tokens[0], query_string="limit=2")

    rows = server.get("/v1/errors", token=tokens[1], query_string="limit=2&offset=2")
    assert names(rows) == [f"{projects[1]}-1", f"{projects[1]}-0"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("reading 'price'", ["SHOP-1"]),
        ("is:muted", ["SHOP-2", "SHOP-2"]),
        ("env:staging", ["SHOP-2"]),
        ("-env:staging", ["SHOP-1", "SHOP-2"]),
        ("env:production release:2.*", []),
        ("last:1h", ["SHOP-1"]),
        ("type:TypeError -price", ["SHOP-2", "SHOP-2"]),
    ],
)
def test_a_search_narrows_the_list_of_errors(server: Server, seed: Seed, query: str, expected: list[str]) -> None:
    project = seed.project("shop")
    seed.issue(project, "a", message="undefined (reading 'price')")
    old = seed.issue(project, "b", status="muted", last_seen_ms=NOW_MS - 7_200_000, message="other")
    seed.aggregate(old, release="2.0", environment="staging", last_seen_ms=NOW_MS + 1)
    token = seed.token(project, "errors:read")

    found = server.call("GET", "/v1/errors", token=token, params={"query": query, "sort": "first_seen"}).json

    assert [row["short_id"] for row in found] == expected


def test_a_search_that_cannot_be_read_is_refused_in_words(server: Server, seed: Seed) -> None:
    token = seed.token(seed.project("shop"), "errors:read")

    answer = server.call("GET", "/v1/errors", token=token, params={"query": "is:closed"})

    assert answer.status_code == 400
    assert answer.json["path"] == "query"
    assert answer.json["error"].startswith("query: Unknown status 'closed'. Try open")
