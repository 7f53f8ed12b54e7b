"""DECIDE-1 to DECIDE-4, over recorded streams."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop.alerts.firing.decide import on_signal, over_minutes, reach_ms
from bloop.alerts.firing.read import IssueSignal
from bloop.alerts.rules.model import NewIssue, Regression, Rule, RuleConfig, Spike, Threshold
from bloop.base.clock import MINUTE_MS

T0 = 1_800_000_000_000 - 1_800_000_000_000 % MINUTE_MS
NEW = IssueSignal(5, "issue.new", 7, 70, "ab", "unresolved", "production", "api", "1.0", T0)
COOLDOWN_MS = 15 * MINUTE_MS


def rule(config: RuleConfig, **fields: Any) -> Rule:
    return Rule(1, "rule", None, config, None, None, COOLDOWN_MS)._replace(**fields)


# Signals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "happened", "fires"),
    [
        (rule(NewIssue()), NEW, True),
        (rule(NewIssue("production")), NEW, True),
        (rule(NewIssue("staging")), NEW, False),
        (rule(NewIssue(), environment_filter="production", source_filter="api"), NEW, True),
        (rule(NewIssue(), environment_filter="staging"), NEW, False),
        (rule(NewIssue(), source_filter="ios"), NEW, False),
        (rule(NewIssue("production"), environment_filter="staging"), NEW, False),
        (rule(NewIssue(), environment_filter="production"), NEW._replace(environment=None), False),
        (rule(NewIssue(), project_id=7), NEW, True),
        (rule(NewIssue(), project_id=8), NEW, False),
        (rule(NewIssue(), after_signal_id=5), NEW, False),
        (rule(NewIssue(), after_signal_id=4), NEW, True),
        (rule(NewIssue()), NEW._replace(kind="issue.regressed"), False),
        (rule(NewIssue()), NEW._replace(kind="issue.resolved"), False),
        (rule(NewIssue()), NEW._replace(kind="something.else"), False),
        (rule(NewIssue()), NEW._replace(status="muted"), False),
        (rule(NewIssue()), NEW._replace(status="ignored"), False),
        (rule(NewIssue()), NEW._replace(status="resolved"), True),
        (rule(NewIssue()), NEW._replace(fingerprint=None, status=None), False),
        (rule(Regression()), NEW, False),
        (rule(Regression()), NEW._replace(kind="issue.regressed", status="regressed"), True),
        (rule(Regression()), NEW._replace(kind="issue.unmuted"), True),
        (rule(Regression()), NEW._replace(kind="issue.regressed", status="muted"), False),
        (rule(Regression()), NEW._replace(kind="issue.unresolved"), False),
        (rule(Regression(fingerprint="ab")), NEW._replace(kind="issue.regressed", status="regressed"), True),
        (rule(Regression(fingerprint="cd")), NEW._replace(kind="issue.regressed", status="regressed"), False),
        (rule(Threshold(0, 60)), NEW, False),
    ],
)
def test_a_signal_fires_the_rules_it_concerns(asked: Rule, happened: IssueSignal, fires: bool) -> None:
    firing = on_signal(asked, happened, now_ms=T0 + 9, fired_ms=None)

    assert (firing is not None) == fires
    if firing is not None:
        assert (firing.project_id, firing.key, firing.signal_id, firing.issue_id) == (7, "ab", 5, 70)


@pytest.mark.parametrize(
    ("ago_ms", "fires"),
    [(0, False), (1, False), (COOLDOWN_MS - 1, False), (COOLDOWN_MS, True), (-1, True), (-(10**12), True)],
)
def test_a_rule_is_quiet_about_one_issue_until_its_cooldown_is_over(ago_ms: int, fires: bool) -> None:
    """A firing in the future was written before the clock was put right."""
    back = NEW._replace(kind="issue.regressed")

    assert (on_signal(rule(Regression()), back, now_ms=T0, fired_ms=T0 - ago_ms) is not None) == fires


def test_without_a_cooldown_every_signal_fires() -> None:
    assert on_signal(rule(NewIssue(), cooldown_ms=0), NEW, now_ms=T0, fired_ms=T0) is not None


# Windows ------------------------------------------------------------------------------------------------------------


def fired(asked: Rule, stream: dict[int, int], first: int = 0, last: int = 300, since: int | None = None) -> list[int]:
    """Minutes (counted from T0) in which a rule fires over events by minute."""
    counts = {T0 + minute * MINUTE_MS: events for minute, events in stream.items()}
    fired_ms = None if since is None else T0 + since * MINUTE_MS
    found = over_minutes(asked, 7, counts, T0 + first * MINUTE_MS, T0 + last * MINUTE_MS, fired_ms=fired_ms)
    return [(firing.at_ms - T0) // MINUTE_MS for firing in found]


FIVE = Threshold(10, 300)
TRIPLE = Spike(3, 600, 120, min_count=10)


@pytest.mark.parametrize(
    ("config", "cooldown", "stream", "minutes"),
    [
        pytest.param(FIVE, 15, {0: 10}, [], id="as many as the threshold is not more"),
        pytest.param(FIVE, 15, {0: 11}, [0], id="one more"),
        pytest.param(FIVE, 15, {0: 6, 4: 5}, [4], id="within five minutes"),
        pytest.param(FIVE, 15, {0: 6, 5: 5}, [], id="in the sixth minute the first is out"),
        pytest.param(FIVE, 15, {0: 3, 1: 3, 2: 3, 3: 3}, [3], id="adding up"),
        pytest.param(FIVE, 15, dict.fromkeys(range(40), 20), [0, 15, 30], id="a storm fires after each cooldown"),
        pytest.param(FIVE, 0, dict.fromkeys(range(3), 20), [0, 1, 2], id="no cooldown: once a minute"),
        pytest.param(FIVE, 2, {0: 50}, [0], id="what is over does not fire again"),
        pytest.param(FIVE, 2, {0: 50, 3: 1}, [0, 3], id="another event does, while the window is full"),
        pytest.param(FIVE, 2, {0: 50, 5: 1}, [0], id="and not when it is empty"),
        pytest.param(Threshold(0, 60), 15, {3: 1}, [3], id="more than none"),
        pytest.param(Threshold(10, 90), 15, {0: 6, 1: 5}, [1], id="ninety seconds are two minutes"),
        pytest.param(TRIPLE, 15, {0: 9}, [], id="too few to be a spike"),
        pytest.param(TRIPLE, 15, {0: 10}, [0], id="out of nothing"),
        pytest.param(TRIPLE, 60, dict.fromkeys(range(14), 5), [1], id="what begins is a spike once"),
        pytest.param(TRIPLE, 15, dict.fromkeys(range(-10, 12), 5) | {12: 10, 13: 26}, [13], id="threefold"),
        pytest.param(TRIPLE, 15, dict.fromkeys(range(-10, 12), 5) | {12: 10, 13: 20}, [], id="not quite threefold"),
    ],
)
def test_counting_rules_fire_in_the_right_minute(
    config: Threshold | Spike, cooldown: int, stream: dict[int, int], minutes: list[int]
) -> None:
    assert fired(rule(config, cooldown_ms=cooldown * MINUTE_MS), stream) == minutes


def test_a_firing_says_what_was_counted_and_what_before() -> None:
    counts = {T0 - 2 * MINUTE_MS: 4, T0 - MINUTE_MS: 3, T0: 50}

    (firing,) = over_minutes(rule(Threshold(10, 120)), 7, counts, T0, T0, fired_ms=None)
    (spike,) = over_minutes(rule(Spike(2, 240, 60)), 7, counts, T0, T0, fired_ms=None)

    assert (firing.events, firing.previous, firing.key) == (53, 4, "count")
    assert (spike.events, spike.previous, spike.baseline, spike.key) == (50, 3, 7 / 4, "rate")


def test_only_minutes_asked_for_fire_and_earlier_firings_count() -> None:
    stream = dict.fromkeys(range(-10, 40), 20)

    assert fired(rule(FIVE), stream, first=3, last=20) == [3, 18]
    assert fired(rule(FIVE), stream, first=3, last=20, since=-2) == [13]
    assert fired(rule(FIVE), stream, first=3, last=20, since=18) == []
    assert fired(rule(FIVE), stream, first=3, last=20, since=1000) == [3, 18], "the clock was put right"


streams = st.dictionaries(st.integers(-90, 60), st.integers(1, 40), max_size=40)
configs = st.one_of(
    st.builds(Threshold, st.integers(0, 60), st.integers(1, 1800)),
    st.builds(Spike, st.floats(1, 8), st.integers(1, 1800), st.integers(1, 900), st.integers(1, 30)),
)
cooldowns = st.sampled_from([0, 30_000, MINUTE_MS, 5 * MINUTE_MS, COOLDOWN_MS])


@settings(deadline=None)
@given(configs, cooldowns, streams)
def test_a_firing_is_never_false_and_none_is_missing(
    config: Threshold | Spike, cooldown_ms: int, stream: dict[int, int]
) -> None:
    """Against counting by hand, minute by minute."""
    found, last = [], None
    for minute in range(61):
        count = sum(stream.get(m, 0) for m in range(minute - config.minutes + 1, minute + 1))
        if isinstance(config, Threshold):
            exceeds = count > config.threshold
        else:
            start = minute - config.minutes
            before = sum(stream.get(m, 0) for m in range(start - config.baseline_minutes + 1, start + 1))
            exceeds = count >= config.min_count and count > config.multiplier * (
                before * config.minutes / config.baseline_minutes
            )
        quiet = last is not None and (minute - last) * MINUTE_MS < max(cooldown_ms, MINUTE_MS)
        if minute in stream and exceeds and not quiet:
            found.append(minute)
            last = minute

    assert fired(rule(config, cooldown_ms=cooldown_ms), stream, last=60) == found


@settings(deadline=None)
@given(configs, cooldowns, st.lists(st.integers(0, 40 * MINUTE_MS), max_size=60), st.integers(1, 4))
def test_looking_while_events_come_finds_what_looking_back_finds(
    config: Threshold | Spike, cooldown_ms: int, times: list[int], every: int
) -> None:
    """Asked after every few events for the last ten minutes, as the process does, and once for all at the end."""
    asked = rule(config, cooldown_ms=cooldown_ms)
    live: list[int] = []
    counts: Counter[int] = Counter()
    times = sorted(times)
    for number, at_ms in enumerate(times, start=1):
        minute_ms = T0 + at_ms - at_ms % MINUTE_MS
        counts[minute_ms] += 1
        is_last = number == len(times) or times[number] // MINUTE_MS != at_ms // MINUTE_MS
        if number % every == 0 or is_last:
            fired_ms = live[-1] if live else None
            first_ms = max(T0, minute_ms - 10 * MINUTE_MS)
            live += [f.at_ms for f in over_minutes(asked, 7, counts, first_ms, minute_ms, fired_ms=fired_ms)]

    back = [f.at_ms for f in over_minutes(asked, 7, counts, T0, T0 + 41 * MINUTE_MS, fired_ms=None)]
    assert live == back


@settings(deadline=None)
@given(configs)
def test_nothing_before_its_reach_matters_to_a_window(config: Threshold | Spike) -> None:
    asked, near = rule(config), {T0: 50, T0 - reach_ms(config) + MINUTE_MS: 3}
    far = near | {T0 - reach_ms(config) - MINUTE_MS: 999}

    assert list(over_minutes(asked, 7, near, T0, T0, fired_ms=None)) == list(
        over_minutes(asked, 7, far, T0, T0, fired_ms=None)
    )
