"""Writes the text of alerts. Pure: rows in, messages out.

Every text in a message is one line of bounded length without control characters. It still is untrusted text from
clients: each channel escapes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from bloop.alerts.firing.decide import NEW, REGRESSED, UNMUTED, Firing
from bloop.alerts.firing.read import AlertIssue, IssueSignal, ProjectFacts
from bloop.alerts.message import AlertMessage, IssueFacts
from bloop.alerts.rules.model import Rule, Spike, Threshold
from bloop.base.durations import span

TITLE_MAX = 200
PLACE_MAX = 80  # of a release, environment or route inside a sentence
MESSAGE_MAX = 2000
SHARES_MAX = 3  # of the issues behind a count

_LEAD = {NEW: "New issue", REGRESSED: "Regressed:", UNMUTED: "Mute ended:"}
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def of_signal(rule: Rule, issue_row: AlertIssue, signal: IssueSignal, *, now_ms: int, origin: str) -> AlertMessage:
    """A new or regressed issue, or a mute that ended."""
    issue = facts(issue_row, origin, environment=signal.environment, release=signal.release)
    lead = f"{_LEAD[signal.kind]} {issue.short_id} in {_short(issue_row.project.name)}"
    place = ", ".join(part for part in (_short(issue.environment), f"release {_short(issue.release)}") if part)
    counted = f"{_of(issue.event_count, 'event')}, {_of(issue.user_count, 'user')}"
    text = f"{lead}: {issue.title} ({place}; {counted}; fingerprint {_short(issue.fingerprint)})"
    return _message(rule, issue_row.project, now_ms, text, issue.url)._replace(issue=issue)


def of_count(
    rule: Rule,
    firing: Firing,
    project: ProjectFacts,
    shares: Sequence[tuple[AlertIssue, int]],
    shares_count: int,
    *,
    now_ms: int,
    origin: str,
) -> AlertMessage:
    """A threshold or spike. `shares` are the issues with most of the events, out of `shares_count`."""
    config = rule.config
    assert isinstance(config, Threshold | Spike)
    window = span(config.minutes * 60)
    text = f"{_of(firing.events, 'event')} in {window} in {_short(project.name)}{_narrowed(rule)}: "
    if isinstance(config, Threshold):
        exceeded = float(config.threshold)
        text += f"more than {config.threshold}; {firing.previous} in the previous {window}"
    else:
        exceeded = config.multiplier * firing.baseline
        before = f"the previous {span(config.baseline_minutes * 60)}"
        text += (
            f"{firing.events / firing.baseline:,.1f}x the rate of {before}" if firing.baseline else f"none in {before}"
        )
    issue = facts(shares[0][0], origin) if config.fingerprint and shares else None
    lines = () if issue else tuple(f"{_of(n, 'event')}: {line(facts(share, origin))}" for share, n in shares)
    return _message(rule, project, now_ms, text, issue.url if issue else _list_url(origin, project, rule))._replace(
        issue=issue,
        value=float(firing.events),
        threshold=exceeded,
        window_secs=config.minutes * 60,
        previous=float(firing.previous),
        more=lines,
        more_count=shares_count - len(lines) if lines else 0,
    )


def digest(
    messages: Sequence[tuple[AlertMessage, int]], count: int, *, is_one_project: bool, now_ms: int, origin: str
) -> AlertMessage:
    """`count` alerts of one rule in one message. `messages` are those to list, each with its issue's current events."""
    first = messages[0][0]
    lines = [
        f"{line(issue)} ({_of(max(events, issue.event_count), 'event')})" if (issue := message.issue) else message.text
        for message, events in messages
    ]
    text = f"{count} more alerts from “{_short(first.rule_name)}” within a minute. Largest: {lines[0]}"
    return AlertMessage(
        rule_id=first.rule_id,
        rule_name=first.rule_name,
        rule_type="digest",
        project_id=first.project_id if is_one_project else "",
        project_name=first.project_name if is_one_project else "",
        project_slug=first.project_slug if is_one_project else "",
        at_ms=now_ms,
        text=text,
        url=f"{origin}/?{urlencode({'project': first.project_slug})}" if is_one_project else f"{origin}/",
        more=tuple(lines),
        more_count=count - len(lines),
    )


def facts(
    issue_row: AlertIssue, origin: str, *, environment: str | None = None, release: str | None = None
) -> IssueFacts:
    """The issue's current values, with environment and release of the event when known."""
    return IssueFacts(
        fingerprint=issue_row.fingerprint,
        short_id=issue_row.short_id,
        title=one_line(f"{issue_row.error_type}: {issue_row.message}" if issue_row.message else issue_row.error_type),
        error_type=one_line(issue_row.error_type),
        message=issue_row.message[:MESSAGE_MAX],
        source=issue_row.source,
        level=issue_row.level,
        environment=environment or issue_row.environment,
        release=release or issue_row.release,
        route=issue_row.route,
        culprit=issue_row.culprit,
        event_count=max(issue_row.event_count, 1),  # counters lag behind an event
        user_count=issue_row.user_count,
        first_seen_ms=issue_row.first_seen_ms,
        last_seen_ms=issue_row.last_seen_ms,
        url=f"{origin}/issues/{quote(issue_row.short_id, safe='')}",
    )


def line(issue: IssueFacts) -> str:
    return f"{issue.short_id} {issue.title}"


def one_line(text: str, length_max: int = TITLE_MAX) -> str:
    """One line without invisible characters and direction marks, at most `length_max` characters."""
    text = _BLANK.sub(" ", text[: length_max * 4]).strip()
    return text if len(text) <= length_max else text[: length_max - 1] + "…"


def _message(rule: Rule, project: ProjectFacts, now_ms: int, text: str, url: str) -> AlertMessage:
    return AlertMessage(
        rule.id, rule.name, rule.type.value, project.public_id, project.name, project.slug, now_ms, text, url
    )


def _narrowed(rule: Rule) -> str:
    """The rule's further filters, for the middle of a sentence."""
    scope = rule.scope
    assert scope is not None, "a rule with contradictory filters never fires"
    named = (("", scope.environment), ("", scope.source), ("route ", scope.route), ("fingerprint ", scope.fingerprint))
    return "".join(f", {name}{_short(value)}" for name, value in named if value is not None)


def _list_url(origin: str, project: ProjectFacts, rule: Rule) -> str:
    scope = rule.scope
    assert scope is not None, "a rule with contradictory filters never fires"
    filters = {"environment": scope.environment, "source": scope.source, "route": scope.route}
    return f"{origin}/?{urlencode({'project': project.slug} | {k: v for k, v in filters.items() if v})}"


def _short(text: str) -> str:
    return one_line(text, PLACE_MAX)


def _of(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
