"""What an alert says. Pure: rows in, messages out.

Every text a message carries is one line of bounded length without control characters; it still is the client's text,
which each channel escapes in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from bloop.alerts.firing.decide import NEW, REGRESSED, UNMUTED, Firing
from bloop.alerts.firing.read import Happened, ProjectFacts, Subject
from bloop.alerts.message import AlertMessage, IssueFacts
from bloop.alerts.rules.model import Rule, Spike, Threshold
from bloop.base.durations import span

TITLE_MAX = 200
PLACE_MAX = 80  # of a release, environment or route inside a sentence
MESSAGE_MAX = 2000
PARTS_MAX = 3  # of the issues behind a count

_LEAD = {NEW: "New issue", REGRESSED: "Back again:", UNMUTED: "Mute ended:"}
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def of_signal(rule: Rule, subject: Subject, happened: Happened, *, now_ms: int, origin: str) -> AlertMessage:
    """An issue that is new or back."""
    issue = facts(subject, origin, environment=happened.environment, release=happened.release)
    lead = f"{_LEAD[happened.kind]} {issue.short_id} in {_short(subject.project.name)}"
    place = ", ".join(part for part in (_short(issue.environment), f"release {_short(issue.release)}") if part)
    counted = f"{_of(issue.event_count, 'event')}, {_of(issue.user_count, 'user')}"
    text = f"{lead}: {issue.title} ({place}; {counted}; fingerprint {_short(issue.fingerprint)})"
    return _message(rule, subject.project, now_ms, text, issue.url)._replace(issue=issue)


def of_count(
    rule: Rule,
    firing: Firing,
    project: ProjectFacts,
    parts: Sequence[tuple[Subject, int]],
    parts_count: int,
    *,
    now_ms: int,
    origin: str,
) -> AlertMessage:
    """More events than there should be. `parts` are the issues that have most of them, out of `parts_count`."""
    config = rule.config
    assert isinstance(config, Threshold | Spike)
    window = span(config.minutes * 60)
    text = f"{_of(firing.events, 'event')} in {window} in {_short(project.name)}{_narrowed(rule)}: "
    if isinstance(config, Threshold):
        exceeded = float(config.threshold)
        text += f"more than {config.threshold}; {firing.previous} in the {window} before"
    else:
        exceeded = config.multiplier * firing.baseline
        before = span(config.baseline_minutes * 60)
        times = f"{firing.events / firing.baseline:.3g} times the rate" if firing.baseline else "none"
        text += f"{times} {'of' if firing.baseline else 'in'} the {before} before"
    issue = facts(parts[0][0], origin) if config.fingerprint and parts else None
    lines = () if issue else tuple(f"{_of(n, 'event')}: {line(facts(subject, origin))}" for subject, n in parts)
    return _message(rule, project, now_ms, text, issue.url if issue else _list_url(origin, project, rule))._replace(
        issue=issue,
        value=float(firing.events),
        threshold=exceeded,
        window_secs=config.minutes * 60,
        previous=float(firing.previous),
        more=lines,
        more_count=parts_count - len(lines) if lines else 0,
    )


def digest(
    messages: Sequence[tuple[AlertMessage, int]], count: int, *, is_one_project: bool, now_ms: int, origin: str
) -> AlertMessage:
    """`count` alerts of one rule in one message. `messages` are those to name, each with its issue's events by now."""
    first = messages[0][0]
    lines = [
        f"{line(issue)} ({_of(max(events, issue.event_count), 'event')})" if (issue := message.issue) else message.text
        for message, events in messages
    ]
    text = f"{count} more alerts of “{_short(first.rule_name)}” within a minute, the largest: {lines[0]}"
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


def facts(subject: Subject, origin: str, *, environment: str | None = None, release: str | None = None) -> IssueFacts:
    """An issue as it stands, with the environment and release of the event this is about when it is known."""
    return IssueFacts(
        fingerprint=subject.fingerprint,
        short_id=subject.short_id,
        title=one_line(f"{subject.error_type}: {subject.message}" if subject.message else subject.error_type),
        error_type=one_line(subject.error_type),
        message=subject.message[:MESSAGE_MAX],
        source=subject.source,
        level=subject.level,
        environment=environment or subject.environment,
        release=release or subject.release,
        route=subject.route,
        culprit=subject.culprit,
        event_count=max(subject.event_count, 1),  # counters follow an event by a moment
        user_count=subject.user_count,
        first_seen_ms=subject.first_seen_ms,
        last_seen_ms=subject.last_seen_ms,
        url=f"{origin}/issues/{quote(subject.short_id, safe='')}",
    )


def line(issue: IssueFacts) -> str:
    return f"{issue.short_id} {issue.title}"


def one_line(text: str, length_max: int = TITLE_MAX) -> str:
    """Without line breaks and characters that hide or turn text, cut to `length_max` characters."""
    text = _BLANK.sub(" ", text[: length_max * 4]).strip()
    return text if len(text) <= length_max else text[: length_max - 1] + "…"


def _message(rule: Rule, project: ProjectFacts, now_ms: int, text: str, url: str) -> AlertMessage:
    return AlertMessage(
        rule.id, rule.name, rule.type.value, project.public_id, project.name, project.slug, now_ms, text, url
    )


def _narrowed(rule: Rule) -> str:
    """What else a rule narrows its events down to, for the middle of a sentence."""
    scope = rule.scope
    assert scope is not None, "a rule that contradicts itself never fires"
    named = (("", scope.environment), ("", scope.source), ("route ", scope.route), ("fingerprint ", scope.fingerprint))
    return "".join(f", {name}{_short(value)}" for name, value in named if value is not None)


def _list_url(origin: str, project: ProjectFacts, rule: Rule) -> str:
    scope = rule.scope
    assert scope is not None, "a rule that contradicts itself never fires"
    filters = {"environment": scope.environment, "source": scope.source, "route": scope.route}
    return f"{origin}/?{urlencode({'project': project.slug} | {k: v for k, v in filters.items() if v})}"


def _short(text: str) -> str:
    return one_line(text, PLACE_MAX)


def _of(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
