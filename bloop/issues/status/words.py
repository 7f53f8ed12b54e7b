"""Lines of the audit trail as sentences: what was done, by whom, from where. Pure.

The words are bloop's own; a release or a person's name in them is foreign text, and stands apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from bloop.issues.status.model import Status
from bloop.issues.status.read import StatusChangeRow
from bloop.site.filters import exact, number

ASSIGNED, UNDONE = "assigned", "undone"

_VERBS = {
    Status.RESOLVED: "Resolved",
    Status.IGNORED: "Ignored",
    Status.MUTED: "Muted",
    Status.UNRESOLVED: "Reopened",
    Status.REGRESSED: "Regressed",
}
_PLACES = {
    "dashboard": "on the page",
    "api": "through the API",
    "cli": "on the command line",
    "schedule": "on schedule",
}


class Sentence(NamedTuple):
    """One change, in words. `text` continues with a release or a person's name, where there is one."""

    text: str
    release: str = ""
    person: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in self if part)


def sentence(change: StatusChangeRow) -> Sentence:
    """`Muted until 100 events more`, `Regressed in` 1.4.2 …"""
    detail: dict[str, Any] = orjson.loads(change.detail)
    if change.action == ASSIGNED:
        name = detail.get("username")
        return Sentence("Assigned to", person=name) if name else Sentence("Unassigned")
    if change.action == UNDONE:
        return _undone(change)
    if "ended" in detail:
        return _ended(detail, change.release or "")
    verb = _VERBS[Status(change.new_status)]
    if change.new_status == Status.MUTED:
        ends = mute_words(detail.get("until_ms"), detail.get("events"), detail.get("per_hour"))
        return Sentence(f"{verb} {ends}" if ends else verb)
    if "after_release" in detail:
        return Sentence(f"{verb} in the release after", detail["after_release"])
    release = detail.get("in_release") or change.release or ""
    return Sentence(f"{verb} in" if release else verb, release)


def mute_words(until_ms: int | None, events: int | None, per_hour: int | None) -> str:
    """The condition that ends a mute; empty: there is none."""
    if until_ms is not None:
        return f"until {exact(until_ms)}"
    if events is not None:
        return f"until {_events(events)} more"
    return "" if per_hour is None else f"until more than {_events(per_hour)} in an hour"


def who(change: StatusChangeRow) -> str:
    """The person or token; empty where bloop itself acted."""
    return change.changed_by_name or ("a removed account" if change.changed_by else "")


def place(change: StatusChangeRow) -> str:
    """`through the API, from 192.0.2.0/24`; empty where an event did it."""
    parts = [_PLACES.get(change.changed_via, ""), f"from {change.network}" if change.network else ""]
    return ", ".join(part for part in parts if part)


def _undone(change: StatusChangeRow) -> Sentence:
    """`Undid: resolved by` ada; the change that was undone has its own line below."""
    verbs = {ASSIGNED: "assignment", UNDONE: "undo"}
    status = Status(change.undone_status or change.new_status)
    word = verbs.get(change.undone_action or "", _VERBS[status].lower())
    name = change.undone_by_name
    return Sentence(f"Undid: {word} by", person=name) if name else Sentence(f"Undid: {word}")


def _ended(detail: dict[str, Any], release: str) -> Sentence:
    """Why a mute is over."""
    if detail.get("events") is not None:
        return Sentence(f"Mute ended: {_events(detail['events'])} more happened")
    if detail.get("per_hour") is not None:
        return Sentence(f"Mute ended: more than {_events(detail['per_hour'])} in an hour")
    over = "Mute ended: its time was over"
    return Sentence(f"{over}, and it happened again in" if release else over, release)


def _events(count: int) -> str:
    return f"{number(count)} event{'s' if count != 1 else ''}"
