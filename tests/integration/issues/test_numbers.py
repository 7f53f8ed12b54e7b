"""Trends, ledger, stats, releases, history, projects: sums over kept counters, each limited to given projects."""

from __future__ import annotations

import apsw

from bloop.base.clock import DAY_MS, HOUR_MS, hour_of, minute_of
from bloop.base.outcomes import NO_PROJECT, Outcome
from bloop.issues.counts import read as counts
from bloop.issues.status import read as status
from bloop.ledger import read as ledger
from bloop.projects import read as projects
from bloop.releases import read as releases
from tests.seed import NOW_MS, Seed

HOUR = hour_of(NOW_MS)


def test_trends_sum_hours_and_leave_out_empty_and_older_ones(seed: Seed, db: apsw.Connection) -> None:
    one, two = seed.project("one"), seed.project("two")
    a, b = seed.issue(one, "a"), seed.issue(two, "a")
    for issue_id, hour_ms, count in ((a, HOUR, 2), (a, HOUR - 3 * HOUR_MS, 5), (b, HOUR, 7), (a, HOUR - DAY_MS, 11)):
        seed.hour(issue_id, hour_ms, count)
    since_ms = HOUR - 3 * HOUR_MS

    assert counts.issue_trend(db, [a], since_ms) == [(HOUR - 3 * HOUR_MS, 5), (HOUR, 2)]
    assert counts.issue_trend(db, [a, b], since_ms) == [(HOUR - 3 * HOUR_MS, 5), (HOUR, 9)]
    assert counts.project_trend(db, [two], since_ms) == [(HOUR, 7)]
    assert counts.project_trend(db, [], since_ms) == []
    assert counts.sparklines(db, [a, b, 999], HOUR) == {a: [(HOUR, 2)], b: [(HOUR, 7)], 999: []}


def test_events_24h_is_the_ledger_exact_to_the_minute(seed: Seed, db: apsw.Connection) -> None:
    one, two = seed.project("one"), seed.project("two")
    edge = minute_of(NOW_MS - DAY_MS)
    for project, outcome, minute_ms, count in (
        (one, Outcome.STORED, minute_of(NOW_MS), 3),
        (one, Outcome.STORED, edge, 5),
        (one, Outcome.STORED, edge - 60_000, 100),
        (one, Outcome.INVALID, minute_of(NOW_MS), 1000),
        (two, Outcome.STORED, minute_of(NOW_MS), 10_000),
    ):
        seed.ledger(project, outcome, minute_ms, count)

    assert counts.stats(db, [one], NOW_MS).events_24h == 8
    assert counts.stats(db, [one, two], NOW_MS).events_24h == 10_008
    assert ledger.outcomes_since(db, [one], edge) == {Outcome.STORED: 8, Outcome.INVALID: 1000}


def test_totals_outlive_the_minutes(seed: Seed, db: apsw.Connection) -> None:
    one = seed.project("one")
    rows = [(one, Outcome.STORED, 4), (NO_PROJECT, Outcome.UNKNOWN_KEY, 2)]
    seed.db.executemany("INSERT INTO ledger_totals VALUES (?, 0, ?, ?)", rows)

    assert ledger.totals(db, [one]) == {Outcome.STORED: 4}
    assert ledger.totals(db, [one, NO_PROJECT]) == {Outcome.STORED: 4, Outcome.UNKNOWN_KEY: 2}


def test_stats_count_issues_once_and_rank_ten_routes(seed: Seed, db: apsw.Connection) -> None:
    one = seed.project("one")
    issue_id = seed.issue(one, "a", status="regressed")
    seed.aggregate(issue_id, release="2.0")
    seed.issue(one, "b")
    seed.issue(one, "c", status="resolved")
    for n in range(12):
        seed.route(one, f"/{n:02}", n)

    found = counts.stats(db, [one], NOW_MS)

    assert (found.issues_total, found.issues_open) == (3, 2)
    assert found.top_routes == [(f"/{n:02}", n) for n in range(11, 1, -1)]


def test_releases_and_environments_come_last_seen_first(seed: Seed, db: apsw.Connection) -> None:
    one, two = seed.project("one"), seed.project("two")
    rows = [
        (one, "1.0", "production", 3, NOW_MS - 9, NOW_MS - 8),
        (one, "1.0", "staging", 4, NOW_MS - 7, NOW_MS - 1),
        (one, "2.0", "production", 1, NOW_MS - 5, NOW_MS - 4),
        (two, "9.0", "qa", 1, NOW_MS, NOW_MS),
    ]
    seed.db.executemany("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?)", rows)

    assert releases.list_releases(db, [one]) == ["1.0", "2.0"]
    assert releases.list_environments(db, [one]) == ["staging", "production"]


def test_history_names_who_did_it_and_survives_their_leaving(seed: Seed, db: apsw.Connection) -> None:
    project = seed.project("shop")
    issue_id, other = seed.issue(project, "a"), seed.issue(project, "b")
    user_id = seed.user("ada")
    for owner, by, via in ((issue_id, user_id, "dashboard"), (issue_id, "gone", "api"), (issue_id, None, "ingest"),
                           (issue_id, "operator", "api"), (other, user_id, "api")):  # fmt: skip
        seed.db.execute(
            "INSERT INTO status_changes (issue_id, project_id, old_status, new_status, changed_by, changed_via,"
            " changed_at_ms) VALUES (?, ?, 'unresolved', 'resolved', ?, ?, ?)",
            (owner, project, by, via, NOW_MS),
        )

    found = status.history(db, [issue_id])

    assert [(row.changed_by, row.changed_by_name) for row in found] == [
        ("operator", "operator"),
        (None, None),
        ("gone", None),
        (user_id, "Ada"),
    ]


def test_a_project_is_found_by_public_id_before_slug(seed: Seed, db: apsw.Connection) -> None:
    first = seed.project("shop", public_id="default")
    second = seed.project("default", public_id="other")

    found = [projects.get_project(db, reference) for reference in ("default", "shop", "other", "missing")]

    assert [None if row is None else row.id for row in found] == [first, first, second, None]
    assert projects.project_ids(db) == (first, second)
    assert [row.slug for row in projects.list_projects(db, [second])] == ["default"]
    assert [row.api_key for row in projects.project_keys(db)] == ["key-of-shop", "key-of-default"]
