"""What is old, by which setting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.config import Retention
from bloop.db import connection
from bloop.db.tables import Keep
from bloop.retention import read
from bloop.retention import store as retention
from bloop.retention.policy import DAYS_MAX, DAYS_MIN, Policy, load_policy
from tests.seed import NOW_MS, Seed

DAYS = st.integers(DAYS_MIN, DAYS_MAX)


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


def save(seed: Seed, **values: object) -> None:
    with connection.immediate(seed.db):
        retention.save_policy(seed.db, **values)  # type: ignore[arg-type]


def test_what_nobody_has_set_is_as_the_settings_say(seed: Seed) -> None:
    policy = load_policy(seed.db, Retention(raw_events_days=3, hourly_counts_days=40))

    assert (policy.raw_events_days, policy.hourly_counts_days, policy.overrides) == (3, 40, {})


def test_what_people_set_wins_and_a_project_has_its_own(seed: Seed) -> None:
    shop, blog = seed.project("shop"), seed.project("blog")

    save(seed, raw_events_days=14, overrides=[(shop, 30), (blog, 2)])
    save(seed, hourly_counts_days=100, overrides=[(blog, 0)])
    policy = load_policy(seed.db, Retention())

    assert (policy.raw_events_days, policy.hourly_counts_days) == (14, 100)
    assert policy.overrides == {shop: 30}
    assert policy.events_before_ms(shop, NOW_MS) == NOW_MS - 30 * DAY_MS
    assert policy.events_before_ms(blog, NOW_MS) == NOW_MS - 14 * DAY_MS


def test_every_change_has_a_revision_of_its_own(seed: Seed) -> None:
    shop = seed.project("shop")
    seen = [read.revision(seed.db)]
    changes: list[dict[str, object]] = [{"raw_events_days": 5}, {"overrides": [(shop, 9)]}, {"overrides": [(shop, 0)]}]

    for change in changes:
        save(seed, **change)
        seen.append(read.revision(seed.db))

    assert len(set(seen)) == len(seen)


def test_a_deleted_project_is_no_longer_among_the_overrides(seed: Seed) -> None:
    shop = seed.project("shop")
    save(seed, overrides=[(shop, 30)])

    seed.db.execute("UPDATE projects SET deleted_at_ms = 1 WHERE id = ?", (shop,))

    assert read.overrides(seed.db) == []


@given(raw=DAYS, hourly=DAYS, own=DAYS, now_ms=st.integers(0, 4 * NOW_MS), back_ms=st.integers(0, 4 * NOW_MS))
def test_a_clock_that_goes_back_makes_nothing_old(raw: int, hourly: int, own: int, now_ms: int, back_ms: int) -> None:
    policy = Policy(raw, hourly, {1: own}, 0)
    before, after = policy.cutoffs(now_ms), policy.cutoffs(now_ms - back_ms)

    assert all(policy.events_before_ms(one, now_ms - back_ms) <= policy.events_before_ms(one, now_ms) for one in (1, 2))
    assert after.of(Keep.HOURS) <= before.of(Keep.HOURS)
    assert after.of(Keep.LEDGER) <= before.of(Keep.LEDGER)


def test_an_hour_is_old_when_all_of_it_is() -> None:
    policy = Policy(7, 1, {}, 0)
    half_past = NOW_MS - NOW_MS % HOUR_MS + HOUR_MS // 2

    assert policy.cutoffs(half_past).of(Keep.HOURS) == half_past - DAY_MS - HOUR_MS // 2
