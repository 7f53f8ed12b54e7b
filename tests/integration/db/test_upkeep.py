"""Small jobs of the retention process: expired rows, samples of sizes, the planner's statistics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.accounts.expiry import sweep
from bloop.accounts.invites.store import KEPT_S, TTL_S, create_invite
from bloop.accounts.links.store import create_login_link
from bloop.accounts.passkeys.store import spend_challenge
from bloop.base.clock import DAY_MS
from bloop.db import connection
from bloop.db.statistics import refresh
from bloop.retention import samples, statistics
from bloop.retention.sizes import count_rows, last_sample, samples_since, shown_tables, stored_events, stored_hours
from tests.seed import NOW_MS, Seed

SIZES = {"database_bytes": 4096, "reusable_bytes": 0, "wal_bytes": 7, "disk_free_bytes": None}


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


def ways_in(seed: Seed) -> list[int]:
    tables = ("sign_ins", "login_links", "invites", "spent_challenges")
    return [seed.value(f"SELECT count(*) FROM {table}") for table in tables]


def test_expired_rows_are_deleted_after_they_were_shown_for_a_while(seed: Seed) -> None:
    seed.session(ttl_s=60)
    with connection.immediate(seed.db):
        create_login_link(seed.db, now_ms=NOW_MS, ttl_s=60)
        create_invite(seed.db, created_by=None, now_ms=NOW_MS)
        spend_challenge(seed.db, b"challenge", expires_at_ms=NOW_MS + 60_000, now_ms=NOW_MS)

    seen = []
    for later_s in (0, 61, 61 + 86_400, TTL_S + KEPT_S + 1):
        swept = sweep(seed.db, NOW_MS + later_s * 1000)
        seen.append((swept, ways_in(seed)))

    assert seen == [(0, [1, 1, 1, 1]), (2, [0, 1, 1, 0]), (1, [0, 0, 1, 0]), (1, [0, 0, 0, 0])]


def take(seed: Seed, days_ago: int, counts: dict[str, int], event_id: int = 0, hour: int = 0) -> None:
    at_ms = NOW_MS - NOW_MS % DAY_MS - days_ago * DAY_MS + hour * 3_600_000
    samples.save_sample(seed.db, SIZES, event_id=event_id, row_counts=counts, now_ms=at_ms)


def test_a_day_has_one_sample_its_last(seed: Seed) -> None:
    take(seed, 2, {"events": 1})
    take(seed, 1, {"events": 2}, hour=3)
    take(seed, 1, {"events": 3}, hour=9)

    kept = samples_since(seed.db, 0)

    assert [sample.row_counts for sample in kept] == [{"events": 1}, {"events": 3}]
    assert last_sample(seed.db) == kept[-1]
    assert (kept[-1].database_bytes, kept[-1].wal_bytes, kept[-1].disk_free_bytes) == (4096, 7, 0)


def test_old_samples_are_deleted(seed: Seed) -> None:
    take(seed, samples.DAYS_KEPT + 1, {})
    take(seed, samples.DAYS_KEPT, {})
    take(seed, 0, {})

    assert len(samples_since(seed.db, 0)) == 2


def test_every_counted_table_is_there(seed: Seed) -> None:
    issue = seed.issue(seed.project("shop"), "f00d")
    seed.event(issue)

    counted = count_rows(seed.db)

    assert counted.keys() == {table.name for table in shown_tables()}
    assert (counted["events"], counted["issues"], counted["aggregates"], counted["ledger"]) == (1, 1, 1, 0)


def test_few_rows_are_counted_many_are_taken_from_the_last_sample(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bloop.retention.sizes.COUNTED_NOW_MAX", 4)
    issue = seed.issue(seed.project("shop"), "f00d")
    told = []
    for number in range(6):
        seed.event(issue)
        seed.hour(issue, number * 3_600_000, 1)
        told.append((stored_events(seed.db), stored_hours(seed.db)))
        if number == 3:
            take(seed, 0, {"events": 100, "hourly_counts": 50}, event_id=4)

    # Without a sample, what was counted; with one, that and the events since.
    assert told == [(1, 1), (2, 2), (3, 3), (4, 4), (101, 50), (102, 50)]


def test_statistics_are_taken_of_large_databases_only_and_table_by_table(
    seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = seed.issue(seed.project("shop"), "f00d")
    for _ in range(20):
        seed.event(issue)
    assert statistics.stale_statistics(seed.db) == []
    monkeypatch.setattr(statistics, "EVENTS_MIN", 10)

    stale = statistics.stale_statistics(seed.db)
    for statement in stale:
        assert statement.startswith("ANALYZE ")
        refresh(seed.db, statement)

    assert any('"events"' in statement for statement in stale)
    assert seed.value("SELECT stat FROM sqlite_stat1 WHERE idx = 'events_by_fingerprint'").startswith("20 ")
    # Empty tables have nothing to take statistics of and are proposed again.
    assert all('"events"' not in statement for statement in statistics.stale_statistics(seed.db))
