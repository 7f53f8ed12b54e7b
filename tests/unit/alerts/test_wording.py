"""What alerts say: complete, one line, of bounded length, whatever the client's text is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop.alerts.firing.decide import Firing
from bloop.alerts.firing.read import AlertIssue, IssueSignal, ProjectFacts
from bloop.alerts.firing.wording import TITLE_MAX, digest, facts, of_count, of_signal, one_line
from bloop.alerts.message import AlertMessage, from_json, to_json
from bloop.alerts.rules.model import NewIssue, Regression, Rule, RuleConfig, Spike, Threshold

NOW = 1_800_000_000_000
ORIGIN = "https://bloop.example"
SHOP = ProjectFacts(7, "id-of-shop", "shop", "Shop")
SUBJECT = AlertIssue(
    70, SHOP, "ab12", "SHOP-3", "TypeError", "x is undefined", "api", "error", "production", "1.4.0", "/cart", "at f",
    12, 3, NOW - 9000, NOW,
)  # fmt: skip
HAPPENED = IssueSignal(5, "issue.new", 7, 70, "ab12", "unresolved", "staging", "api", "1.4.2", NOW)


def rule(config: RuleConfig, **filters: str) -> Rule:
    return Rule(1, "On call", None, config, None, None, 0)._replace(**filters)


def of_kind(kind: str) -> AlertMessage:
    asked = rule(NewIssue() if kind == "issue.new" else Regression())
    return of_signal(asked, SUBJECT, HAPPENED._replace(kind=kind), now_ms=NOW, origin=ORIGIN)


def test_a_new_issue_says_what_where_how_often_and_how_many_people() -> None:
    message = of_kind("issue.new")

    assert message.text == (
        "New issue SHOP-3 in Shop: TypeError: x is undefined"
        " (staging, release 1.4.2; 12 events, 3 users; fingerprint ab12)"
    )
    assert message.url == "https://bloop.example/issues/SHOP-3"
    assert (message.rule_type, message.project_id, message.project_slug) == ("new_issue", "id-of-shop", "shop")
    assert message.issue is not None
    assert (message.issue.environment, message.issue.release) == ("staging", "1.4.2")


@pytest.mark.parametrize(
    ("kind", "start"), [("issue.regressed", "Regressed: SHOP-3"), ("issue.unmuted", "Mute ended: SHOP-3")]
)
def test_an_issue_that_is_back_says_how(kind: str, start: str) -> None:
    assert of_kind(kind).text.startswith(start)


def test_counters_that_do_not_know_the_event_yet_say_one() -> None:
    assert facts(SUBJECT._replace(event_count=0), ORIGIN).event_count == 1


def test_a_count_says_what_it_exceeds_what_was_before_and_which_issues() -> None:
    firing = Firing(7, "count", NOW, events=142, previous=36)
    asked = rule(Threshold(100, 300), environment_filter="production")

    message = of_count(asked, firing, SHOP, [(SUBJECT, 131)], 5, now_ms=NOW, origin=ORIGIN)

    assert message.text == "142 events in 5 min in Shop, production: more than 100; 36 in the previous 5 min"
    assert message.more == ("131 events: SHOP-3 TypeError: x is undefined",)
    assert (message.more_count, message.issue) == (4, None)
    assert (message.value, message.threshold, message.window_secs, message.previous) == (142.0, 100.0, 300, 36.0)
    assert message.url == "https://bloop.example/?project=shop&environment=production"


def test_a_count_of_one_issue_is_about_that_issue() -> None:
    firing = Firing(7, "ab12", NOW, events=142)

    message = of_count(rule(Threshold(100, 300, "ab12")), firing, SHOP, [(SUBJECT, 142)], 1, now_ms=NOW, origin=ORIGIN)

    assert message.issue is not None
    assert message.url == message.issue.url
    assert (message.more, message.more_count) == ((), 0)


def test_a_spike_says_how_many_times_the_rate() -> None:
    asked = rule(Spike(3, 3600, 300))
    steep = Firing(7, "rate", NOW, events=47, previous=10, baseline=12.0)
    sudden = steep._replace(baseline=0.0)

    messages = [of_count(asked, f, SHOP, [], 0, now_ms=NOW, origin=ORIGIN) for f in (steep, sudden)]

    assert messages[0].text == "47 events in 5 min in Shop: 3.9x the rate of the previous 1 h"
    assert messages[0].threshold == 36.0
    assert messages[1].text == "47 events in 5 min in Shop: none in the previous 1 h"


def test_a_digest_names_the_largest_and_counts_the_rest() -> None:
    first = of_kind("issue.new")
    counted = of_count(rule(Threshold(1, 60)), Firing(7, "count", NOW, events=2), SHOP, [], 0, now_ms=NOW, origin="")

    message = digest([(first, 90), (counted, 0)], 57, is_one_project=True, now_ms=NOW, origin=ORIGIN)

    assert message.text.startswith("57 more alerts from “On call” within a minute. Largest: SHOP-3 TypeError")
    assert message.more == ("SHOP-3 TypeError: x is undefined (90 events)", counted.text)
    assert (message.more_count, message.rule_type) == (55, "digest")
    assert (message.project_slug, message.url) == ("shop", "https://bloop.example/?project=shop")
    several = digest([(first, 90)], 57, is_one_project=False, now_ms=NOW, origin=ORIGIN)
    assert (several.project_id, several.project_slug, several.url) == ("", "", "https://bloop.example/")


@settings(deadline=None)
@given(st.text(), st.text(max_size=20), st.text(max_size=2000))
def test_whatever_a_client_sends_is_one_line_of_bounded_length(error_type: str, short: str, message: str) -> None:
    subject = SUBJECT._replace(error_type=error_type, message=message, release=short, environment=short)
    said = of_signal(
        rule(NewIssue()), subject, HAPPENED._replace(environment=None, release=None), now_ms=NOW, origin=ORIGIN
    )

    assert said.issue is not None
    assert len(said.issue.title) <= TITLE_MAX
    assert len(said.text) < 700
    assert said.text.isprintable() or not set(said.text) & set("\r\n\t\x00\x1b\u2028\u202e")
    assert from_json(to_json(said)) == said


def test_characters_that_hide_or_turn_text_are_gone() -> None:
    assert one_line("a\r\nb\x1b[31m\u202ec\u200bd") == "a b [31m c d"


def test_a_message_of_a_later_bloop_is_still_read() -> None:
    later = to_json(of_kind("issue.new")).replace('"rule_id":', '"mood":"good","rule_id":')
    assert from_json(later.replace('"short_id":', '"colour":"red","short_id":')) == of_kind("issue.new")
