"""The content of one alert, before a channel formats it. Stored as JSON with its firing."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson


class IssueFacts(NamedTuple):
    """The issue an alert is about, as it stood when the alert fired. Texts come from clients: untrusted."""

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
    text: str  # one line, as phones show it
    url: str  # the page to open
    issue: IssueFacts | None = None
    value: float | None = None  # events counted in the window
    threshold: float | None = None  # what `value` exceeds
    window_secs: int | None = None
    previous: float | None = None  # the same count in the window before
    more: tuple[str, ...] = ()  # a digest's lines
    more_count: int = 0  # how many further ones are not listed


def to_json(message: AlertMessage) -> str:
    value = message._asdict()
    value["issue"] = message.issue._asdict() if message.issue else None
    return orjson.dumps(value).decode()


def from_json(text: str) -> AlertMessage:
    """Read what `to_json` wrote; keys of later versions are ignored."""
    value = _known_fields(AlertMessage, orjson.loads(text))
    if value["issue"] is not None:
        value["issue"] = IssueFacts(**_known_fields(IssueFacts, value["issue"]))
    value["more"] = tuple(value["more"])
    return AlertMessage(**value)


def _known_fields(kind: Any, value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in kind._fields if name in value}
