"""db/walk.py WALK-1 to WALK-4, shown with the two lists that walk: issues and aggregates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apsw
import pytest

from bloop.db import connection
from bloop.db.walk import PageKey, statement
from bloop.issues import aggregates
from bloop.issues import read as issues
from bloop.issues.events import read as events
from bloop.issues.listing.tabs import CONDITIONS
from tests.seed import NOW_MS, Seed, many_issues

PAGE = 50

Page = Callable[..., Any]


def issue_pages(db: apsw.Connection, projects: Sequence[int], sort: str, **where: Any) -> Any:
    return issues.list_issues(db, projects, issues.IssueFilter(), sort=issues.Sort(sort), limit=PAGE, **where)


def aggregate_pages(db: apsw.Connection, projects: Sequence[int], sort: str, **where: Any) -> Any:
    wanted = aggregates.AggregateFilter()
    return aggregates.list_aggregates(db, projects, wanted, sort=aggregates.AggregateSort(sort), limit=PAGE, **where)


LISTS = [
    *((issue_pages, sort.value) for sort in issues.INDEXED_SORTS),
    *((aggregate_pages, sort.value) for sort in aggregates.AggregateSort),
]


def walk_all(page: Page, db: apsw.Connection, projects: Sequence[int], sort: str) -> list[Any]:
    found, before = [], None
    while True:
        one = page(db, projects, sort, before=before)
        found += one.rows
        before = one.next
        if before is None:
            return found


@contextmanager
def counting_steps(db: apsw.Connection) -> Iterator[list[int]]:
    """Collect the virtual machine steps of every statement run inside."""
    steps: list[int] = []
    db.trace_v2(
        apsw.SQLITE_TRACE_PROFILE, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
    )
    try:
        yield steps
    finally:
        db.trace_v2(0, None)


@pytest.mark.parametrize(("page", "sort"), LISTS)
def test_pages_show_every_row_once_in_order(seed: Seed, db: apsw.Connection, page: Page, sort: str) -> None:
    projects = [seed.project("one"), seed.project("two"), seed.project("empty")]
    many_issues(seed, projects[0], 333)
    many_issues(seed, projects[1], 181)

    found = walk_all(page, db, projects, sort)

    column = {"last_seen": "last_seen_ms", "first_seen": "first_seen_ms"}.get(sort, "event_count")
    values = [(getattr(row, column), row.status, row.id) for row in found]
    assert len(found) == 514
    assert values == sorted(set(values), reverse=True)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """A reader on a project with more than 500 pages."""
    seed = Seed(tmp_path_factory.mktemp("crowded") / "bloop.db")
    many_issues(seed, seed.project("shop"), 501 * PAGE)
    reader = connection.open_reader(seed.path)
    yield reader
    reader.close()
    seed.close()


@pytest.mark.parametrize(("page", "sort"), LISTS)
def test_page_500_takes_the_steps_of_page_1(crowded: apsw.Connection, page: Page, sort: str) -> None:
    page_499 = page(crowded, [1], sort, skip=498 * PAGE)

    with counting_steps(crowded) as steps_1:
        page_1 = page(crowded, [1], sort)
    with counting_steps(crowded) as steps_500:
        page_500 = page(crowded, [1], sort, before=page_499.next)

    assert len(page_1.rows) == len(page_500.rows) == PAGE
    assert page_500.rows == page(crowded, [1], sort, skip=499 * PAGE).rows
    assert sum(steps_500) <= sum(steps_1) * 1.1 + 100


@pytest.mark.parametrize("walk", [*issues._WALKS.values(), events._WALK])
@pytest.mark.parametrize("part", ["first", "ties", "rest"])
def test_keys_are_read_from_the_index_alone_and_never_sorted(db: apsw.Connection, walk: Any, part: str) -> None:
    bindings = {"arm": 1, "value": 1, "tie": "", "id": 1, "limit": 1, "offset": 0}

    bound = {"first": None, "ties": walk.ties, "rest": walk.rest}[part]
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement(walk, [], bound)}", bindings)]

    assert len(plan) == 1
    assert "USING COVERING INDEX" in plan[0] or "USING PRIMARY KEY" in plan[0]  # of a table that is an index


def test_status_is_filtered_inside_the_index(db: apsw.Connection) -> None:
    sql = statement(issues._WALKS[issues.Sort.LAST_SEEN], [CONDITIONS[issues.Tab.OPEN]], None)

    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", {"arm": 1, "limit": 1, "offset": 0})]

    assert plan == ["SEARCH i USING COVERING INDEX issues_by_last_seen (project_id=?)"]


def test_rows_that_do_not_change_are_seen_once_while_others_do(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("shop")
    many_issues(seed, project, 400)
    ids = [row[0] for row in seed.rows("SELECT id FROM issues ORDER BY last_seen_ms DESC")]
    moving = set(ids[::7])
    seen: list[int] = []

    before: PageKey | None = None
    for turn in range(20):
        page = issue_pages(db, [project], "last_seen", before=before)
        seen += [row.id for row in page.rows]
        for issue_id in list(moving)[turn::20]:  # happens again: it jumps to the top
            seed.db.execute("UPDATE issues SET last_seen_ms = ? WHERE id = ?", (NOW_MS + turn, issue_id))
        seed.issue(project, f"new-{turn}", last_seen_ms=NOW_MS + turn)
        before = page.next
        if before is None:
            break

    still = [issue_id for issue_id in seen if issue_id not in moving]
    assert sorted(still) == sorted(set(ids) - moving)


@pytest.mark.parametrize("projects_count", [1, 3])
def test_skip_is_the_offset(seed: Seed, db: apsw.Connection, projects_count: int) -> None:
    projects = [seed.project(f"p{n}") for n in range(projects_count)]
    for project in projects:
        many_issues(seed, project, 150)
    everything = [row.id for row in walk_all(issue_pages, db, projects, "events")]

    page = issue_pages(db, projects, "events", skip=77)

    assert [row.id for row in page.rows] == everything[77 : 77 + PAGE]


def test_nothing_visible_is_an_empty_page(seed: Seed, db: apsw.Connection) -> None:
    seed.issue(seed.project("shop"), "a")

    assert issue_pages(db, [], "last_seen") == ([], None, True)


def test_a_page_leaves_no_statement_open(seed: Seed, db: apsw.Connection) -> None:
    projects = [seed.project("one"), seed.project("two")]
    for project in projects:
        many_issues(seed, project, 200)

    issue_pages(db, projects, "last_seen")

    seed.issue(projects[0], "later", last_seen_ms=NOW_MS + 1)
    assert issue_pages(db, projects, "last_seen").rows[0].fingerprint == "later"
    assert db.txn_state() == apsw.SQLITE_TXN_NONE
