"""Deliveries as rows: what is due, what is not, what is pruned."""

from __future__ import annotations

import pytest

from bloop import features
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.store import DeliveryTarget
from bloop.alerts.firing import read, store
from bloop.alerts.firing.store import FiringFields
from bloop.db import connection
from bloop.retention.prune import delete_old
from tests.integration.alerts.world import T0, World

HOUR_MS = 3_600_000


def firing(world: World, rule_id: int, at_ms: int = T0, *, is_test: bool = False) -> int:
    fields = FiringFields(rule_id, "rule", "new_issue", world.shop, "ab", at_ms, "{}", is_test=is_test)
    return store.add_firing(world.db, fields)


def delivery(world: World, rule_id: int, channel_id: int | None, at_ms: int = T0, *, is_test: bool = False) -> int:
    """The newest delivery's id."""
    made = firing(world, rule_id, at_ms, is_test=is_test)
    deliveries.add(world.db, made, rule_id, [DeliveryTarget(channel_id, "webhook", "example.com")], at_ms)
    return world.db.last_insert_rowid()


def due(world: World, now_ms: int = T0) -> list[int]:
    return [row.id for row in read.list_due_deliveries(world.db, now_ms, wait_ms=HOUR_MS)]


def test_each_channel_sends_its_oldest_first_and_tests_before_all(world: World) -> None:
    rule = world.rule()
    one, two = world.channel(rule), world.channel(rule)
    first = delivery(world, rule, one)
    delivery(world, rule, one)
    other = delivery(world, rule, two)
    fallback = delivery(world, rule, None)
    assert due(world) == [first, other, fallback]

    test = delivery(world, rule, one, is_test=True)
    assert due(world) == [other, fallback, test]


def test_a_later_delivery_is_not_due_unless_the_clock_was_set_back(world: World) -> None:
    rule = world.rule()
    made = delivery(world, rule, world.channel(rule))
    deliveries.schedule_retry(world.db, made, next_try_at_ms=T0 + 5000, error="down", status=503)

    assert due(world, T0 + 4999) == []
    assert due(world, T0 + 5000) == [made]
    assert due(world, T0 - 2 * HOUR_MS) == [made]
    assert read.next_try_at_ms(world.db) == T0 + 5000


def test_a_pause_holds_back_one_channel_and_no_test(world: World) -> None:
    rule = world.rule()
    one, two = world.channel(rule), world.channel(rule)
    delivery(world, rule, one)
    test = delivery(world, rule, one, is_test=True)
    other = delivery(world, rule, two)
    fallback = delivery(world, rule, None)

    deliveries.pause_channel(world.db, "webhook", one, T0 + 60_000)
    assert due(world) == [test, other, fallback]

    deliveries.pause_channel(world.db, "webhook", None, T0 + 60_000)
    assert due(world) == [test, other]


def test_outcomes_are_counted_and_shown(world: World) -> None:
    rule = world.rule()
    made = [delivery(world, rule, None) for _ in range(3)]
    deliveries.mark_sent(world.db, made[0], status=200, now_ms=T0 + 7)
    deliveries.schedule_retry(world.db, made[1], next_try_at_ms=T0 + 9, error="example.com answered 503", status=503)
    deliveries.mark_failed(world.db, made[2], error="example.com answered 404", status=404, now_ms=T0)

    columns = "SELECT state, attempts, last_error, last_status, sent_at_ms FROM deliveries ORDER BY id"
    assert world.rows(columns) == [
        ("sent", 1, None, 200, T0 + 7),
        ("waiting", 1, "example.com answered 503", 503, None),
        ("failed", 1, "example.com answered 404", 404, None),
    ]
    assert read.any_failed(world.db)


def test_an_answer_to_a_dismissed_delivery_counts_only_if_it_arrived(world: World) -> None:
    rule = world.rule()
    made = [delivery(world, rule, None) for _ in range(3)]
    world.db.execute("UPDATE deliveries SET state = 'dismissed'")

    deliveries.schedule_retry(world.db, made[0], next_try_at_ms=T0, error="down", status=None)
    deliveries.mark_failed(world.db, made[1], error="no", status=404, now_ms=T0)
    deliveries.mark_sent(world.db, made[2], status=200, now_ms=T0)

    assert world.rows("SELECT state FROM deliveries ORDER BY id") == [("dismissed",), ("dismissed",), ("sent",)]


def test_deleting_a_rule_or_a_channel_dismisses_waiting_deliveries_and_keeps_the_log(world: World) -> None:
    rule, other = world.rule(), world.rule()
    one, two = world.channel(rule), world.channel(rule)
    arrived = delivery(world, rule, one)
    deliveries.mark_sent(world.db, arrived, status=200, now_ms=T0)
    delivery(world, rule, one)
    delivery(world, rule, two)
    delivery(world, other, None)

    world.db.execute("DELETE FROM channels WHERE id = ?", (one,))
    states = "SELECT state, last_error FROM deliveries ORDER BY id"
    gone = ("dismissed", "the channel was deleted")
    assert world.rows(states) == [("sent", None), gone, ("waiting", None), ("waiting", None)]

    world.db.execute("DELETE FROM alert_rules WHERE id = ?", (rule,))
    assert world.rows(states) == [("sent", None), gone, ("dismissed", "the rule was deleted"), ("waiting", None)]
    assert world.rows("SELECT count(*) FROM alert_firings") == [(4,)]
    assert world.rule() > other, "a number is never given again"


@pytest.mark.parametrize("rows_max", [1, 3, 100])
def test_old_firings_are_pruned_with_their_deliveries_a_few_at_a_time(world: World, rows_max: int) -> None:
    rule = world.rule()
    for hour in range(10):
        delivery(world, rule, None, T0 + hour * HOUR_MS)

    removed = []
    while not removed or removed[-1]:
        with connection.immediate(world.db):
            removed.append(delete_old(world.db, features.table("alert_firings"), T0 + 6 * HOUR_MS, rows_max))

    assert sum(removed) == 6
    assert max(removed) <= rows_max
    assert world.rows("SELECT min(fired_at_ms), count(*) FROM alert_firings") == [(T0 + 6 * HOUR_MS, 4)]
    assert world.rows("SELECT count(*) FROM deliveries") == [(4,)]
    with connection.immediate(world.db):
        assert delete_old(world.db, features.table("alert_firings"), T0 + 60 * HOUR_MS, 100) == 4


def test_old_cooldowns_are_forgotten(world: World) -> None:
    rule = world.rule()
    store.start_cooldown(world.db, rule, world.shop, "ab", T0)
    store.start_cooldown(world.db, rule, world.shop, "cd", T0 + 1)

    assert delete_old(world.db, features.table("alert_cooldowns"), T0 + 1, 100) == 1
    assert read.fired_at_ms(world.db, rule, world.shop, "cd") == T0 + 1
