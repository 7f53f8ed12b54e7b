"""A database with events of many ages, the naive model of what retention leaves, and a way to run a clean-up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from bloop.base.clock import DAY_MS
from bloop.base.config import Retention
from bloop.db import connection
from bloop.issues.events import store as events
from bloop.retention import store as retention
from bloop.retention.cleaner import Cleaner
from bloop.retention.read import RetentionRunRow, get_run
from tests.seed import NOW_MS, Seed

# What is counted, and must be the same after any clean-up.
COUNTERS = (
    "SELECT id, event_count, user_count, first_seen_ms, last_seen_ms, status FROM issues ORDER BY id",
    "SELECT * FROM aggregates ORDER BY id",
    "SELECT * FROM issue_users ORDER BY 1, 2",
    "SELECT * FROM route_counts ORDER BY 1, 2",
    "SELECT * FROM releases ORDER BY 1, 2, 3",
    "SELECT * FROM ledger_totals ORDER BY 1, 2",
    "SELECT * FROM status_counts ORDER BY 1, 2",
    "SELECT * FROM status_changes ORDER BY id",
    "SELECT * FROM issue_search ORDER BY rowid",
)


class Stored(NamedTuple):
    id: int
    issue_id: int
    project_id: int
    timestamp_ms: int
    received_at_ms: int


def stored(seed: Seed) -> list[Stored]:
    rows = seed.rows("""
        SELECT e.id, f.issue_id, f.project_id, e.timestamp_ms, e.received_at_ms
          FROM events AS e JOIN fingerprints AS f ON f.id = e.fingerprint_id
         ORDER BY e.id""")
    return [Stored(*row) for row in rows]


def counters(seed: Seed) -> list[list[tuple[Any, ...]]]:
    return [seed.rows(statement) for statement in COUNTERS]


def add_events(seed: Seed, rows: Iterable[tuple[int, int, int]], message: str = "boom") -> None:
    """(issue, days ago received, days ago by the client's clock); counted, and settled afterwards."""
    for issue_id, received_days, client_days in rows:
        seed.event(
            issue_id,
            received_at_ms=NOW_MS - received_days * DAY_MS,
            timestamp_ms=NOW_MS - client_days * DAY_MS,
            message=message,
        )
    settle(seed)


def settle(seed: Seed) -> None:
    """Everything stored is counted, as the writer leaves it."""
    seed.db.execute("""
        UPDATE issues SET event_count = (
            SELECT count(*) FROM fingerprints AS f JOIN events AS e ON e.fingerprint_id = f.id
             WHERE f.issue_id = issues.id)""")
    events.mark_settled(seed.db)


def expected(rows: Iterable[Stored], *, days: int, own: Mapping[int, int], samples: int, now_ms: int) -> list[Stored]:
    """What retention leaves of `rows`, by its definition."""
    rows = list(rows)
    newest = max((row.id for row in rows), default=0)
    spared: set[int] = set()
    for issue_id in {row.issue_id for row in rows}:
        of_issue = sorted((r for r in rows if r.issue_id == issue_id), key=lambda r: (r.timestamp_ms, r.id))
        spared |= {row.id for row in of_issue[-samples:]}
    return [
        row
        for row in rows
        if row.received_at_ms >= now_ms - own.get(row.project_id, days) * DAY_MS or row.id in spared or row.id == newest
    ]


def steps(
    path: Path, *, days: int = 7, hours_days: int = 90, samples: int = 5, now_ms: int = NOW_MS, **options: Any
) -> Iterator[None]:
    """A clean-up asked for by the clock, step by step."""
    with closing(connection.open_cleaner(path)) as db:
        with connection.immediate(db):
            run_id = retention.ask_for_run(db, asked_by=options.pop("asked_by", None), now_ms=now_ms).id
        defaults = Retention(raw_events_days=days, hourly_counts_days=hours_days)
        cleaner = Cleaner(db, run_id, defaults=defaults, samples=samples, now_ms=lambda: now_ms, **options)
        for _ in cleaner.work():
            yield


def clean(seed: Seed, between: Callable[[int], None] = lambda step: None, **options: Any) -> RetentionRunRow:
    """A whole clean-up; `between` is called after every step."""
    for number, _ in enumerate(steps(seed.path, **options)):
        between(number)
    run = get_run(seed.db, seed.value("SELECT max(id) FROM retention_runs"))
    assert run is not None
    return run
