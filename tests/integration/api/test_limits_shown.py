"""Limits that are near or met, and users that are estimated, on pages and in the API."""

from __future__ import annotations

from typing import Any

from bloop.base.limits import Limit
from tests.integration.api.conftest import Server
from tests.seed import Seed


def use(seed: Seed, project: int, limit: Limit, count: int) -> None:
    seed.db.execute("INSERT INTO kept_counts VALUES (?, ?, ?)", (project, limit, count))


def page_of(server: Server, path: str, *, cookie: str) -> str:
    return server.call("GET", path, cookie=cookie).text


def reasons(server: Server) -> Any:
    return server.get("/health")["reasons"]


def test_a_limit_that_is_near_is_a_banner_and_no_reason(server: Server, seed: Seed) -> None:
    use(seed, seed.project("shop"), Limit.RELEASES, 8_412)

    page = page_of(server, "/system", cookie=seed.session())

    assert "is close to a limit: 8,412 of 10,000 releases." in page
    assert "limit_met" not in reasons(server)


def test_below_four_fifths_of_a_limit_nothing_is_said(server: Server, seed: Seed) -> None:
    use(seed, seed.project("shop"), Limit.RELEASES, 7_999)

    assert "close to a limit:" not in page_of(server, "/system", cookie=seed.session())


def test_a_limit_that_is_met_is_named_on_pages_and_a_reason_without_names_in_health(server: Server, seed: Seed) -> None:
    use(seed, seed.project("shop"), Limit.ENVIRONMENTS, 500)

    page = page_of(server, "/system", cookie=seed.session())

    assert "has reached a limit: 500 of 500 environments." in page
    assert "(limits.environments)" in page
    assert "limit_met" in reasons(server)


def test_estimated_users_are_about_right_in_words_and_marked_in_the_api(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    exact, estimated = seed.issue(project, "exact"), seed.issue(project, "many")
    seed.db.execute("UPDATE issues SET user_count = 9431 WHERE id = ?", (exact,))
    seed.db.execute("UPDATE issues SET user_count = 12431, users_are_estimated = 1 WHERE id = ?", (estimated,))
    cookie = seed.session()
    named = "SELECT i.fingerprint, p.short_prefix || '-' || i.short_number FROM issues AS i JOIN projects AS p"
    ids = dict(seed.rows(f"{named} ON p.id = i.project_id"))

    assert "about 12,400" in page_of(server, f"/issues/{ids['many']}", cookie=cookie)
    page = page_of(server, f"/issues/{ids['exact']}", cookie=cookie)
    assert "9,431" in page
    assert "about 9" not in page
    document = server.get(f"/issues/{ids['many']}.json", cookie=cookie)
    assert (document["issue"]["user_count"], document["issue"]["user_count_is_estimate"]) == (12431, True)
