"""A rule as a form and back: what a page shows is what saving it again stores."""

from __future__ import annotations

import pytest

from bloop.alerts.rules import words as alert_words
from bloop.alerts.rules.bodies import fields_in
from bloop.alerts.rules.forms import body_from_form, chosen_channels
from bloop.alerts.rules.model import as_dict, parse_config
from bloop.alerts.rules.read import RuleRow
from bloop.alerts.saved_channels.forms import channel_config, new_channel_config
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
    typed = {"type": "webhook", "webhook-url": "https://x.example/", "webhook-template": " "}

    assert channel_config(typed | {"webhook-headers": " A: b:c \n\nD:e", "slack-webhook_url": "https://y"}) == {
        "type": "webhook",
        "url": "https://x.example/",
        "headers": {"A": "b:c", "D": "e"},
    }
    for line in ("A", "A:", ": b", ":"):
        with pytest.raises(InvalidField, match="each line"):
            channel_config(typed | {"webhook-headers": line})


def test_the_channel_of_a_rules_form_is_an_address_of_its_type() -> None:
    assert new_channel_config({"new_type": "slack", "new_address": " https://x "}) == {
        "type": "slack",
        "webhook_url": "https://x",
    }
    assert new_channel_config({"new_type": "email", "new_address": "a@b.example"}) == {
        "type": "email",
        "to": "a@b.example",
    }
    assert new_channel_config({"new_type": "slack", "new_address": " "}) is None
    assert new_channel_config({"new_type": "telegram", "new_address": "x"}) == {"type": "telegram"}, (
        "it needs two fields"
    )


def test_ticked_channels_are_read_from_their_names() -> None:
    form = {"channel-7": "on", "channel-12": "on", "channel-": "on", "channel-x": "on", "new_type": "slack"}

    assert chosen_channels(form) == {7, 12}


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({"type": "new_issue", "name": " "}, "New issues"),
        ({"type": "new_issue", "environment": "production"}, "New issues in production"),
        ({"type": "spike", "environment": "e" * 200}, "Event rate spikes in " + "e" * 79),
        ({"type": "new_issue", "name": "Mine"}, "Mine"),
    ],
)
def test_a_rule_without_a_name_is_named_by_its_condition(form: dict[str, str], name: str) -> None:
    assert body_from_form(form)["name"] == name


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
