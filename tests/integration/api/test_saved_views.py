"""SAVED-1 to SAVED-3: views are saved, shared, ordered, and go with their owner or their project. And pins."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from bloop.issues.saved_views import model, store
from bloop.projects.uses import store as uses
from tests.integration.api.conftest import Server
from tests.integration.api.test_undo_api import FORM, follow, post_form, toast
from tests.seed import NOW_MS, Seed


@pytest.fixture
def grace(seed: Seed) -> str:
    seed.project("shop")
    return seed.session(seed.user("grace", is_admin=True))


@pytest.fixture
def ada(seed: Seed, grace: str) -> str:
    return seed.session(seed.user("ada"))


def call(server: Server, method: str, path: str, cookie: str, **body: Any) -> tuple[int, Any]:
    answer = server.call(method, f"/v1/views{path}", cookie=cookie, json=body or None)
    return answer.status_code, answer.json


def names(server: Server, cookie: str) -> list[str]:
    return [view["name"] for view in call(server, "GET", "", cookie)[1]["views"]]


def test_a_view_is_saved_as_the_address_of_its_list(server: Server, seed: Seed, ada: str) -> None:
    address = "/?project=shop&q=timeout&t=7d&before=1.a.1&env=production&unknown=1&tab=regressed"

    status, view = call(server, "POST", "", ada, name="  Time\t outs ", query=address)

    assert status == 200
    assert view == {
        "id": 1,
        "name": "Time outs",
        "project": "shop",
        "query": "env=production&q=timeout&t=7d&tab=regressed",
        "href": "/?project=shop&env=production&q=timeout&t=7d&tab=regressed",
        "is_shared": False,
        "place": 1,
        "owner": "Ada",
        "may_change": True,
    }
    page = server.call("GET", "/", cookie=ada, query_string="tab=regressed&project=shop&env=production&q=timeout&t=7d")
    assert '<a class="rail-link" href="/?project=shop&amp;env=production&amp;q=timeout&amp;t=7d&amp;tab=regressed"' in (
        page.text
    )
    assert 'aria-current="page"><span class="clip"><bdi>Time outs' in page.text


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ({"name": "", "query": ""}, 400, "name"),
        ({"name": "x" * 61, "query": ""}, 400, "name"),
        ({"name": "a\u200bb", "query": ""}, 400, "name"),
        ({"name": "a", "query": "tab=none"}, 400, "query"),
        ({"name": "a", "query": "t=9d"}, 400, "query"),
        ({"name": "a", "query": "q=is:x"}, 400, "query"),
        ({"name": "a", "query": "project=nope"}, 400, "query"),
        ({"name": "a", "query": "q=" + "x" * 2000}, 400, "query"),
        ({"name": "a", "query": "", "is_shared": "yes"}, 400, "is_shared"),
        ({"name": "a", "query": "", "is_shared": True}, 403, None),
        ({"name": "MINE", "query": ""}, 409, None),
    ],
)
def test_a_view_that_cannot_be_saved_names_the_field(
    server: Server, seed: Seed, ada: str, body: dict[str, Any], status: int, path: str | None
) -> None:
    call(server, "POST", "", ada, name="mine", query="")

    answer = call(server, "POST", "", ada, **body)

    assert (answer[0], answer[1].get("path")) == (status, path), answer
    assert names(server, ada) == ["mine"]


def test_a_person_has_a_bounded_number(server: Server, seed: Seed, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "OWN_MAX", 2)
    for name in "ab":
        assert call(server, "POST", "", ada, name=name, query="")[0] == 200

    status, answer = call(server, "POST", "", ada, name="c", query="")

    assert (status, answer["error"]) == (409, "there are 2 views of your own, the most there can be: delete one first")


def test_own_views_are_seen_by_their_owner_alone_and_shared_ones_by_all(
    server: Server, seed: Seed, ada: str, grace: str
) -> None:
    call(server, "POST", "", ada, name="ada's", query="")
    _, shared = call(server, "POST", "", grace, name="everybody's", query="tab=muted", is_shared=True)

    assert names(server, ada) == ["ada's", "everybody's"]
    assert names(server, grace) == ["everybody's"]
    assert call(server, "PUT", "/1", grace, name="x")[0] == 404
    assert call(server, "DELETE", "/1", grace)[0] == 404
    assert call(server, "PUT", f"/{shared['id']}", ada, name="x")[0] == 403
    assert call(server, "DELETE", f"/{shared['id']}", ada)[0] == 403
    assert call(server, "PUT", "/1", ada, is_shared=True)[0] == 403
    assert call(server, "PUT", f"/{shared['id']}", grace, is_shared=False)[1]["is_shared"] is False
    assert names(server, ada) == ["ada's"]


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (("2", 1), ["b", "a", "C"]),
        (("1", 3), ["b", "C", "a"]),
        (("1", 50), ["b", "C", "a"]),
        (("3", 2), ["a", "C", "b"]),
    ],
)
def test_views_are_ordered_by_hand_and_by_name(
    server: Server, seed: Seed, ada: str, move: tuple[str, int], expected: list[str]
) -> None:
    for name in ("a", "b", "C"):
        call(server, "POST", "", ada, name=name, query="")

    assert call(server, "PUT", f"/{move[0]}", ada, place=move[1])[0] == 200

    assert names(server, ada) == expected
    assert sorted(seed.rows("SELECT place FROM saved_views")) == [(1,), (2,), (3,)]
    post_form(server, "/settings/views/sort", ada)
    assert names(server, ada) == ["a", "b", "C"]


def test_a_view_goes_with_its_project_and_follows_its_slug(server: Server, seed: Seed, ada: str) -> None:
    call(server, "POST", "", ada, name="shop", query="project=shop")
    call(server, "POST", "", ada, name="all", query="tab=muted")
    seed.db.execute("UPDATE projects SET slug = 'store' WHERE slug = 'shop'")
    assert call(server, "GET", "", ada)[1]["views"][0]["href"] == "/?project=store"

    seed.db.execute("UPDATE projects SET deleted_at_ms = 1")

    assert names(server, ada) == ["all"]


def test_a_removed_account_takes_its_own_views_and_pins_and_leaves_shared_ones(
    server: Server, seed: Seed, grace: str
) -> None:
    bob = seed.user("bob", is_admin=True)
    cookie = seed.session(bob)
    call(server, "POST", "", cookie, name="mine", query="")
    call(server, "POST", "", cookie, name="ours", query="", is_shared=True)
    server.call("PUT", "/v1/projects/shop/pin", cookie=cookie)

    removed = server.call("DELETE", f"/v1/admin/users/{bob}", cookie=grace)

    assert (removed.json["settled"]["views"], removed.json["settled"]["pins"]) == (1, 1)
    views = call(server, "GET", "", grace)[1]["views"]
    assert [(view["name"], view["owner"]) for view in views] == [("ours", "Grace")]
    assert seed.rows("SELECT * FROM project_uses WHERE user_id = ?", bob) == []


# Pages ----------------------------------------------------------------------------------------------------------------


def test_a_list_is_saved_and_managed_without_script(server: Server, seed: Seed, ada: str) -> None:
    saved = post_form(server, "/views", ada, name="Muted", query="project=shop&tab=muted")
    page = follow(server, ada, saved)
    post_form(server, "/views", ada, name="All", query="tab=all")
    post_form(server, "/settings/views/2/move", ada, to="up")
    post_form(server, "/settings/views/1", ada, name="Silent")
    managed = server.call("GET", "/settings/views", cookie=ada).text

    assert (saved.headers["location"], toast(page)) == ("/?project=shop&tab=muted", "View saved.")
    assert names(server, ada) == ["All", "Silent"]
    assert "Shop, muted" in managed
    assert 'action="/settings/views/1/delete"' in managed
    deleted = post_form(server, "/settings/views/1/delete", ada)
    assert deleted.headers["location"] == "/settings/views?done=deleted"
    assert names(server, ada) == ["All"]


@pytest.mark.parametrize(
    ("path", "fields", "status", "words"),
    [
        ("/views", {"name": "All", "query": "tab=open"}, 409, "there is a view called All already"),
        ("/views", {"name": "", "query": "tab=open"}, 400, "name is required"),
        ("/settings/views/1", {"name": ""}, 400, "name is required"),
    ],
)
def test_a_refused_form_comes_back_with_the_reason(
    server: Server, seed: Seed, ada: str, path: str, fields: dict[str, str], status: int, words: str
) -> None:
    post_form(server, "/views", ada, name="All", query="tab=all")

    answer = post_form(server, path, ada, **fields)

    assert (answer.status_code, words in answer.text) == (status, True)
    assert ('name="query" value="tab=open"' in answer.text) == (path == "/views")


@pytest.mark.parametrize("path", ["/views", "/settings/views/1/delete", "/settings/views/sort", "/projects/pin"])
def test_forms_of_another_site_change_nothing(server: Server, seed: Seed, ada: str, path: str) -> None:
    post_form(server, "/views", ada, name="All", query="tab=all")

    answer = server.call(
        "POST", path, cookie=ada, headers=FORM | {"Origin": "https://evil.example"}, body="name=x&pin=shop"
    )

    assert answer.status_code == 403
    assert names(server, ada) == ["All"]


def test_the_rail_shows_the_first_and_the_settings_all(server: Server, seed: Seed, ada: str) -> None:
    for number in range(15):
        call(server, "POST", "", ada, name=f"view {number}", query=urlencode({"q": f"x{number}"}))

    page = server.call("GET", "/", cookie=ada).text

    assert page.count('<a class="rail-link" href="/?q=x') == 12
    assert server.call("GET", "/settings/views", cookie=ada).text.count("view 14") > 0


# Pins and recent projects ---------------------------------------------------------------------------------------------


def switcher(server: Server, cookie: str) -> list[str]:
    text = server.call("GET", "/settings/appearance", cookie=cookie).text
    listed = text.partition('class="project-list"')[2].partition("</ul>")[0]
    return [part.partition('"')[0] for part in listed.split('href="/?project=')[1:]]


def test_pinned_projects_come_first_then_recent_ones_where_there_are_many(server: Server, seed: Seed, ada: str) -> None:
    for number in range(9):
        seed.project(f"p{number}")

    for slug in ("p5", "p7"):
        server.now_ms += 1
        assert server.call("PUT", f"/v1/projects/{slug}/pin", cookie=ada).json == {"project": slug, "pinned": True}
    for slug in ("p8", "p3", "p5"):
        server.now_ms += 1
        server.call("GET", "/", cookie=ada, query_string=f"project={slug}")

    assert switcher(server, ada) == ["p5", "p7", "p3", "p8", "p0", "p1", "p2", "p4", "p6", "shop"]
    post_form(server, "/projects/pin", ada, unpin="p7")
    assert switcher(server, ada)[:4] == ["p5", "p3", "p8", "p7"]
    assert server.call("DELETE", "/v1/projects/p5/pin", cookie=ada).json["pinned"] is False
    assert server.call("PUT", "/v1/projects/nope/pin", cookie=ada).status_code == 404


def test_a_short_list_of_projects_does_not_jump(server: Server, seed: Seed, ada: str) -> None:
    seed.project("blog")

    server.call("GET", "/", cookie=ada, query_string="project=shop")

    assert switcher(server, ada) == ["blog", "shop"]


def test_a_project_is_noted_when_another_was_opened_last(server: Server, seed: Seed, ada: str) -> None:
    for at_ms in (NOW_MS + 5, NOW_MS + 9):
        server.now_ms = at_ms
        server.call("GET", "/", cookie=ada, query_string="project=shop")

    assert seed.rows("SELECT used_at_ms, pinned_at_ms FROM project_uses") == [(NOW_MS + 5, None)]


def test_pins_and_recent_projects_are_bounded(server: Server, seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = [seed.project(f"p{number}") for number in range(6)]
    monkeypatch.setattr(uses, "RECENT_MAX", 2)
    monkeypatch.setattr(uses, "PINS_MAX", 1)

    uses.pin(seed.db, "u1", projects[0], 1)
    for at_ms, project in enumerate(projects[1:], 2):
        uses.note_use(seed.db, "u1", project, at_ms)

    rows = seed.rows("SELECT project_id FROM project_uses ORDER BY project_id")
    assert rows == [(projects[0],), (projects[4],), (projects[5],)]
    with pytest.raises(uses.Conflict, match="at most 1 projects can be pinned"):
        uses.pin(seed.db, "u1", projects[1], 9)


@pytest.mark.parametrize("text", ["/?tab=all", "?tab=all", "tab=all", "tab=all&sort=last_seen&before=1.a.1&project="])
def test_the_same_list_is_saved_alike_however_it_is_written(text: str) -> None:
    assert model.parse_query(text) == ("", "tab=all")
