"""Rules that count, over the writer's rows: which events they see, when they fire, and that previews say the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bloop import features
from bloop.alerts.firing import windows as minutes
from bloop.alerts.firing.preview import messages, preview
from bloop.alerts.firing.windows import WindowScope
from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.db import connection
from bloop.issues.status.model import Status
from bloop.retention.prune import delete_old
from tests.integration.alerts.world import ORIGIN, T0, World

SPIKE = {"multiplier": 3, "baseline_window_secs": 600, "compare_window_secs": 120}


def threshold(more_than: int, window_secs: int = 300, **narrowed: Any) -> dict[str, Any]:
    return {"threshold": more_than, "window_secs": window_secs, **narrowed}


def test_a_threshold_fires_when_it_is_exceeded_and_gives_the_count(world: World) -> None:
    rule = world.rule("threshold", threshold(10))
    world.happen("A", 8)
    world.happen("B", 2)
    world.ask()
    assert world.fired(rule) == []

    world.now_ms += MINUTE_MS
    world.happen("B", 4)
    world.ask()

    assert world.fired(rule) == ["14 events in 5 min in Shop: more than 10; 0 in the previous 5 min"]
    (more,) = world.rows("SELECT message ->> '$.more' FROM alert_firings")
    assert more == ('["8 events: SHOP-1 A: A broke","6 events: SHOP-2 B: B broke"]',)


@pytest.mark.parametrize(
    ("narrowed", "fields", "fires"),
    [
        ({}, {}, True),
        ({"environment": "production"}, {}, True),
        ({"environment": "staging"}, {}, False),
        ({"source": "api"}, {}, True),
        ({"source": "ios"}, {}, False),
        ({"route": "/cart"}, {}, True),
        ({"route": "/car"}, {}, False),
        ({}, {"environment_filter": "staging"}, False),
        ({}, {"source_filter": "api"}, True),
        ({"environment": "production"}, {"environment_filter": "staging"}, False),
        ({}, {"project_id": 2}, True),
        ({}, {"project_id": 3}, False),
        ({"fingerprint": "mine"}, {}, True),
        ({"fingerprint": "other"}, {}, False),
    ],
)
def test_a_count_covers_only_the_events_of_the_rules_filters(
    world: World, narrowed: dict[str, Any], fields: dict[str, Any], fires: bool
) -> None:
    projects = {2: world.shop, 3: world.blog}
    fields = {name: projects.get(value, value) for name, value in fields.items()}
    rule = world.rule("threshold", threshold(2, **narrowed), **fields)
    world.happen("A", 3, route_or_procedure="/cart", fingerprint="mine")

    world.ask()

    assert bool(world.fired(rule)) == fires


def test_a_rule_over_all_projects_asks_each_by_itself(world: World) -> None:
    rule = world.rule("threshold", threshold(5))
    world.happen("A", 4)
    world.happen("B", 4, project="blog")
    world.ask()
    assert world.fired(rule) == []

    world.happen("B", 4, project="blog")
    world.ask()
    world.happen("A", 4)
    world.ask()

    assert [text[:20] for text in world.fired(rule)] == ["8 events in 5 min in", "8 events in 5 min in"]
    assert world.rows("SELECT project_id, key FROM alert_cooldowns ORDER BY 1") == [
        (world.shop, "count"),
        (world.blog, "count"),
    ]


def test_ignored_and_muted_issues_are_not_counted(world: World) -> None:
    rule = world.rule("threshold", threshold(5))
    for name, status in (("A", Status.MUTED), ("B", Status.IGNORED)):
        world.happen(name, 4)
        world.status(name, status)
    world.happen("C", 2)

    world.ask()

    assert world.fired(rule) == []


def test_a_count_of_one_issue_names_it(world: World) -> None:
    world.rule("threshold", threshold(2, fingerprint="mine"))
    world.happen("A", 3, fingerprint="mine")

    world.ask()

    url = "SELECT message ->> '$.url', message ->> '$.issue.short_id', key FROM alert_firings"
    assert world.rows(url) == [(f"{ORIGIN}/issues/SHOP-1", "SHOP-1", "mine")]


def test_late_counts_fire_in_their_minute(world: World) -> None:
    rule = world.rule("threshold", threshold(10, 60))
    world.happen("A", 6)
    world.ask()
    world.now_ms += 4 * MINUTE_MS
    world.happen("B", 1)
    world.ask()

    world.happen("A", 6, at_ms=T0 + 1)  # the writer stood still
    world.ask()
    world.ask()

    assert world.fired(rule) == ["12 events in 1 min in Shop: more than 10; 0 in the previous 1 min"]
    assert world.rows("SELECT fired_at_ms FROM alert_cooldowns") == [(T0,)]
    assert world.rows("SELECT message ->> 'at_ms' FROM alert_firings") == [(T0 + MINUTE_MS,)]


@pytest.mark.parametrize(("asleep_ms", "fires"), [(6 * HOUR_MS, True), (2 * DAY_MS, False)])
def test_after_a_standstill_a_rule_is_asked_for_the_last_day(world: World, asleep_ms: int, fires: bool) -> None:
    rule = world.rule("threshold", threshold(10, 60))
    world.happen("A")
    world.ask()
    world.happen("A", 20, at_ms=T0 + HOUR_MS)

    world.engine = world.new_engine()
    world.now_ms += asleep_ms
    world.ask()

    assert bool(world.fired(rule)) == fires


def test_minutes_before_a_rule_was_changed_are_not_its(world: World) -> None:
    world.now_ms += 5 * MINUTE_MS
    rule = world.rule("threshold", threshold(10, 60))

    world.happen("A", 20, at_ms=T0)
    world.ask()
    assert world.fired(rule) == []

    world.happen("A", 20)
    world.ask()
    assert len(world.fired(rule)) == 1


@pytest.mark.parametrize("passed_ms", [-DAY_MS, DAY_MS])
def test_a_clock_that_jumps_neither_silences_nor_repeats(world: World, passed_ms: int) -> None:
    rule = world.rule("threshold", threshold(2, 60))
    world.happen("A", 3)
    world.ask()

    world.ask(passed_ms)
    assert len(world.fired(rule)) == 1, "nothing new happened"

    world.happen("A", 3)
    world.ask()
    world.ask()
    assert len(world.fired(rule)) == 2


@pytest.mark.parametrize(
    ("rule_type", "config"),
    [("threshold", threshold(25)), ("threshold", threshold(8, 60)), ("spike", SPIKE), ("new_issue", {})],
)
def test_a_preview_equals_the_live_alerts(world: World, rule_type: str, config: dict[str, Any]) -> None:
    """A recorded stream of two projects, replayed a few events at a time."""
    rng = random.Random(7)
    rule = world.rule(rule_type, config, cooldown_secs=240)
    for minute in range(90):
        world.now_ms = T0 + minute * MINUTE_MS
        burst = 8 if minute % 31 > 27 else 1
        for _ in range(rng.randrange(4)):
            world.now_ms += rng.randrange(MINUTE_MS // 5)
            name = f"E{rng.randrange(1 + minute // 4)}"
            world.happen(name, burst * (1 + rng.randrange(3)), project=rng.choice(["shop", "blog"]))
            world.ask()

    asked = world.asked(rule)
    found = preview(world.db, asked, T0, world.now_ms)
    said = world.rows("SELECT project_id, key, fired_at_ms / 60000 FROM alert_firings WHERE rule_type <> 'digest'")

    assert len(said) >= 3
    assert sorted((f.project_id, f.key, f.at_ms // MINUTE_MS) for f in found) == sorted(said)
    assert len(messages(world.db, asked, found, ORIGIN)) == len(found)


def test_a_preview_of_a_contradiction_is_empty(world: World) -> None:
    rule = world.rule("threshold", threshold(0, environment="production"), environment_filter="staging")
    world.happen("A", 9)

    assert preview(world.db, world.asked(rule), T0, T0 + HOUR_MS) == []


def test_minutes_are_pruned_in_steps_by_their_age(world: World) -> None:
    for day in range(12):
        world.happen("A", 2, at_ms=T0 + day * DAY_MS)
        world.happen("B", 1, at_ms=T0 + day * DAY_MS, project="blog")

    removed = []
    for _ in range(5):
        with connection.immediate(world.db):
            removed.append(delete_old(world.db, features.table("minute_counts"), T0 + 3 * DAY_MS, 4))

    assert removed == [4, 2, 0, 0, 0]
    left = minutes.counts(world.db, WindowScope(None), T0, T0 + 20 * DAY_MS)
    assert {project: min(counts) for project, counts in left.items()} == dict.fromkeys(left, T0 + 3 * DAY_MS)
    assert sum(left[world.shop].values()) == 18
