"""A rule as a form and back: what a page shows is what saving it again stores."""

from __future__ import annotations

import pytest

from bloop.alerts.rules import words as alert_words
from bloop.alerts.rules.bodies import fields_in
from bloop.alerts.rules.forms import body_from_form, channel_config
from bloop.alerts.rules.model import as_dict, parse_config
from bloop.alerts.rules.pages import GUIDES
from bloop.alerts.rules.read import RuleRow
from bloop.base.errors import InvalidField
from tests.unit.site.alert_samples import a_rule, spike, threshold


def as_it_is(text: str) -> str:
    return text


RULES = [
    a_rule(as_it_is),
    a_rule(as_it_is, "regression", description=None, environment_filter=None, source_filter=None, cooldown_secs=None),
    threshold(as_it_is, cooldown_secs=0),
    threshold(as_it_is, config_json='{"threshold": 0, "window_secs": 60}', cooldown_secs=604_800),
    spike(as_it_is, config_json='{"multiplier": 1.25, "compare_window_secs": 60, "baseline_window_secs": 86400}'),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_type)
def test_a_form_that_is_saved_as_it_was_shown_changes_nothing(rule: RuleRow) -> None:
    saved = fields_in(body_from_form(alert_words.form_values(rule)))

    assert saved.rule_type == rule.rule_type
    assert saved.config == as_dict(parse_config(rule.rule_type, rule.config))
    assert (saved.name, saved.description or None) == (rule.name, rule.description)
    assert (saved.environment_filter or None, saved.source_filter or None, saved.cooldown_secs) == (
        rule.environment_filter,
        rule.source_filter,
        rule.cooldown_secs,
    )


def test_filters_of_the_config_are_shown_as_the_filters_they_are() -> None:
    rule = threshold(
        as_it_is,
        config_json='{"threshold": 1, "window_secs": 90, "environment": "staging", "source": "ios"}',
        environment_filter=None,
        source_filter=None,
    )

    saved = fields_in(body_from_form(alert_words.form_values(rule)))

    assert (saved.environment_filter, saved.source_filter) == ("staging", "ios")
    assert saved.config["window_secs"] == 120  # in whole minutes, as it is counted


def test_headers_are_lines_of_name_and_value() -> None:
    typed = {"type": "webhook", "url": "https://x.example/", "headers": " A: b:c \n\nD:e", "template": " "}

    assert channel_config(typed, GUIDES["webhook"].fields) == {
        "type": "webhook",
        "url": "https://x.example/",
        "headers": {"A": "b:c", "D": "e"},
    }
    for line in ("A", "A:", ": b", ":"):
        with pytest.raises(InvalidField, match="each line"):
            channel_config(typed | {"headers": line}, GUIDES["webhook"].fields)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (None, None, ""),
        (None, 502, "502"),
        ("no answer", None, "no answer"),
        ("x.example answered 503", 503, "x.example answered 503"),
        ("mailbox full", 552, "552: mailbox full"),
    ],
)
def test_an_answer_is_said_once(error: str | None, status: int | None, said: str) -> None:
    assert alert_words.describe_answer(error, status) == said
