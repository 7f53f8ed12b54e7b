"""What searches find, and SEARCH-1 to SEARCH-3 of bloop/issues/search/conditions.py."""

from __future__ import annotations

from typing import Any

import apsw
import pytest

from bloop.base.clock import DAY_MS
from bloop.db.engine import ids_json
from bloop.db.walk import PageKey
from bloop.db.word_search import FORGET
from bloop.issues import read as issues
from bloop.issues.counts.scope import CountScope
from bloop.issues.listing.neighbours import page_before
from bloop.issues.read import IssueFilter, Sort, Tab
from bloop.issues.search import conditions as search
from bloop.issues.search.terms import parse
from bloop.site.scope import PageScope
from tests.seed import NOW_MS, Seed, many_issues


def shown(db: apsw.Connection, projects: list[int], text: str, **filters: Any) -> set[str]:
    wanted = IssueFilter(query=parse(text), now_ms=NOW_MS, **filters)
    return {row.fingerprint for row in issues.list_issues(db, projects, wanted, limit=50).rows}


def staging_of(release: str) -> CountScope:
    return CountScope.of(PageScope(environment="staging", release=release), NOW_MS)


@pytest.fixture
def shop(seed: Seed) -> int:
    project = seed.project("shop")
    seed.issue(
        project,
        "price",
        message="Cannot read properties of undefined (reading 'price')",
        route="/cart/:id",
        culprit="at CartStore.total (cart.js)",
    )
    again = seed.issue(project, "again", status="regressed", source="ios", level="fatal", message="100% Äpfel_")
    seed.aggregate(again, release="2.0", environment="staging")
    done = seed.issue(project, "done", status="resolved", error_type="PaymentError", message="card 4711 declined")
    seed.db.execute("UPDATE issues SET is_firing = 1 WHERE id = ?", (done,))
    seed.db.execute("UPDATE issues SET assignee = ? WHERE id IN (?, ?)", (seed.user("ada"), again, done))
    seed.issue(project, "hushed", status="muted", error_type="Payment", first_seen_ms=NOW_MS - 3 * DAY_MS,
               last_seen_ms=NOW_MS - 2 * DAY_MS, message="x" * 1000 + " far away")  # fmt: skip
    seed.issue(seed.project("api"), "other", message="card 4711 declined")
    return project


CASES = [
    ("undefined (reading 'price')", {"price"}),
    ("\"undefined (reading 'price')\"", {"price"}),
    ("ading 'pri", {"price"}),
    ("TYPEERROR cannot", {"price"}),
    ("CartStore.total", {"price"}),
    ("/cart/:id", {"price"}),
    ("4711", {"done", "other"}),
    ("47", {"done", "other"}),
    ("äpfel", {"again"}),
    ("-zz", {"price", "again", "done", "hushed", "other"}),
    ("rt", {"price"}),
    ("%", {"again"}),
    ("fel_", {"again"}),
    ("declined -card", set()),
    ("-card", {"price", "again", "hushed"}),
    ("is:open", {"price", "again", "other"}),
    ("is:regressed,muted", {"again", "hushed"}),
    ("is:firing", {"done"}),
    ("is:firing,muted", {"done", "hushed"}),
    ("-is:firing is:resolved", set()),
    ("is:firing -project:api", {"done"}),
    ("assigned:ADA", {"again", "done"}),
    ("assigned:ada is:open", {"again"}),
    ("assigned:a*", {"again", "done"}),
    ("assigned:grace", set()),
    ("assigned:Nobody", {"price", "hushed", "other"}),
    ("assigned:grace,nobody", {"price", "hushed", "other"}),
    ("-assigned:nobody", {"again", "done"}),
    ("-assigned:ada payment", {"hushed"}),
    ("-is:open", {"done", "hushed"}),
    ("message:declined", {"done", "other"}),
    ("message:4711", {"done", "other"}),
    ('message:"card *"', {"done", "other"}),
    ("message:card", {"done", "other"}),
    ("message:nowhere,declined", {"done", "other"}),
    ("message:TypeError", set()),
    ("-message:declined", {"price", "again", "hushed"}),
    ("first-release:1.0", {"price", "again", "done", "hushed", "other"}),
    ("first-release:2.0,3.0", set()),
    ("first-release:1.*", {"price", "again", "done", "hushed", "other"}),
    ("events:1", {"price", "again", "done", "hushed", "other"}),
    ("events:>1", set()),
    ("-events:>1 is:firing", {"done"}),
    ("users:0..5 events:<=1 is:firing", {"done"}),
    ("users:>0", set()),
    ("source:iOS", {"again"}),
    ("level:fatal,error", {"price", "again", "done", "hushed", "other"}),
    ("-level:error", {"again"}),
    ("type:payment", {"hushed"}),
    ("type:payment*", {"done", "hushed"}),
    ("type:payment*,typeerror", {"price", "again", "done", "hushed", "other"}),
    ("route:/cart/*", {"price"}),
    ("route:/cart", set()),
    ("-route:/cart/*", {"again", "done", "hushed", "other"}),
    ("project:api", {"other"}),
    ("-project:api card", {"done"}),
    ("env:staging", {"again"}),
    ("env:staging release:2.0", {"again"}),
    ("env:staging release:1.0", set()),
    ("env:staging env:production", {"again"}),
    ("release:2*", {"again"}),
    ("release:*.0 env:stag*", {"again"}),
    ("route:*:id", {"price"}),
    ("-release:2.0 -project:api", {"price", "done", "hushed"}),
    ("last:24h -project:api", {"price", "again", "done"}),
    ("-last:24h", {"hushed"}),
    ("first:2d payment", {"done"}),
    ("first:2025-01-01 project:api", {"other"}),
    ("nothing-has-this", set()),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_search_finds(seed: Seed, db: apsw.Connection, shop: int, text: str, expected: set[str]) -> None:
    projects = [row[0] for row in seed.rows("SELECT id FROM projects")]

    assert shown(db, projects, text) == expected


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_it_finds_the_same_where_nothing_is_rare(
    seed: Seed, db: apsw.Connection, shop: int, text: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES_MAX", -1)
    projects = [row[0] for row in seed.rows("SELECT id FROM projects")]

    if text != "äpfel":  # SEARCH-2
        assert shown(db, projects, text) == expected


def test_a_search_never_reaches_into_projects_that_are_not_visible(seed: Seed, db: apsw.Connection, shop: int) -> None:
    assert shown(db, [shop], "4711") == {"done"}
    assert shown(db, [shop], "project:api") == set()
    assert shown(db, [], "4711") == set()


def test_a_search_and_the_plain_filters_hold_together(seed: Seed, db: apsw.Connection, shop: int) -> None:
    assert shown(db, [shop], "type:typeerror", tab=Tab.REGRESSED) == {"again"}
    assert shown(db, [shop], "type:typeerror", scope=staging_of("2.0")) == {"again"}
    assert shown(db, [shop], "type:typeerror", scope=staging_of("1.0")) == set()


def test_a_deleted_issue_is_not_found_and_its_id_not_by_its_words(seed: Seed, db: apsw.Connection, shop: int) -> None:
    before = seed.issue(shop, "last one", message="a word of the past")
    seed.db.execute("DELETE FROM issues WHERE id = ?", (before,))
    assert shown(db, [shop], "past") == set()

    after = seed.issue(shop, "new", message="now")

    assert after == before
    assert shown(db, [shop], "past") == set()
    assert shown(db, [shop], '"now"') == {"new"}


def test_forgotten_issues_leave_nothing_in_the_index(seed: Seed, shop: int) -> None:
    ids = [row[0] for row in seed.rows("SELECT id FROM issues WHERE project_id = ?", shop)]
    seed.db.execute(FORGET, {"ids": ids_json(ids)})

    assert seed.rows("SELECT rowid FROM issue_search WHERE issue_search MATCH 'price'") == []
    assert len(seed.rows("SELECT rowid FROM issue_search WHERE issue_search MATCH '4711'")) == 1


@pytest.mark.parametrize("sort", issues.INDEXED_SORTS)
@pytest.mark.parametrize("candidates_max", [5000, -1])
def test_pages_of_a_search_repeat_and_skip_nothing_down_and_up(
    seed: Seed, db: apsw.Connection, sort: Sort, candidates_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES_MAX", candidates_max)
    one, two = seed.project("one"), seed.project("two")
    many_issues(seed, one, 60)
    many_issues(seed, two, 40)
    wanted = IssueFilter(query=parse("message is:open"), now_ms=NOW_MS)
    places: list[PageKey | None] = [None]
    seen: list[int] = []

    while True:
        page = issues.list_issues(db, [one, two], wanted, sort=sort, limit=7, before=places[-1])
        seen += [row.id for row in page.rows]
        if page.next is None:
            break
        places.append(page.next)

    assert len(seen) == len(set(seen)) == 90
    rows = {row.id: row for row in issues.by_ids(db, seen)}
    column = {Sort.LAST_SEEN: "last_seen_ms", Sort.FIRST_SEEN: "first_seen_ms", Sort.EVENTS: "event_count"}[sort]
    keys = [PageKey(getattr(rows[i], column), rows[i].status, i) for i in seen]
    assert keys == sorted(keys, reverse=True)
    for number, place in enumerate(places[1:], 1):
        first = keys[seen.index(place.id if place else 0) + 1]
        assert page_before(db, [one, two], wanted, sort=sort, first=first, limit=7) == places[number - 1]


def test_only_what_is_rare_makes_a_list_of_candidates(
    seed: Seed, db: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES_MAX", 3)
    project = seed.project("shop")
    many_issues(seed, project, 40)

    def found(text: str) -> int | None:
        few = search.candidates(db, [project], search.hints(parse(text)))
        return None if few is None else len(few.ids)

    assert found("message") is None
    assert found('"message 17"') == 1
    assert found("message release:1.3") == 2
    assert found("release:1.*") is None
    assert found("env:production") is None
    assert found("env:nowhere") == 0
    assert found("type:Nothing") == 0
    assert found("-nothing") is None
    assert found("no") is None


@pytest.mark.parametrize("wanted", [IssueFilter(tab=Tab.FIRING), IssueFilter(query=parse("is:firing"))])
def test_what_is_firing_is_found_by_an_index_among_many(seed: Seed, db: apsw.Connection, wanted: IssueFilter) -> None:
    project = seed.project("shop")
    many_issues(seed, project, 400)
    seed.db.execute("UPDATE issues SET is_firing = 1 WHERE status = 'resolved' AND short_number IN (201, 401, 1)")
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    db.set_progress_handler(count, 100)
    found = issues.list_issues(db, [project], wanted, limit=50)
    db.set_progress_handler(None)

    assert {row.short_id for row in found.rows} == {"SHOP-1", "SHOP-201"}
    assert issues.firing_count(db, [project]) == 2
    assert steps < 20  # hundreds of instructions; looking at each of the 400 takes thousands
    (plan,) = seed.rows(
        "EXPLAIN QUERY PLAN " + search._BY_FIRING.replace(":project_ids", "'[1]'").replace(":limit", "9")
    )[-1:]
    assert plan[3] == "SEARCH i USING COVERING INDEX issues_firing (project_id=?)"


def test_the_words_of_a_search_are_never_syntax(seed: Seed, db: apsw.Connection, shop: int) -> None:
    for text in ('a"b"c', "NEAR(a", "AND", "Text:*", "^abc", "(((", "'; DROP TABLE issues", "{x}:", "\\\\\\"):
        assert shown(db, [shop], text) == set()
