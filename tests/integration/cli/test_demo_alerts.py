"""Alerts of the demonstration: what its rules would have said, stored as if they had."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.alerts.deliveries.read import list_deliveries, list_firings
from bloop.alerts.rules.read import list_rules
from bloop.db import connection
from bloop.demo.alerts import RULES, store_alerts
from tests.browser.screenshots import NOW_MS
from tests.seeding import Seeder


@pytest.fixture
def seeder(tmp_path: Path) -> Iterator[Seeder]:
    made = Seeder(tmp_path / "bloop.db", NOW_MS)
    made.demo(issues=60, events=1500)
    yield made
    made.close()


def test_each_rule_has_spoken(seeder: Seeder) -> None:
    rules = {rule.name: rule for rule in list_rules(seeder.db)}

    assert {rule.name for rule in RULES} < set(rules)
    for name in (rule.name for rule in RULES):
        fired = list_firings(seeder.db, rules[name].id, limit=50)
        assert fired
        assert all(row.sent and row.text for row in fired)
        assert [row.fired_at_ms for row in fired] == sorted((row.fired_at_ms for row in fired), reverse=True)


def test_nothing_waits_to_be_sent_and_nothing_is_reported_as_failing(seeder: Seeder) -> None:
    states = {row.state.value for row in list_deliveries(seeder.db, limit=200)}

    assert states == {"sent", "dismissed"}


def test_a_second_demo_adds_no_rules(seeder: Seeder) -> None:
    before = list_rules(seeder.db)
    ids = {rule.project_slug: rule.project_id for rule in before if rule.project_slug and rule.project_id}

    with connection.immediate(seeder.db):
        store_alerts(seeder.db, ids, "https://errors.example.com", NOW_MS)

    assert list_rules(seeder.db) == before
