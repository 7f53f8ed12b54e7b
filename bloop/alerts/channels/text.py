"""The texts of an alert for any channel. They hold text that clients sent: untrusted.

TEXT-1  One line stays one line: line breaks, control characters and direction marks are removed.
TEXT-2  Texts are truncated in characters before a channel escapes them, so that no escape is cut.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from bloop.alerts.message import AlertMessage, IssueFacts
from bloop.base.durations import span

NAME_CHARS_MAX = 100
TEXT_CHARS_MAX = 500
FACT_CHARS_MAX = 200
MORE_LINES_MAX = 10
MORE_CHARS_MAX = 160

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\s]+")
_MENTION = re.compile(r"@(?=\w)")


class MessageFact(NamedTuple):
    label: str
    value: str


def one_line(text: str, chars_max: int) -> str:
    """TEXT-1 and TEXT-2; truncated text ends in an ellipsis."""
    text = _INVISIBLE.sub(" ", text[: chars_max * 4]).strip()
    return text if len(text) <= chars_max else text[: chars_max - 1].rstrip() + "…"


def no_mentions(text: str) -> str:
    """Break `@name` with a zero-width space, so that an error message mentions nobody."""
    return _MENTION.sub("@\u200b", text)


def headline(message: AlertMessage) -> str:
    return f"[bloop alert: {one_line(message.rule_name, NAME_CHARS_MAX)}]"


def sentence(message: AlertMessage) -> str:
    return one_line(message.text, TEXT_CHARS_MAX)


def more_lines(message: AlertMessage) -> list[str]:
    """The other lines of a digest, and how many more there are."""
    shown = [one_line(line, MORE_CHARS_MAX) for line in message.more[:MORE_LINES_MAX]]
    left_out = len(message.more) - len(shown) + message.more_count
    return [*shown, f"and {left_out:,} more"] if left_out else shown


def link_label(message: AlertMessage) -> str:
    return f"Open {one_line(message.issue.short_id, 40)}" if message.issue else "Open bloop"


def facts(message: AlertMessage) -> list[MessageFact]:
    """What people want to know before they open the page; unknown values are left out."""
    values = [("Project", message.project_name), ("Window", _window(message))]
    if message.issue:
        values += _issue_facts(message.issue)
    return [MessageFact(label, one_line(value, FACT_CHARS_MAX)) for label, value in values if value]


def utc(ms: int) -> str:
    """`2026-03-01 12:30 UTC`"""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _issue_facts(issue: IssueFacts) -> list[tuple[str, str]]:
    people = f", {issue.user_count:,} {'person' if issue.user_count == 1 else 'people'}" if issue.user_count else ""
    return [
        ("Environment", issue.environment),
        ("Release", issue.release),
        ("Source", issue.source),
        ("Where", issue.culprit or issue.route or ""),
        ("Events", f"{issue.event_count:,}{people}"),
        ("First seen", utc(issue.first_seen_ms)),
    ]


def _window(message: AlertMessage) -> str:
    """`47 events in 1 h, 12 in the previous 1 h`"""
    if message.value is None or not message.window_secs:
        return ""
    before = (
        "" if message.previous is None else f", {message.previous:,.6g} in the previous {span(message.window_secs)}"
    )
    return f"{message.value:,.6g} events in {span(message.window_secs)}{before}"
