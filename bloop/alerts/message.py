"""What one alert says, before a channel puts it into its own form. Kept as JSON with the firing it belongs to."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson


class IssueFacts(NamedTuple):
    """The issue an alert is about, as it stood when the alert fired. Text is the client's: untrusted everywhere."""

    fingerprint: str
    short_id: str
    title: str  # "TypeError: x is undefined", one line, at most TITLE_MAX characters
    error_type: str
    message: str
    source: str
    level: str
    environment: str
    release: str
    route: str | None
    culprit: str | None
    event_count: int
    user_count: int
    first_seen_ms: int
    last_seen_ms: int
    url: str


class AlertMessage(NamedTuple):
    rule_id: int | None
    rule_name: str
    rule_type: str  # new_issue, regression, threshold, spike, test, digest
    project_id: str  # the public one; "" in a digest over several projects
    project_name: str
    project_slug: str
    at_ms: int
    text: str  # one line: what a phone shows
    url: str  # where to look
    issue: IssueFacts | None = None
    value: float | None = None  # events counted in the window
    threshold: float | None = None  # what `value` exceeds
    window_secs: int | None = None
    previous: float | None = None  # the same count in the window before
    more: tuple[str, ...] = ()  # a digest's lines
    more_count: int = 0  # how many it does not even list


def to_json(message: AlertMessage) -> str:
    value = message._asdict()
    value["issue"] = message.issue._asdict() if message.issue else None
    return orjson.dumps(value).decode()


def from_json(text: str) -> AlertMessage:
    """What `to_json` wrote; keys that a later bloop added are left out."""
    value = _known(AlertMessage, orjson.loads(text))
    if value["issue"] is not None:
        value["issue"] = IssueFacts(**_known(IssueFacts, value["issue"]))
    value["more"] = tuple(value["more"])
    return AlertMessage(**value)


def _known(kind: Any, value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in kind._fields if name in value}
