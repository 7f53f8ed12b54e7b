"""/v1/projects and /v1/tokens: the words and codes clients know, who may do what, and keys that are shown once."""

from __future__ import annotations

from typing import Any

import pytest

from bloop.base import credentials
from bloop.projects import store as projects
from bloop.projects.read import project_keys
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed

DAY_S = 86_400


class People:
    """A session of everybody who matters, and a project that `maker` made."""

    def __init__(self, seed: Seed) -> None:
        self.seed = seed
        self.maker_id = seed.user("maker")
        self.maker, self.other = seed.session(self.maker_id), seed.session(seed.user("other"))
        self.admin, self.operator = seed.session(seed.user("admin", is_admin=True)), seed.session()
        self.project = seed.project("shop", created_by=self.maker_id)


@pytest.fixture
def people(seed: Seed) -> People:
    return People(seed)


def answer(server: Server, method: str, path: str, cookie: str, body: Any = None) -> tuple[int, Any]:
    result = server.call(method, path, cookie=cookie, json=body)
    return result.status_code, result.json


def key_of(seed: Seed, slug: str) -> str:
    return next(row.api_key for row in project_keys(seed.db) if row.slug == slug)


# Projects -----------------------------------------------------------------------------------------------------------


def test_anybody_signed_in_makes_a_project_and_sees_its_key_this_once(
    server: Server, seed: Seed, people: People
) -> None:
    status, made = answer(server, "POST", "/v1/projects", people.other, {"name": " Mobile ", "slug": "mobile"})

    assert status == 200
    assert credentials.PROJECT_KEY_PATTERN.fullmatch(made["api_key"])
    assert made["api_key"] == key_of(seed, "mobile")
    summary = {name: value for name, value in made.items() if name != "api_key"}
    assert summary == {
        "id": made["id"],
        "name": "Mobile",
        "slug": "mobile",
        "created_at": NOW_MS // 1000,
        "created_by": seed.value("SELECT id FROM webauthn_users WHERE username = 'other'"),
        "oversize": "reject",
        "search_keys": [],
    }
    assert answer(server, "GET", "/v1/projects/mobile", people.maker) == (200, summary)
    status, listed = answer(server, "GET", "/v1/projects", people.maker)
    assert [row["slug"] for row in listed] == ["shop", "mobile"]
    assert "key" not in str(listed).replace("key-of", "").replace("search_keys", "")


def test_a_project_chooses_what_becomes_of_events_that_are_too_long(server: Server, seed: Seed, people: People) -> None:
    generations: list[int] = []
    server.on_generation = lambda: generations.append(1)

    changed = answer(server, "PUT", "/v1/projects/shop", people.maker, {"oversize": "trim"})
    kept = answer(server, "PUT", "/v1/projects/shop", people.maker, {"name": "Store", "oversize": None})

    assert (changed[0], changed[1]["oversize"]) == (200, "trim")
    assert (kept[1]["name"], kept[1]["oversize"]) == ("Store", "trim")
    assert [(row.slug, row.oversize) for row in project_keys(seed.db)] == [("shop", "trim")]
    assert len(generations) == 1, "the workers learn of it at once"


def test_keys_to_index_are_listed_by_those_who_manage_the_project(server: Server, seed: Seed, people: People) -> None:
    keys = ["plan", " region ", "plan", ""]

    changed = answer(server, "PUT", "/v1/projects/shop", people.maker, {"search_keys": keys})
    kept = answer(server, "PUT", "/v1/projects/shop", people.maker, {"name": "Store", "search_keys": None})
    cleared = answer(server, "PUT", "/v1/projects/shop", people.maker, {"search_keys": []})

    assert [row[1]["search_keys"] for row in (changed, kept, cleared)] == [["plan", "region"], ["plan", "region"], []]
    refused = answer(server, "PUT", "/v1/projects/shop", people.other, {"search_keys": ["plan"]})
    assert refused[0] == 403


@pytest.mark.parametrize("keys", ["plan", [1], {"a": 1}, ["x" * 201], ["a\nb"], [f"k{n}" for n in range(33)]])
def test_lists_of_keys_have_bounds(server: Server, seed: Seed, people: People, keys: Any) -> None:
    status, said = answer(server, "PUT", "/v1/projects/shop", people.maker, {"name": "Store", "search_keys": keys})

    assert (status, said["path"]) == (400, "search_keys")
    assert seed.rows("SELECT name, search_keys FROM projects WHERE slug = 'shop'") == [("Shop", "[]")]


@pytest.mark.parametrize("oversize", ["cut", "", "Trim", 1, True])
def test_an_unknown_choice_changes_nothing(server: Server, seed: Seed, people: People, oversize: Any) -> None:
    body = {"name": "Store", "oversize": oversize}

    status, said = answer(server, "PUT", "/v1/projects/shop", people.maker, body)

    assert status == 400
    assert "oversize" in said["error"]
    assert seed.rows("SELECT name, oversize FROM projects")[0][1] == "reject"
    assert seed.rows("SELECT name FROM projects")[0][0] != "Store"
    assert answer(server, "PUT", "/v1/projects/shop", people.other, body)[0] == 403


def test_rows_created_by_the_operator_have_no_creator(server: Server, people: People) -> None:
    made = answer(server, "POST", "/v1/projects", people.operator, {"name": "x", "slug": "x"})[1]

    assert made["created_by"] is None
    assert answer(server, "POST", "/v1/projects/x/rotate-key", people.other)[0] == 403
    assert answer(server, "POST", "/v1/projects/x/rotate-key", people.operator)[0] == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "name is required"),
        ({"name": "  ", "slug": "x"}, "name is required"),
        ({"name": None, "slug": "x"}, "name is required"),
        ({"name": "x"}, "slug is required"),
        ({"name": "x", "slug": "X y"}, "slug must be lowercase alphanumeric with hyphens"),
        ({"name": "x", "slug": "shop"}, "a project with that slug already exists"),
        ({"name": 5, "slug": "x"}, "name must be a string"),
        (["x"], "the body must be a JSON object"),
    ],
)
def test_a_project_that_will_not_do_is_refused_in_known_words(
    server: Server, people: People, body: Any, error: str
) -> None:
    status, said = answer(server, "POST", "/v1/projects", people.maker, body)

    assert (status, said["error"]) == (400, error)
    assert len(answer(server, "GET", "/v1/projects", people.maker)[1]) == 1


def test_a_body_that_is_not_json_is_400(server: Server, people: People) -> None:
    for path in ("/v1/projects", "/v1/tokens"):
        result = server.call("POST", path, cookie=people.maker, body="{")
        assert result.status_code == 400
        assert "error" in result.json


@pytest.mark.parametrize("who", ["maker", "admin", "operator"])
def test_makers_and_admins_rename_rotate_and_delete(server: Server, seed: Seed, people: People, who: str) -> None:
    cookie = getattr(people, who)
    before = key_of(seed, "shop")

    assert answer(server, "PUT", "/v1/projects/shop", cookie, {"name": "Store"})[1]["name"] == "Store"
    assert answer(server, "PUT", "/v1/projects/shop", cookie, {})[1]["name"] == "Store"
    status, rotated = answer(server, "POST", "/v1/projects/shop/rotate-key", cookie)
    assert (status, rotated["api_key"]) == (200, key_of(seed, "shop"))
    assert rotated["api_key"] != before
    assert answer(server, "DELETE", "/v1/projects/shop", cookie) == (200, {"deleted": True})
    assert answer(server, "GET", "/v1/projects/shop", cookie) == (404, {"error": "project not found"})
    assert answer(server, "GET", "/v1/projects", cookie) == (200, [])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/projects/shop"),
        ("DELETE", "/v1/projects/shop"),
        ("POST", "/v1/projects/shop/rotate-key"),
        ("GET", "/v1/projects/shop/keys"),
        ("DELETE", "/v1/projects/shop/keys/1"),
    ],
)
def test_others_do_none_of_it(server: Server, seed: Seed, people: People, method: str, path: str) -> None:
    before = seed.rows("SELECT * FROM projects")

    status, said = answer(server, method, path, people.other, {"name": "Mine"})

    assert (status, said) == (403, {"error": "only an admin or the project's creator may do this"})
    assert seed.rows("SELECT * FROM projects") == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/projects/none"),
        ("PUT", "/v1/projects/none"),
        ("DELETE", "/v1/projects/none"),
        ("POST", "/v1/projects/none/rotate-key"),
        ("GET", "/v1/tokens?project_id=none"),
    ],
)
def test_an_unknown_project_is_404(server: Server, people: People, method: str, path: str) -> None:
    assert answer(server, method, path, people.admin, {}) == (404, {"error": "project not found"})


def test_the_default_project_cannot_be_deleted(server: Server, seed: Seed, people: People) -> None:
    projects.ensure_default_project(seed.db, "s" * 40, NOW_MS)

    refused = server.call("DELETE", "/v1/projects/default", cookie=people.admin)

    assert (refused.status_code, refused.json["error"]) == (400, "cannot delete the default project")


def test_key_changes_reach_the_ingest_workers_and_deletions_the_purger(server: Server, people: People) -> None:
    told: list[str] = []
    server.on_generation, server.on_purge = lambda: told.append("keys"), lambda: told.append("purge")

    answer(server, "POST", "/v1/projects", people.maker, {"name": "x", "slug": "x"})
    answer(server, "POST", "/v1/projects/x/rotate-key", people.maker)
    answer(server, "PUT", "/v1/projects/x", people.maker, {"name": "y"})
    answer(server, "DELETE", "/v1/projects/x", people.maker)

    assert told == ["keys", "keys", "keys", "purge"]


# Tokens -------------------------------------------------------------------------------------------------------------


def test_a_token_is_made_as_documented_and_works(server: Server, seed: Seed, people: People) -> None:
    body = {"name": "CI", "project_id": "id-of-shop", "scopes": ["errors:read", "sourcemaps:upload"]}

    status, made = answer(server, "POST", "/v1/tokens", people.maker, body | {"expires_in_days": 90})

    assert status == 201
    now_s = NOW_MS // 1000
    assert made == {
        "id": made["id"],
        "name": "CI",
        "token": made["token"],
        "token_prefix": made["token"][:16],
        "project_id": "id-of-shop",
        "scopes": ["errors:read", "sourcemaps:write"],
        "created_at": now_s,
        "expires_at": now_s + 90 * DAY_S,
    }
    assert server.call("GET", "/v1/errors", token=made["token"]).status_code == 200
    status, listed = answer(server, "GET", "/v1/tokens?project_id=shop", people.maker)
    shown = {name: value for name, value in made.items() if name != "token"}
    owner = {"created_by": people.maker_id, "created_by_name": "maker"}
    assert (status, listed) == (200, [shown | owner | {"last_used_at": now_s, "revoked_at": None}])
    assert made["token"] not in str(seed.rows("SELECT * FROM api_tokens"))


def test_a_revoked_token_stops_with_the_next_request_and_stays_listed(server: Server, people: People) -> None:
    body = {"name": "CI", "project_id": "shop", "scopes": ["errors:read"]}
    made = answer(server, "POST", "/v1/tokens", people.maker, body)[1]

    assert answer(server, "DELETE", f"/v1/tokens/{made['id']}", people.maker) == (200, {"revoked": made["id"]})

    assert server.call("GET", "/v1/errors", token=made["token"]).status_code == 401
    assert answer(server, "GET", "/v1/tokens?project_id=shop", people.maker)[1][0]["revoked_at"] == NOW_MS // 1000
    gone = (404, {"error": "token not found or already revoked"})
    assert answer(server, "DELETE", f"/v1/tokens/{made['id']}", people.maker) == gone
    assert answer(server, "DELETE", "/v1/tokens/none", people.admin) == gone


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": ""}, "name must be 1-100 characters"),
        ({"name": "n" * 101}, "name must be 1-100 characters"),
        ({"scopes": []}, "at least one scope is required"),
        ({"scopes": None}, "at least one scope is required"),
        ({"scopes": ["errors:fly"]}, "invalid scope: errors:fly"),
        ({"scopes": "errors:read"}, "scopes must be an array of strings"),
        ({"project_id": "none"}, "project not found"),
        ({"project_id": None}, "project not found"),
        ({"expires_in_days": 0}, "expires_in_days must be between 1 and 3650"),
        ({"expires_in_days": True}, "expires_in_days must be a whole number"),
        ({"expires_in_days": 1.5}, "expires_in_days must be a whole number"),
    ],
)
def test_a_token_that_will_not_do_is_refused_in_known_words(
    server: Server, seed: Seed, people: People, changes: dict[str, Any], error: str
) -> None:
    body = {"name": "CI", "project_id": "shop", "scopes": ["errors:read"]} | changes

    status, said = answer(server, "POST", "/v1/tokens", people.maker, body)

    assert (status, said["error"]) == (400, error)
    assert seed.rows("SELECT * FROM api_tokens") == []


def test_who_may_see_make_and_revoke_tokens(server: Server, seed: Seed, people: People) -> None:
    body = {"name": "CI", "project_id": "shop", "scopes": ["errors:read"]}
    no_access = (403, {"error": "you do not have access to this project"})
    assert answer(server, "POST", "/v1/tokens", people.other, body) == no_access
    assert answer(server, "GET", "/v1/tokens?project_id=shop", people.other) == no_access
    made = answer(server, "POST", "/v1/tokens", people.admin, body)[1]

    refused = answer(server, "DELETE", f"/v1/tokens/{made['id']}", people.other)

    assert refused == (403, {"error": "you do not have permission to revoke this token"})
    assert answer(server, "DELETE", f"/v1/tokens/{made['id']}", people.maker)[0] == 200


def test_the_creator_of_a_token_may_revoke_it_without_owning_the_project(
    server: Server, seed: Seed, people: People
) -> None:
    made = answer(
        server, "POST", "/v1/tokens", people.admin, {"name": "CI", "project_id": "shop", "scopes": ["errors:read"]}
    )[1]
    other_id = seed.value("SELECT id FROM webauthn_users WHERE username = 'other'")
    seed.db.execute("UPDATE api_tokens SET created_by = ?", (other_id,))

    assert answer(server, "DELETE", f"/v1/tokens/{made['id']}", people.other)[0] == 200


def test_the_list_of_tokens_needs_a_project(server: Server, people: People) -> None:
    status, said = answer(server, "GET", "/v1/tokens", people.admin)

    assert (status, said["error"]) == (400, "project_id is required")


def test_deleting_a_project_ends_its_tokens(server: Server, seed: Seed, people: People) -> None:
    token = seed.token(people.project, "errors:read")

    answer(server, "DELETE", "/v1/projects/shop", people.maker)

    assert server.call("GET", "/v1/errors", token=token).status_code == 401


def test_a_key_is_kept_as_long_as_asked_and_ended_by_its_id(server: Server, seed: Seed, people: People) -> None:
    seed.db.execute("UPDATE projects SET api_key = ?, key_used_at_ms = ?", ("bloop_" + "ab" * 32, NOW_MS))
    bumps: list[int] = []
    server.on_generation = lambda: bumps.append(1)
    server.now_ms += 5000

    assert answer(server, "POST", "/v1/projects/shop/rotate-key", people.maker, {"keep_days": 7})[0] == 200

    now_s = NOW_MS // 1000
    current, old = answer(server, "GET", "/v1/projects/shop/keys", people.maker)[1]
    assert current == {
        "id": NOW_MS + 5000,
        "start": key_of(seed, "shop")[:12],
        "state": "current",
        "created_at": now_s + 5,
        "replaced_at": None,
        "ends_at": None,
        "last_used_at": None,
    }
    assert old == {
        "id": NOW_MS,
        "start": "bloop_ababab",
        "state": "old",
        "created_at": now_s,
        "replaced_at": now_s + 5,
        "ends_at": now_s + 5 + 7 * 86_400,
        "last_used_at": now_s,
    }
    end = f"/v1/projects/shop/keys/{old['id']}"
    assert answer(server, "DELETE", end, people.maker) == (200, {"ended": NOW_MS})
    assert answer(server, "DELETE", end, people.maker)[0] == 404
    states = [key["state"] for key in answer(server, "GET", "/v1/projects/shop/keys", people.maker)[1]]
    assert (states, len(bumps)) == (["current", "ended"], 2)


@pytest.mark.parametrize("days", [-1, 31, 1.5, "7", True, [], 2**70])
def test_a_wrong_number_of_days_rotates_nothing(server: Server, seed: Seed, people: People, days: Any) -> None:
    before = key_of(seed, "shop")

    status, said = answer(server, "POST", "/v1/projects/shop/rotate-key", people.maker, {"keep_days": days})

    assert (status, said["path"]) == (400, "keep_days")
    assert key_of(seed, "shop") == before
