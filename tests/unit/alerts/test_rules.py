"""RULE-1 to RULE-3."""

from __future__ import annotations

from typing import Any

import pytest

from bloop.alerts.rules.model import (
    NewIssue,
    Regression,
    Rule,
    RuleConfig,
    RuleType,
    Spike,
    Threshold,
    as_dict,
    minutes_of,
    parse_config,
)
from bloop.base.errors import InvalidField

GOOD: list[tuple[str, dict[str, Any], RuleConfig]] = [
    ("new_issue", {}, NewIssue()),
    ("new_issue", {"type": "new_issue", "environment": "production"}, NewIssue("production")),
    ("new_issue", {"environment": None}, NewIssue()),
    ("new_issue", {"environment": "  "}, NewIssue()),
    ("regression", {}, Regression()),
    ("threshold", {"threshold": 100, "window_secs": 3600}, Threshold(100, 3600)),
    ("threshold", {"threshold": 0, "window_secs": 1}, Threshold(0, 1)),
    ("threshold", {"threshold": 5.0, "window_secs": 60}, Threshold(5, 60)),
    (
        "threshold",
        {"threshold": 1, "window_secs": 60, "fingerprint": "ab", "route": "/a", "environment": "e", "source": "API"},
        Threshold(1, 60, "ab", "/a", "e", "api"),
    ),
    (
        "spike",
        {"multiplier": 3, "baseline_window_secs": 3600, "compare_window_secs": 300},
        Spike(3.0, 3600, 300, min_count=10),
    ),
    (
        "spike",
        {"multiplier": 1.5, "baseline_window_secs": 60, "compare_window_secs": 60, "min_count": 1, "source": "ios"},
        Spike(1.5, 60, 60, min_count=1, source="ios"),
    ),
]

EVEN = {"multiplier": 2, "baseline_window_secs": 60, "compare_window_secs": 60}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("weather", {}, "config.type"),
    ("", {}, "config.type"),
    ("new_issue", {"environment": 3}, "config.environment"),
    ("new_issue", {"enviroment": "production"}, "config.enviroment"),
    ("new_issue", {"environment": "e" * 1025}, "config.environment"),
    ("threshold", {"window_secs": 60}, "config.threshold"),
    ("threshold", {"threshold": 1}, "config.window_secs"),
    ("threshold", {"threshold": -1, "window_secs": 60}, "config.threshold"),
    ("threshold", {"threshold": True, "window_secs": 60}, "config.threshold"),
    ("threshold", {"threshold": "10", "window_secs": 60}, "config.threshold"),
    ("threshold", {"threshold": 1.5, "window_secs": 60}, "config.threshold"),
    ("threshold", {"threshold": float("nan"), "window_secs": 60}, "config.threshold"),
    ("threshold", {"threshold": 1, "window_secs": 0}, "config.window_secs"),
    ("threshold", {"threshold": 1, "window_secs": 86_401}, "config.window_secs"),
    ("threshold", {"threshold": 1, "window_secs": 60, "multiplier": 2}, "config.multiplier"),
    ("spike", {**EVEN, "multiplier": None}, "config.multiplier"),
    ("spike", {**EVEN, "multiplier": 0.5}, "config.multiplier"),
    ("spike", {**EVEN, "multiplier": float("inf")}, "config.multiplier"),
    ("spike", {"multiplier": 2, "compare_window_secs": 60}, "config.baseline_window_secs"),
    ("spike", {**EVEN, "min_count": 0}, "config.min_count"),
]


@pytest.mark.parametrize(("rule_type", "given", "config"), GOOD)
def test_a_config_is_read_as_its_type_says_and_survives_being_stored(
    rule_type: str, given: dict[str, Any], config: RuleConfig
) -> None:
    assert parse_config(rule_type, given) == config
    assert parse_config(rule_type, as_dict(config)) == config


@pytest.mark.parametrize(("rule_type", "given", "field"), BAD)
def test_a_config_that_will_not_do_is_refused_by_the_field_at_fault(
    rule_type: str, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidField, match=field) as refused:
        parse_config(rule_type, given)

    assert refused.value.name == field


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"threshold": None}, "config.threshold is required"),
        ({"threshold": "10"}, "config.threshold must be a whole number from 0 to 1000000000"),
        ({"window_secs": 86_401}, "config.window_secs must be a whole number from 1 to 86400"),
        ({"route": 5}, "config.route must be a string"),
        ({"route": "r" * 1025}, "config.route must be at most 1024 characters"),
        ({"zone": "", "area": 1}, "config.area is not known for this type of rule"),
        ({"zone": "", "threshold": -1}, "config.threshold must be a whole number from 0 to 1000000000"),
    ],
)
def test_a_refusal_says_what_would_be_right(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidField) as refused:
        parse_config("threshold", {"threshold": 1, "window_secs": 60} | changed)

    assert str(refused.value) == reason


def test_a_factor_is_refused_by_its_range() -> None:
    with pytest.raises(InvalidField, match=r"^config\.multiplier must be a number from 1 to 10000$"):
        parse_config("spike", {**EVEN, "multiplier": 10_001})


@pytest.mark.parametrize(("secs", "minutes"), [(1, 1), (60, 1), (61, 2), (90, 2), (3600, 60), (86_400, 1440)])
def test_windows_are_rounded_up_to_whole_minutes(secs: int, minutes: int) -> None:
    assert minutes_of(secs) == minutes


@pytest.mark.parametrize(
    ("own", "beside", "holds"),
    [(None, None, None), ("a", None, "a"), (None, "a", "a"), ("a", "a", "a")],
)
def test_both_kinds_of_filter_hold(own: str | None, beside: str | None, holds: str | None) -> None:
    scope = Rule(1, "r", 7, Threshold(1, 60, "ab", "/r", own, "ios"), beside, None, 0).scope

    assert scope == (7, "ab", "/r", holds, "ios")


def test_filters_that_contradict_each_other_match_nothing() -> None:
    assert Rule(1, "r", None, NewIssue("production"), "staging", None, 0).scope is None
    assert Rule(1, "r", None, Threshold(1, 60, source="ios"), None, "api", 0).scope is None


def test_a_rule_knows_its_type() -> None:
    configs = [NewIssue(), Regression(), Threshold(1, 60), Spike(2, 60, 60)]

    assert [Rule(1, "r", None, config, None, None, 0).type for config in configs] == list(RuleType)
