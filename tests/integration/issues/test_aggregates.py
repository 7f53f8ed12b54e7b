from __future__ import annotations

import apsw
import pytest

from bloop.issues.aggregates import AggregateFilter, AggregateSort, list_aggregates, of_issues
from tests.seed import NOW_MS, Seed


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AggregateFilter(), {("a", "1.0"), ("a", "2.0"), ("b", "1.0"), ("c", "1.0")}),
        (AggregateFilter(status="unresolved"), {("a", "1.0"), ("a", "2.0"), ("b", "1.0")}),
        (AggregateFilter(status="regressed"), {("b", "1.0")}),
        (AggregateFilter(status="muted"), {("c", "1.0")}),
        (AggregateFilter(status="ignored"), set()),
        (AggregateFilter(release="2.0"), {("a", "2.0")}),
        (AggregateFilter(release="1.0", source="ios"), {("b", "1.0")}),
        (AggregateFilter(environment="staging"), {("a", "2.0")}),
        (AggregateFilter(source="ios"), {("b", "1.0")}),
        (AggregateFilter(route="/cart"), {("c", "1.0")}),
        (AggregateFilter(since_ms=NOW_MS), {("a", "1.0"), ("b", "1.0"), ("c", "1.0")}),
        (AggregateFilter(until_ms=NOW_MS - 1), {("a", "2.0")}),
        (AggregateFilter(since_ms=NOW_MS - 5000, until_ms=NOW_MS - 5000), {("a", "2.0")}),
    ],
)
def test_filters_keep_what_they_name(
    seed: Seed, db: apsw.Connection, wanted: AggregateFilter, expected: set[tuple[str, str]]
) -> None:
    project = seed.project("shop")
    first = seed.issue(project, "a")
    seed.aggregate(first, release="2.0", environment="staging", last_seen_ms=NOW_MS - 5000)
    seed.issue(project, "b", status="regressed", source="ios")
    seed.issue(project, "c", status="muted", route="/cart")

    for sort in AggregateSort:
        rows = list_aggregates(db, [project], wanted, sort=sort, limit=50).rows
        assert {(row.fingerprint, row.release) for row in rows} == expected


def test_a_release_is_listed_page_by_page(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("shop")
    for n in range(10):
        issue_id = seed.issue(project, f"f{n}")
        seed.aggregate(issue_id, release="2.0", event_count=1 + n % 3)
    wanted, found, before = AggregateFilter(release="2.0"), [], None

    while True:
        page = list_aggregates(db, [project], wanted, sort=AggregateSort.TOTAL_COUNT, limit=3, before=before)
        found += [row.event_count for row in page.rows]
        before = page.next
        if before is None:
            break

    assert found == [3, 3, 3, 2, 2, 2, 1, 1, 1, 1]


def test_a_change_of_status_shows_on_every_aggregate(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("shop")
    issue_id = seed.issue(project, "a")
    seed.aggregate(issue_id, release="2.0")
    seed.db.execute("UPDATE issues SET status = 'muted' WHERE id = ?", (issue_id,))

    rows = list_aggregates(db, [project], AggregateFilter(status="muted"), limit=50).rows

    assert {(row.release, row.status) for row in rows} == {("1.0", "muted"), ("2.0", "muted")}


def test_aggregates_of_an_issue_come_last_seen_first(seed: Seed, db: apsw.Connection) -> None:
    issue_id = seed.issue(seed.project("shop"), "a")
    seed.aggregate(issue_id, release="3.0", last_seen_ms=NOW_MS + 2)
    seed.aggregate(issue_id, release="2.0", last_seen_ms=NOW_MS + 1)

    assert [row.release for row in of_issues(db, [issue_id])] == ["3.0", "2.0", "1.0"]
