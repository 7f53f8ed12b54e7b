"""Lists of names end, however many names there are, and say the same as the whole table where there are few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bloop.base.clock import HOUR_MS
from bloop.issues import aggregates
from bloop.issues.counts import read as counts
from bloop.releases import read as releases
from tests.seed import NOW_MS, Seed, fingerprint_id

MANY = 30_000
STEPS_MAX = 10 * MANY  # of SQLite's virtual machine: reading a row and adding it up takes more than ten
HOUR = NOW_MS - NOW_MS % HOUR_MS


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


def fill(seed: Seed, statement: str, **bindings: Any) -> None:
    numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :many)"
    seed.db.execute(f"{numbers} {statement}", {"many": MANY, "now": NOW_MS, "hour": HOUR} | bindings)


@pytest.fixture
def steps(seed: Seed) -> Iterator[list[int]]:
    """Counts SQLite's steps, in hundreds."""
    taken = [0]

    def count() -> bool:
        taken[0] += 1
        return False

    seed.db.set_progress_handler(count, 100)
    yield taken
    seed.db.set_progress_handler(None)


def test_no_list_of_names_reads_every_name(seed: Seed, steps: list[int]) -> None:
    shop = seed.project("shop")
    issue = seed.issue(shop, "crowded", aggregates=False)
    names = {"shop": shop, "issue": issue, "fingerprint": fingerprint_id(issue)}
    fill(seed, "INSERT INTO releases SELECT :shop, 'r' || i, 'production', 1, :now - i, :now - i FROM n", **names)
    fill(seed, "INSERT INTO releases SELECT :shop, 'old', 'e' || i, 1, :now - i, :now - i FROM n", **names)
    fill(seed, "INSERT INTO route_counts SELECT :shop, '/r/' || i, i % 7 FROM n", **names)
    fill(seed, "INSERT INTO project_hourly_counts SELECT :shop, :hour, 'r' || i, 'e' || i, 'api', 1 FROM n", **names)
    fill(seed, "INSERT INTO hourly_counts SELECT :fingerprint, :hour, 'r' || i, 'x', 'api', 1 FROM n", **names)
    fill(
        seed,
        "INSERT INTO aggregates (project_id, issue_id, fingerprint_id, release, environment, status, event_count,"
        " first_seen_ms, last_seen_ms)"
        " SELECT :shop, :issue, :fingerprint, 'r' || i, 'production', 'unresolved', 1, :now - i, :now - i FROM n",
        **names,
    )

    def cost(read: Any) -> tuple[Any, int]:
        steps[0] = 0
        return read(), steps[0] * 100

    db = seed.db
    listed, listed_steps = cost(lambda: releases.list_releases(db, [shop]))
    new, new_steps = cost(lambda: releases.new_releases(db, [shop], NOW_MS - 1000))
    environments, environment_steps = cost(lambda: releases.list_environments(db, [shop]))
    times, times_steps = cost(lambda: releases.first_seen_times(db, shop))
    sources, source_steps = cost(lambda: releases.list_sources(db, [shop], HOUR))
    routes, route_steps = cost(lambda: counts.top_routes(db, [shop]))
    trend, trend_steps = cost(lambda: counts.project_trend(db, [shop], HOUR))
    spark, spark_steps = cost(lambda: counts.sparklines(db, [issue], HOUR))
    of_issue, of_issue_steps = cost(lambda: aggregates.of_issues(db, [issue]))

    assert "r0" in listed[:2]
    assert len(listed) == releases.RELEASES_MAX
    assert new[0][1] == NOW_MS
    assert len(new) == releases.RELEASES_MAX
    assert {"production", "e0"} <= set(environments)
    assert len(environments) == releases.ENVIRONMENTS_MAX
    assert len(times) <= releases.RELEASES_COMPARED_MAX
    assert sources == ["api"]
    assert {route.event_count for route in routes} == {6}
    assert trend == [(HOUR, MANY)]
    assert spark == {issue: [(HOUR, MANY)]}
    assert of_issue[0].release == "r0"
    taken = {
        "releases": listed_steps,
        "new": new_steps,
        "environments": environment_steps,
        "times": times_steps,
        "sources": source_steps,
        "routes": route_steps,
        "trend": trend_steps,
        "spark": spark_steps,
        "of issue": of_issue_steps,
    }
    assert max(taken.values()) < STEPS_MAX, taken


def test_few_names_are_all_listed_in_their_order(seed: Seed) -> None:
    one, two = seed.project("one"), seed.project("two")
    rows = [
        (one, "1.0", "production", 3, NOW_MS - 90, NOW_MS - 80),
        (one, "1.0", "staging", 4, NOW_MS - 70, NOW_MS - 10),
        (one, "2.0", "production", 1, NOW_MS - 50, NOW_MS - 40),
        (two, "2.0", "qa", 1, NOW_MS - 95, NOW_MS),
        (two, "3.0", "qa", 1, NOW_MS - 5, NOW_MS - 5),
    ]
    seed.db.executemany("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?)", rows)
    seed.db.executemany(
        "INSERT INTO route_counts VALUES (?, ?, ?)", [(one, "/a", 3), (one, "/b", 4), (two, "/a", 2), (two, "/c", 1)]
    )

    assert releases.list_releases(seed.db, [one, two]) == ["2.0", "3.0", "1.0"]
    assert releases.list_environments(seed.db, [one, two]) == ["qa", "staging", "production"]
    assert releases.new_releases(seed.db, [one, two], NOW_MS - 92) == [("3.0", NOW_MS - 5), ("1.0", NOW_MS - 90)]
    assert releases.new_releases(seed.db, [one], NOW_MS - 60) == [("2.0", NOW_MS - 50)]
    assert releases.first_seen_times(seed.db, one) == [("2.0", NOW_MS - 50), ("1.0", NOW_MS - 90)]
    assert counts.top_routes(seed.db, [one, two]) == [("/a", 5), ("/b", 4), ("/c", 1)]
    assert releases.list_releases(seed.db, []) == releases.list_environments(seed.db, []) == []


def test_sums_by_hour_follow_their_rows(seed: Seed) -> None:
    shop = seed.project("shop")
    issue = seed.issue(shop, "a")
    for hours in range(3):
        for release in ("1.0", "2.0"):
            seed.db.execute(
                "INSERT INTO hourly_counts VALUES (?, ?, ?, 'production', 'api', 2)",
                (fingerprint_id(issue), HOUR - hours * HOUR_MS, release),
            )
    seed.db.execute("UPDATE hourly_counts SET event_count = event_count + 3 WHERE hour_ms = ?", (HOUR,))

    assert counts.issue_trend(seed.db, [issue], 0) == [(HOUR - 2 * HOUR_MS, 4), (HOUR - HOUR_MS, 4), (HOUR, 10)]
    seed.db.execute("DELETE FROM hourly_counts WHERE hour_ms < ?", (HOUR,))
    assert counts.issue_trend(seed.db, [issue], 0) == [(HOUR, 10)]
