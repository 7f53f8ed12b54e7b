"""BULK-1 and BULK-2 of bloop/issues/status/bulk.py: the form of the list, and POST /v1/errors/bulk."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from falcon import testing

from bloop.base.errors import StorageError
from bloop.issues.status.references import REFERENCES_MAX
from tests.integration.api.conftest import RP_ORIGIN, Server
from tests.seed import Seed

FORM = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", "Origin": RP_ORIGIN}


def post(server: Server, cookie: str, **fields: Any) -> testing.Result:
    body = urlencode({"back": "project=shop&sort=events", "status": "resolved"} | fields, doseq=True)
    return server.call("POST", "/issues/bulk", cookie=cookie, headers=FORM, body=body)


def ticked(result: testing.Result) -> list[str]:
    return re.findall(r'name="issue" value="([^"]+)" checked', result.text)


def statuses(seed: Seed) -> dict[str, str]:
    return dict(seed.rows("SELECT fingerprint, status FROM issues ORDER BY id"))


@pytest.fixture
def shop(seed: Seed) -> int:
    project = seed.project("shop")
    for name in ("a", "b", "c"):
        seed.issue(project, name)
    return project


def test_ticked_issues_change_together_each_with_its_own_audit_line_and_signal(
    server: Server, seed: Seed, shop: int
) -> None:
    user = seed.user("ada")

    answer = post(server, seed.session(user), issue=["SHOP-1", "SHOP-3"])

    assert (answer.status_code, answer.headers["location"]) == (303, "/?project=shop&sort=events")
    assert statuses(seed) == {"a": "resolved", "b": "unresolved", "c": "resolved"}
    changes = seed.rows("SELECT issue_id, old_status, new_status, changed_by, changed_via FROM status_changes")
    assert changes == [(n, "unresolved", "resolved", user, "dashboard") for n in (1, 3)]
    assert seed.rows("SELECT kind, issue_id FROM signals") == [("issue.resolved", 1), ("issue.resolved", 3)]


def test_the_next_page_reports_the_change_once(server: Server, seed: Seed, shop: int) -> None:
    cookie = seed.session()
    left = post(server, cookie, issue=["SHOP-1", "SHOP-3"]).cookies["bloop_done"]

    def page(value: str) -> testing.Result:
        return server.call("GET", "/", headers={"Cookie": f"__Host-bloop_session={cookie}; bloop_done={value}"})

    said = page(left.value)
    undo_id = seed.value("SELECT DISTINCT undo_id FROM undo_parts")
    assert "<span><bdi>2 issues resolved.</bdi></span>" in said.text
    assert f'action="/undo/{undo_id}"' in said.text
    assert said.cookies["bloop_done"].max_age == 0
    assert (left.http_only, left.same_site, left.max_age) == (True, "Lax", 30)
    none = ".".join(["0", "", "", ""])
    for value in (f"destroyed.2.{none}", f"deleted.x.{none}", f"resolved.0.{none}", f"<b>.2.{none}", "resolved.2"):
        assert "data-toast" not in page(value).text


def test_all_means_the_page_that_was_shown(server: Server, seed: Seed, shop: int) -> None:
    answer = post(server, seed.session(), all="1", shown="SHOP-1 SHOP-2", status="muted")

    assert answer.status_code == 303
    assert statuses(seed) == {"a": "muted", "b": "muted", "c": "unresolved"}


def test_failed_issues_stay_selected_with_a_reason_and_the_rest_is_changed(
    server: Server, seed: Seed, shop: int
) -> None:
    answer = post(server, seed.session(), issue=["SHOP-1", "SHOP-99", "NOPE-1"])

    assert answer.status_code == 409
    assert "1 issue resolved; 2 not: no issue has this id (SHOP-99, NOPE-1)." in answer.text
    assert 'role="alert"' in answer.text
    assert statuses(seed)["a"] == "resolved"


def test_when_nothing_can_be_stored_all_issues_stay_selected(
    server: Server, seed: Seed, shop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = seed.session()

    def full(*_: Any, **__: Any) -> None:
        raise StorageError("the database cannot be written right now; is the disk full?")

    monkeypatch.setattr(server.database, "change", full)
    answer = post(server, cookie, issue=["SHOP-1", "SHOP-2"], back="project=shop")

    assert answer.status_code == 503
    assert sorted(ticked(answer)) == ["SHOP-1", "SHOP-2"]
    assert answer.text.count('<span class="row-failed"><bdi>the database cannot be written right now') == 2
    assert set(statuses(seed).values()) == {"unresolved"}


def test_an_empty_selection_is_reported_and_changes_nothing(server: Server, seed: Seed, shop: int) -> None:
    answer = post(server, seed.session())

    assert answer.status_code == 409
    assert "Select issues first." in answer.text


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"issue": "SHOP-1", "status": "regressed"}, 400),
        ({"issue": "SHOP-1", "status": ""}, 400),
        ({"issue": ["SHOP-1"] * (REFERENCES_MAX + 1)}, 400),
        ({"all": "1", "shown": " ".join(["SHOP-1"] * (REFERENCES_MAX + 1))}, 400),
        ({"issue": "x" * 300}, 400),
        ({"issue": "x" * 70_000}, 413),
        ({"issue": [f"SHOP-{n}" for n in range(300)]}, 400),
    ],
)
def test_forms_we_never_print_change_nothing(
    server: Server, seed: Seed, shop: int, fields: dict[str, Any], status: int
) -> None:
    answer = post(server, seed.session(), **fields)

    assert answer.status_code == status
    assert set(statuses(seed).values()) == {"unresolved"}


@pytest.mark.parametrize("back", ["tab=nonsense", "//evil.example", "project=%00", "before=x"])
def test_the_way_back_is_always_a_list_of_ours(server: Server, seed: Seed, shop: int, back: str) -> None:
    answer = post(server, seed.session(), issue="SHOP-1", back=back)

    assert answer.headers["location"].startswith("/")
    assert not answer.headers["location"].startswith("//")


def test_a_form_of_another_site_changes_nothing(server: Server, seed: Seed, shop: int) -> None:
    headers = FORM | {"Origin": "https://evil.example"}
    body = "issue=SHOP-1&status=resolved"

    answer = server.call("POST", "/issues/bulk", cookie=seed.session(), headers=headers, body=body)

    assert answer.status_code == 403
    assert statuses(seed)["a"] == "unresolved"


# POST /v1/errors/bulk ------------------------------------------------------------------------------------------------


def test_the_api_names_changed_and_unchanged_issues(server: Server, seed: Seed, shop: int) -> None:
    seed.issue(seed.project("api"), "a")
    token = seed.token(shop, "errors:write")

    answer = server.call(
        "POST", "/v1/errors/bulk", token=token, json={"ids": ["a", "shop-2", "API-1", "a"], "status": "ignored"}
    )

    assert answer.status_code == 200
    assert answer.json == {
        "status": "ignored",
        "updated": [
            {"id": "SHOP-1", "fingerprint": "a", "project_id": "id-of-shop"},
            {"id": "SHOP-2", "fingerprint": "b", "project_id": "id-of-shop"},
        ],
        "failed": [{"id": "API-1", "error": "no issue has this id"}],
        "undo_id": seed.value("SELECT undo_id FROM undo_parts"),
    }
    assert seed.rows("SELECT status FROM issues WHERE project_id <> ?", shop) == [("unresolved",)]
    assert len(seed.rows("SELECT * FROM status_changes WHERE changed_via = 'api'")) == 2


def test_a_session_reaches_every_project_or_the_one_it_names(server: Server, seed: Seed, shop: int) -> None:
    seed.issue(seed.project("api"), "a")
    cookie = seed.session()

    def change(query: str) -> int:
        body = {"ids": ["a"], "status": "muted"}
        done = server.call("POST", "/v1/errors/bulk", cookie=cookie, json=body, query_string=query)
        return len(done.json["updated"])

    assert change("project_id=api") == 1
    assert change("") == 2


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"ids": ["nope"], "status": "muted"}, 404, "none of these ids names an issue"),
        ({"ids": [], "status": "muted"}, 400, "ids: must be a list of ids"),
        ({"ids": "a", "status": "muted"}, 400, "ids: must be a list of ids"),
        ({"ids": [1], "status": "muted"}, 400, "ids: must be a list of ids"),
        ({"ids": ["a"], "status": "gone"}, 400, "status: must be one of unresolved, resolved, ignored, muted"),
        ({"ids": ["a"], "status": None}, 400, "status: must be one of unresolved, resolved, ignored, muted"),
        ({"ids": ["a"] * 201, "status": "muted"}, 400, "ids: must be at most 200 at once, not 201"),
        ([], 400, "the body must be a JSON object"),
    ],
)
def test_what_the_api_refuses(server: Server, seed: Seed, shop: int, body: Any, status: int, error: str) -> None:
    answer = server.call("POST", "/v1/errors/bulk", token=seed.token(shop, "errors:write"), json=body)

    assert (answer.status_code, answer.json["error"]) == (status, error)
    assert set(statuses(seed).values()) == {"unresolved"}
