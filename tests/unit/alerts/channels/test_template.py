"""TEMPLATE-1 to TEMPLATE-3: a webhook body of one's own says things and does nothing."""

from __future__ import annotations

import time

import orjson
import pytest

from bloop.alerts import channels
from bloop.alerts.channels import webhook
from bloop.alerts.channels.template import OUTPUT_BYTES_MAX, SAMPLES, BadTemplate, render
from bloop.base.config import Settings
from bloop.base.errors import InvalidField
from tests.unit.alerts.channels import samples
from tests.unit.alerts.channels.samples import DIGEST, ISSUE, KEY, NEW_ISSUE, THRESHOLD

NASTY = samples.NASTY.replace("\ud800", "")  # which no stored text holds

PAGERDUTY = """
{
  "routing_key": {{ secrets.routing_key|tojson }},
  "event_action": "trigger",
  "dedup_key": {{ (fingerprint or delivery_id)|tojson }},
  "payload": {
    "summary": {{ text|truncate(1000)|tojson }},
    "severity": {% if rule_type in ("spike", "threshold") %}"critical"{% else %}"error"{% endif %},
    "source": {{ (project or "bloop")|tojson }},
    "custom_details": {
      "title": {{ (issue.title if issue else text)|tojson }},
      "route": {{ issue.route|default(none)|tojson }},
      "more": [{% for line in more %}{{ line|tojson }}{% if not loop.last %}, {% endif %}{% endfor %}]
    }
  }
}
"""
QUOTED = NEW_ISSUE._replace(text=NASTY, more=(NASTY, '"'), project_name=NASTY, issue=ISSUE._replace(title=NASTY))
CONFIG = {"url": "https://events.pagerduty.com/v2/enqueue", "template": PAGERDUTY, "secrets": {"routing_key": 'R"1'}}


def refusal(template: str, **config: str) -> str:
    with pytest.raises(InvalidField) as caught:
        channels.check("webhook", {"url": "https://example.com/", "template": template, **config}, Settings())
    assert caught.value.name == "config.template"
    return str(caught.value)


@pytest.mark.parametrize("message", [NEW_ISSUE, THRESHOLD, DIGEST, QUOTED, *SAMPLES])
def test_template_of_the_manual_gives_json_whatever_an_error_says(message):
    stored = channels.check("webhook", CONFIG, Settings())

    body = orjson.loads(webhook.render(stored, webhook.payload(message, KEY)))
    assert body["routing_key"] == 'R"1'
    assert body["payload"]["summary"] == message.text
    assert body["payload"]["custom_details"]["more"] == list(message.more)
    assert body["dedup_key"] == (message.issue.fingerprint if message.issue else KEY)


def test_text_that_is_no_json_goes_where_the_content_type_says_so():
    given = {"url": "https://ntfy.example/alerts", "template": "{{ rule }}: {{ text }}\n", "content_type": "Text/Plain"}
    stored = channels.check("webhook", given, Settings())

    assert stored["content_type"] == "text/plain"
    assert (
        webhook.render(stored, webhook.payload(NEW_ISSUE, KEY)).decode() == f"{NEW_ISSUE.rule_name}: {NEW_ISSUE.text}"
    )


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ('{"a": "{{ text }}"}', "put |tojson after each value"),
        ('{"a": {{ text|tojson }}', "no valid JSON"),
        ("{{ txt|tojson }}", "'txt' is undefined"),
        (
            "{{ issue.title|tojson }}",
            "alert about no issue (a count, a digest, a test): 'None' has no attribute 'title'",
        ),
        ("{{ issue.titel|tojson }}", "no attribute 'titel'"),
        ("{{ secrets.key|tojson }}", "no attribute 'key'"),
        ("{{ text|tojson ", "unexpected end of template"),
        ("{% if text %}1", "Unexpected end of template"),
        ("{{ text|nope }}", "there is no filter 'nope'"),
        ("{{ 1 if text is nope else 2 }}", "nope"),
    ],
)
def test_template_that_would_fail_at_night_is_refused_by_day(template: str, reason: str):
    assert reason in refusal(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ text.upper() }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ text['__class__']|tojson }}",
        "{{ range(10)|tojson }}",
        "{{ cycler|tojson }}",
        "{{ 9 ** 9999999 }}",
        "{{ 'a' * 999999999 }}",
        "{{ '%999999999d' % 1 }}",
        "{{ 1 + 1 }}",
        "{{ -(-1) }}",
        "{{ text[:5]|tojson }}",
        "{{ text|center(999999999) }}",
        "{{ text|tojson(indent=999999999) }}",
        "{{ text|round(999999999, 'ceil') }}",
        "{{ text|replace('a', 'aaaaaaaaaa')|tojson }}",
        "{{ text|e|e|e|e|e|tojson }}",
        "{{ {'a': 1}|tojson }}",
        "{% set x = text %}1",
        "{% for a in more %}{% for b in more %}{% endfor %}{% endfor %}1",
        "{% for a in text %}{% endfor %}1",
        "{% for a in more recursive %}{% endfor %}1",
        "{% macro m() %}{% endmacro %}1",
        "{% block b %}{% endblock %}1",
        "{% include 'x' %}1",
        "{% import 'x' as x %}1",
        "{% extends 'x' %}1",
        "{% filter upper %}a{% endfilter %}1",
        "{% call m() %}{% endcall %}1",
        "{% with a = 1 %}1{% endwith %}",
        "{% raw %}{{{% endraw %}",
        "{{ " + "(" * 300 + "1" + ")" * 300 + " }}",
        "{{ " + "not " * 3000 + "1 }}",
        "{% if 1 %}" * 30 + "{% endif %}" * 30,
    ],
)
def test_template_that_could_do_or_become_something_is_refused(template: str):
    began_s = time.monotonic()

    assert refusal(template)
    assert time.monotonic() - began_s < 8


def test_what_comes_out_is_bounded():
    with pytest.raises(BadTemplate, match="more than 64 KiB"):
        render("{% for line in more %}{{ line }}{% endfor %}", {"more": ["x" * 1000] * 100})
    assert len(render("{{ text }}", {"text": "x" * OUTPUT_BYTES_MAX})) == OUTPUT_BYTES_MAX


def test_template_sees_nothing_but_what_it_is_given():
    for name in ("settings", "config", "request", "url_for", "lipsum", "namespace", "dict", "joiner"):
        with pytest.raises(BadTemplate, match="undefined"):
            render(f"{{{{ {name} }}}}", {"text": "x"})
