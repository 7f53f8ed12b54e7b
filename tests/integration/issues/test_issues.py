from __future__ import annotations

from dataclasses import replace

import apsw
import pytest

from bloop.issues import read as issues
from bloop.issues.counts.scope import CountScope
from bloop.issues.read import INDEXED_SORTS, IssueFilter, Tab
from bloop.site.scope import PageScope
from tests.seed import NOW_MS, Seed


def shown(db: apsw.Connection, projects: list[int], wanted: IssueFilter) -> set[str]:
    return {row.fingerprint for row in issues.list_issues(db, projects, wanted, limit=50).rows}


def scope_of(**names: str) -> CountScope:
    return CountScope.of(PageScope(**names), NOW_MS)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (IssueFilter(), {"open", "again", "done", "hushed", "off"}),
        (IssueFilter(tab=Tab.OPEN), {"open", "again"}),
        (IssueFilter(tab=Tab.UNRESOLVED), {"open"}),
        (IssueFilter(tab=Tab.REGRESSED), {"again"}),
        (IssueFilter(tab=Tab.RESOLVED), {"done"}),
        (IssueFilter(tab=Tab.MUTED), {"hushed"}),
        (IssueFilter(tab=Tab.IGNORED), {"off"}),
        (IssueFilter(source="ios"), {"again"}),
        (IssueFilter(route="/cart"), {"open"}),
        (IssueFilter(scope=scope_of(release="2.0")), {"open"}),
        (IssueFilter(scope=scope_of(environment="staging")), {"open", "done"}),
        (IssueFilter(scope=scope_of(release="2.0", environment="staging")), {"open"}),
        (IssueFilter(scope=scope_of(release="1.0", environment="staging")), {"done"}),
        (IssueFilter(tab=Tab.MINE, me="id-of-ada"), {"again"}),
        (IssueFilter(tab=Tab.MINE), set()),
        (IssueFilter(tab=Tab.NEW, new_in="2.0"), {"off"}),
        (IssueFilter(tab=Tab.NEW), set()),
        (IssueFilter(text="CART is EMPTY"), {"again"}),
        (IssueFilter(text="TypeError: message of d"), {"done"}),
        (IssueFilter(text="%"), {"off"}),
        (IssueFilter(text="_"), set()),
        (IssueFilter(text=""), {"open", "again", "done", "hushed", "off"}),
        (IssueFilter(since_ms=NOW_MS), {"open", "again", "done", "off"}),
        (IssueFilter(until_ms=NOW_MS - 1), {"hushed"}),
        (IssueFilter(since_ms=NOW_MS - 5000, until_ms=NOW_MS - 5000), {"hushed"}),
    ],
)
def test_filters_keep_what_they_name(seed: Seed, db: apsw.Connection, wanted: IssueFilter, expected: set[str]) -> None:
    project = seed.project("shop")
    first = seed.issue(project, "open", route="/cart")
    seed.aggregate(first, release="2.0", environment="staging")
    seed.db.execute("INSERT INTO webauthn_users VALUES ('id-of-ada', 'ada', 'Ada', 0, 0)")
    seed.issue(project, "again", status="regressed", source="ios", message="the Cart is Empty", assignee="id-of-ada")
    done = seed.issue(project, "done", status="resolved")
    seed.aggregate(done, release="1.0", environment="staging")
    seed.issue(project, "hushed", status="muted", last_seen_ms=NOW_MS - 5000)
    seed.issue(project, "off", status="ignored", message="100% sure", first_release="2.0")

    assert shown(db, [project], wanted) == expected
    for sort in INDEXED_SORTS:
        page = issues.list_issues(db, [project], replace(wanted), sort=sort, limit=50)
        assert {row.fingerprint for row in page.rows} == expected


def test_a_row_carries_its_project_and_short_id(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("mobile-app")
    seed.issue(project, "first")
    seed.issue(project, "second", last_seen_ms=NOW_MS + 1)

    row = issues.list_issues(db, [project], IssueFilter(), limit=1).rows[0]

    assert (row.short_id, row.project_slug, row.project_public_id) == ("MOBILE-APP-2", "mobile-app", "id-of-mobile-app")


def test_an_issue_is_found_by_fingerprint_or_short_id_in_any_case(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("mobile-app")
    issue_id = seed.issue(project, "c6be5b205cdb4fae")

    for reference in ("c6be5b205cdb4fae", "MOBILE-APP-1", "mobile-app-1"):
        found = issues.get_issue(db, [project], reference)
        assert found is not None
        assert found.id == issue_id
    for reference in ("MOBILE-APP-2", "APP-1", "C6BE5B205CDB4FAE", "", "-1", "MOBILE-APP-99999999999999999999"):
        assert issues.get_issue(db, [project], reference) is None


def test_a_fingerprint_that_looks_like_a_short_id_wins_over_it(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("shop")
    seed.issue(project, "first")
    named = seed.issue(project, "SHOP-1")

    assert [issue.id for issue in issues.find_issues(db, [project], "SHOP-1")] == [named]


def test_references_never_reach_into_projects_that_are_not_visible(seed: Seed, db: apsw.Connection) -> None:
    mine, theirs = seed.project("mine"), seed.project("theirs")
    seed.issue(theirs, "shared")

    assert issues.find_issues(db, [mine], "shared") == []
    assert issues.find_issues(db, [mine], "THEIRS-1") == []
    assert issues.find_issues(db, [], "shared") == []


def test_one_fingerprint_in_several_projects_is_several_issues(seed: Seed, db: apsw.Connection) -> None:
    projects = [seed.project("one"), seed.project("two")]
    older = seed.issue(projects[0], "shared")
    newer = seed.issue(projects[1], "shared", last_seen_ms=NOW_MS + 1)

    assert [issue.id for issue in issues.find_issues(db, projects, "shared")] == [newer, older]


def test_status_counts_follow_inserts_changes_and_deletes(seed: Seed, db: apsw.Connection) -> None:
    projects = [seed.project("one"), seed.project("two")]
    first = seed.issue(projects[0], "a")
    seed.issue(projects[0], "b")
    gone = seed.issue(projects[1], "c", status="muted")
    seed.db.execute("UPDATE issues SET status = 'resolved' WHERE id = ?", (first,))
    seed.db.execute("DELETE FROM issues WHERE id = ?", (gone,))

    counts = {status: n for status, n in issues.status_counts(db, projects).items() if n}

    assert counts == {"unresolved": 1, "resolved": 1}
