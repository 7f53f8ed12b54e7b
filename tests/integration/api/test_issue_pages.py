"""The pages of an issue: every number obeys the scope, filters find, opening marks as seen, forms keep their place."""

from __future__ import annotations

import random
import re
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from falcon import testing

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS, hour_of
from bloop.base.errors import DatabaseBusy
from bloop.db.pool import DatabasePool
from bloop.issues.seen.read import unseen
from bloop.site.scope import PageScope
from tests.integration.api.conftest import RP_ORIGIN, Server
from tests.seed import NOW_MS, Seed, fingerprint_id

HTML = {"Accept": "text/html"}
FORM = HTML | {"Content-Type": "application/x-www-form-urlencoded", "Origin": RP_ORIGIN}


class Made(NamedTuple):
    id: int
    at_ms: int
    environment: str
    release: str
    user: str | None


def page(server: Server, path: str, cookie: str, **headers: str) -> testing.Result:
    return server.call("GET", path, cookie=cookie, headers=HTML | headers)


def text_of(server: Server, path: str, cookie: str, **headers: str) -> str:
    result = page(server, path, cookie, **headers)
    assert result.status_code == 200, result.text
    return unescape(result.text)


def number(text: str, label: str) -> int:
    """The number under this label in the head of the page."""
    found = re.search(rf"<dt>{label}</dt><dd>([0-9,]+)", text)
    assert found
    return int(found[1].replace(",", ""))


def tab_count(text: str, label: str) -> int:
    found = re.search(rf'>{label} <span class="count">([0-9,]+)', text)
    assert found
    return int(found[1].replace(",", ""))


def store(seed: Seed, issue_id: int, event: Made) -> None:
    """In the counters that the writer keeps, too."""
    owner, project = fingerprint_id(issue_id), seed.value("SELECT project_id FROM issues WHERE id = ?", issue_id)
    hour_ms, minute_ms = hour_of(event.at_ms), event.at_ms - event.at_ms % MINUTE_MS
    names = (event.release, event.environment, "api")
    add = " ON CONFLICT DO UPDATE SET event_count = event_count + 1"
    seed.db.execute(f"INSERT INTO hourly_counts VALUES (?, ?, ?, ?, ?, 1){add}", (owner, hour_ms, *names))
    minute = (project, minute_ms, owner, event.environment, "api")
    seed.db.execute(f"INSERT INTO minute_counts VALUES (?, ?, ?, ?, ?, 1){add}", minute)


def make_events(seed: Seed, issue_id: int, count: int, random_: random.Random) -> list[Made]:
    made = []
    for _ in range(count):
        at_ms = NOW_MS - random_.randrange(3 * DAY_MS)
        environment, release = random_.choice(["production", "staging"]), random_.choice(["1.0", "2.0"])
        user = random_.choice([None, "u1", "u2", "u3"])
        event_id = seed.event(
            issue_id,
            received_at_ms=at_ms,
            timestamp_ms=at_ms - random_.choice([0, 5 * HOUR_MS]),
            environment=environment,
            release=release,
            user_id_hash=user,
        )
        made.append(Made(event_id, at_ms, environment, release, user))
        store(seed, issue_id, made[-1])
    return made


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop")


@pytest.fixture
def cookie(seed: Seed) -> str:
    return seed.session(seed.user("ada"))


@pytest.mark.parametrize("run", range(3))
def test_every_number_of_the_page_is_that_of_its_scope(
    server: Server, seed: Seed, shop: int, cookie: str, run: int
) -> None:
    issue = seed.issue(shop, "f00d", first_seen_ms=NOW_MS - 3 * DAY_MS)
    made = make_events(seed, issue, 150, random.Random(run))
    scopes = [
        PageScope(environment=environment, release=release, range=time_range)
        for environment in ("", "production")
        for release in ("", "2.0")
        for time_range in ("1h", "24h", "7d", "30d", "2027-01-13T00:00..2027-01-14T00:00")
    ]

    for scope in scopes:
        window = scope.window(NOW_MS)
        wanted = [
            event
            for event in made
            if window.from_ms <= event.at_ms < window.to_ms
            and scope.environment in ("", event.environment)
            and scope.release in ("", event.release)
        ]
        text = text_of(server, scope.href("/issues/SHOP-1"), cookie)

        assert number(text, "Events") == len(wanted), scope
        assert number(text, "Users") == len({event.user for event in wanted if event.user}), scope
        assert tab_count(text, "All events") == len(wanted), scope
        assert f": {len(wanted)} in all, peak" in text, scope
        if wanted:
            assert f"Event {len(wanted)} of {len(wanted)}<" in text, scope
            assert f"of {len(wanted)} event{'s' * (len(wanted) != 1)}<" in text, scope
        else:
            assert "No event in this scope" in text, scope


def test_the_events_of_a_scope_are_walked_and_listed_without_the_others(
    server: Server, seed: Seed, shop: int, cookie: str
) -> None:
    issue = seed.issue(shop, "f00d")
    ids = [
        seed.event(issue, timestamp_ms=NOW_MS - n, environment=("production", "staging")[n % 2], message=f"m{n}")
        for n in range(4)
    ]

    first = text_of(server, "/issues/SHOP-1?env=production", cookie)
    second = text_of(server, f"/issues/SHOP-1/events/{ids[2]}?env=production", cookie)
    table = text_of(server, "/issues/SHOP-1/events?env=production", cookie)

    assert "Event 2 of 2<" in first
    assert f'href="/issues/SHOP-1/events/{ids[2]}?env=production" rel="prev"' in first
    assert "Event 1 of 2<" in second
    assert re.findall(r'scope="row" class="full"><a href="/issues/SHOP-1/events/(\d+)\?', table) == [
        str(ids[0]),
        str(ids[2]),
    ]
    assert "1–2 of 2 events" in table


def test_an_event_outside_of_the_scope_is_shown_with_a_way_to_widen_it(
    server: Server, seed: Seed, shop: int, cookie: str
) -> None:
    issue = seed.issue(shop, "f00d")
    old = seed.event(issue, timestamp_ms=NOW_MS - 5 * DAY_MS, received_at_ms=NOW_MS - 5 * DAY_MS)

    newest = text_of(server, "/issues/SHOP-1", cookie)
    assert "No event in this scope. This is the latest event of all." in newest
    assert f'href="/issues/SHOP-1/events/{old}?t=30d"' in newest

    seed.event(issue)
    text = text_of(server, f"/issues/SHOP-1/events/{old}", cookie)

    assert "This event is not in the scope above." in text
    assert "Event 2 of 2<" not in text_of(server, f"/issues/SHOP-1/events/{old}?t=30d", cookie)
    assert "Event 1 of 2<" in text_of(server, f"/issues/SHOP-1/events/{old}?t=30d", cookie)


def test_the_table_is_filtered_by_the_search_language_within_the_scope(
    server: Server, seed: Seed, shop: int, cookie: str
) -> None:
    issue, other = seed.issue(shop, "f00d"), seed.issue(shop, "beef")
    mine = seed.event(issue, user_id_hash="user-1", metadata='{"plan":"pro plus"}', http_status=503)
    seed.event(issue, user_id_hash="user-1", environment="staging")
    seed.event(issue, user_id_hash="user-2")
    seed.event(other, user_id_hash="user-1")

    def ids(query: str) -> list[int]:
        text = text_of(server, f"/issues/SHOP-1/events?{query}", cookie)
        return [int(found) for found in re.findall(r'class="full"><a href="/issues/SHOP-1/events/(\d+)', text)]

    assert len(ids("q=user:user-1")) == 2
    assert ids("q=user:user-1&env=production") == [mine]
    assert ids("q=tag.plan:%22pro%20plus%22") == ids("q=http:%3E%3D500") == [mine]
    assert ids("q=user:user-9") == []
    assert "No matches" in text_of(server, "/issues/SHOP-1/events?q=user:user-9", cookie)


def test_facts_of_an_event_lead_to_the_events_that_share_them(
    server: Server, seed: Seed, shop: int, cookie: str
) -> None:
    issue = seed.issue(shop, "f00d")
    seed.event(issue, route="/cart, all", user_id_hash='a "b" c', metadata='{"a key":"x:y"}')
    seed.event(issue, timestamp_ms=NOW_MS - 1)
    text = text_of(server, "/issues/SHOP-1", cookie)

    for label in ("Route", "User", "a key"):
        found = re.search(rf'<dt class="clip">(?:<bdi>)?{label}(?:</bdi>)?</dt><dd[^>]*><a href="([^"]+)"', text)
        assert found, label
        assert "1 event<" in text_of(server, found[1], cookie), found[1]


def test_a_filter_that_cannot_be_read_is_explained_beside_the_field(
    server: Server, seed: Seed, shop: int, cookie: str
) -> None:
    seed.event(seed.issue(shop, "f00d"))

    result = page(server, "/issues/SHOP-1/events?q=usr:x", cookie)

    assert result.status_code == 400
    assert "Did you mean user:?" in unescape(result.text)
    assert 'aria-invalid="true"' in result.text


@pytest.mark.parametrize("query", ["t=never", "before=x", "q=user:x&before=1.5", "page=many"])
def test_an_address_that_cannot_be_read_is_400(server: Server, seed: Seed, shop: int, cookie: str, query: str) -> None:
    seed.event(seed.issue(shop, "f00d"))
    name = "activity" if "page" in query else "events"

    assert page(server, f"/issues/SHOP-1/{name}?{query}", cookie).status_code == 400


def test_pages_of_the_table_lead_down_and_up_again(server: Server, seed: Seed, shop: int, cookie: str) -> None:
    issue = seed.issue(shop, "f00d")
    for n in range(120):
        seed.event(issue, timestamp_ms=NOW_MS - n)

    def link(text: str, rel: str) -> str:
        found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
        assert found
        return found[1]

    first = text_of(server, "/issues/SHOP-1/events", cookie)
    second = text_of(server, link(first, "next"), cookie)
    third = text_of(server, link(second, "next"), cookie)

    assert ["1–50 of 120" in first, "51–100 of 120" in second, "101–120 of 120" in third] == [True] * 3
    assert "51–100 of 120" in text_of(server, link(third, "prev"), cookie)
    assert "1–50 of 120" in text_of(server, link(second, "prev"), cookie)
    assert "50 events on this page" in text_of(server, "/issues/SHOP-1/events?q=level:error", cookie)
    further = text_of(server, link(text_of(server, "/issues/SHOP-1/events?q=level:error", cookie), "next"), cookie)
    assert len(re.findall(r'class="full"><a', further)) == 50


def test_opening_an_issue_marks_it_as_seen_for_its_person(server: Server, seed: Seed, shop: int) -> None:
    issue = seed.issue(shop, "f00d")
    ada, ben = seed.user("ada"), seed.user("ben")
    cookie = seed.session(ada)

    text_of(server, "/issues/SHOP-1", cookie)

    assert unseen(seed.db, ada, [issue]) == set()
    assert unseen(seed.db, ben, [issue]) == {issue}
    text_of(server, "/issues/SHOP-1", seed.session())  # the operator has no marks
    assert len(seed.rows("SELECT * FROM issue_views")) == 1


def test_a_page_does_not_wait_for_its_mark_and_the_next_page_makes_up_for_it(
    server: Server, seed: Seed, shop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    issues = [seed.issue(shop, name) for name in "ab"]
    ada = seed.user("ada")
    cookie = seed.session(ada)
    change = DatabasePool.change

    def busy(self: DatabasePool, do: Any, *, wait: bool = True) -> Any:
        assert wait is False
        raise DatabaseBusy("busy")

    monkeypatch.setattr(DatabasePool, "change", busy)
    text_of(server, "/issues/SHOP-1", cookie)
    assert unseen(seed.db, ada, issues) == set(issues)
    monkeypatch.setattr(DatabasePool, "change", change)
    text_of(server, "/issues/SHOP-2", cookie)

    assert unseen(seed.db, ada, issues) == set()


def test_the_list_one_comes_from_is_kept_without_script(server: Server, seed: Seed, shop: int, cookie: str) -> None:
    seed.event(seed.issue(shop, "f00d"))
    origin = f"{RP_ORIGIN}/?q=x&env=production&t=7d"

    text = text_of(server, "/issues/SHOP-1", cookie, Referer=origin, Host="errors.example.com")

    back = re.search(r'<a href="([^"]+)" data-key="u"', text)
    assert back
    assert back[1] == "/?q=x&env=production&t=7d"
    assert 'name="list" value="q=x&env=production&t=7d"' in text
    assert "production" in text.partition('aria-label="Scope"')[2].partition("</details>")[0]
    foreign = text_of(server, "/issues/SHOP-1", cookie, Referer="https://evil.example/?q=x")
    assert 'name="list"' not in foreign


def test_an_action_comes_back_to_the_same_scope_and_list(server: Server, seed: Seed, shop: int, cookie: str) -> None:
    seed.event(seed.issue(shop, "f00d"))
    text = text_of(server, "/issues/SHOP-1?project=shop&env=production&t=7d&list=q%3Dx", cookie)
    action = re.search(r'<form id="change" hidden method="post" action="([^"]+)"', text)
    assert action

    answer = server.call("POST", action[1], cookie=cookie, headers=FORM, body="status=resolved&list=q%3Dx")

    assert answer.status_code == 303
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query == {"project": ["shop"], "env": ["production"], "t": ["7d"], "list": ["q=x"]}
    assert seed.value("SELECT status FROM issues") == "resolved"


def test_another_project_in_the_scope_bar_leads_to_its_list(server: Server, seed: Seed, shop: int, cookie: str) -> None:
    seed.project("blog")
    seed.event(seed.issue(shop, "f00d"))

    answer = page(server, "/issues/SHOP-1?project=blog&t=7d", cookie)

    assert (answer.status_code, answer.headers["location"]) == (303, "/?project=blog&t=7d")


def test_comments_stand_in_the_activity_with_a_form_for_their_author(
    server: Server, seed: Seed, shop: int, cookie: str
) -> None:
    seed.event(seed.issue(shop, "f00d"))
    body = "text=It+is+**the**+cache.%0A%0A%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    made = server.call("POST", "/issues/SHOP-1/comments", cookie=cookie, headers=FORM, body=body)

    own = page(server, made.headers["location"].partition("#")[0], cookie).text
    others = page(server, "/issues/SHOP-1", seed.session(seed.user("ben"))).text

    assert '<li id="comment-1">' in own
    assert "It is <strong>the</strong> cache." in own
    assert "<script>alert" not in own
    assert 'action="/issues/SHOP-1/comments/1"' in own
    assert 'action="/issues/SHOP-1/comments/1"' not in others
    assert 'action="/issues/SHOP-1/comments"' in others


def test_the_activity_has_a_page_of_its_own(server: Server, seed: Seed, shop: int, cookie: str) -> None:
    issue = seed.issue(shop, "f00d")
    for n in range(70):
        seed.db.execute(
            "INSERT INTO issue_comments (issue_id, author, via, text, created_at_ms) VALUES (?, 'x', 'api', ?, ?)",
            (issue, f"comment number {n}.", NOW_MS + n),
        )

    below = text_of(server, "/issues/SHOP-1", cookie)
    newest = text_of(server, "/issues/SHOP-1/activity", cookie)
    older = text_of(server, "/issues/SHOP-1/activity?page=1", cookie)

    assert "51 earlier" in below
    assert tab_count(below, "Activity") == 71
    assert "number 69." in below
    assert "number 49." not in below
    assert "22–71 of 71" in newest
    assert ("number 20." in newest, "number 19." in newest) == (True, False)
    assert "1–21 of 71" in older
    assert "First seen in" in older
    assert ("number 20." in older, "number 19." in older) == (False, True)


def test_a_page_is_small_whatever_its_event_holds(server: Server, seed: Seed, shop: int, cookie: str) -> None:
    issue = seed.issue(shop, "f00d")
    stack = "TypeError: x\n" + "\n".join(f"    at f{n} (/srv/app/module_{n}.js:{n}:7)" for n in range(80))
    for n in range(60):
        metadata = ",".join(f'"key{k}":"value {k} {n % 7}"' for k in range(12))
        seed.event(issue, timestamp_ms=NOW_MS - n, stack=stack, metadata=f"{{{metadata}}}", message=f"message {n} " * 9)
    query = "project=shop&list=" + "q%3D" + "x" * 60

    for path in ("", "/events", "/tags", "/activity"):
        result = page(server, f"/issues/SHOP-1{path}?{query}", cookie)
        assert len(result.content) < 60_000, (path, len(result.content))
