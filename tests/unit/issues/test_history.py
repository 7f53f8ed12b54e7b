"""Lines of the audit trail as sentences."""

from __future__ import annotations

from typing import Any

import pytest

from bloop.issues.status import words as history
from bloop.issues.status.read import StatusChangeRow
from tests.unit.site.samples import json

UNTIL_MS = 1_768_737_600_000


def a_change(old: str, new: str, detail: dict[str, Any], **columns: Any) -> StatusChangeRow:
    row = StatusChangeRow(3, 7, 1, "p1", "f", old, new, "u1", "Ada", "api", None, UNTIL_MS, detail=json(detail))
    return row._replace(**columns)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (a_change("unresolved", "resolved", {}), "Resolved"),
        (a_change("unresolved", "resolved", {"in_release": "1.4.2"}), "Resolved in 1.4.2"),
        (a_change("unresolved", "resolved", {"after_release": "1.4.2"}), "Resolved in the release after 1.4.2"),
        (a_change("resolved", "regressed", {}, release="1.5.0"), "Regressed in 1.5.0"),
        (a_change("unresolved", "ignored", {}), "Ignored"),
        (a_change("ignored", "unresolved", {}), "Reopened"),
        (a_change("unresolved", "muted", {}), "Muted"),
        (a_change("unresolved", "muted", {"until_ms": UNTIL_MS}), "Muted until 18 Jan 2026, 12:00:00 UTC"),
        (a_change("unresolved", "muted", {"events": 1}), "Muted until 1 event more"),
        (a_change("unresolved", "muted", {"events": 2500}), "Muted until 2,500 events more"),
        (a_change("unresolved", "muted", {"per_hour": 9}), "Muted until more than 9 events in an hour"),
        (a_change("muted", "unresolved", {"ended": "events", "events": 9}), "Mute ended: 9 events more happened"),
        (
            a_change("muted", "unresolved", {"ended": "rate", "per_hour": 9}, release="1.5.0"),
            "Mute ended: more than 9 events in an hour",
        ),
        (a_change("muted", "unresolved", {"ended": "time", "until_ms": UNTIL_MS}), "Mute ended: its time was over"),
        (
            a_change("muted", "unresolved", {"ended": "time", "until_ms": UNTIL_MS}, release="1.5.0"),
            "Mute ended: its time was over, and it happened again in 1.5.0",
        ),
        (a_change("muted", "muted", {"assignee": "u2", "username": "grace"}, action="assigned"), "Assigned to grace"),
        (a_change("muted", "muted", {"assignee": None, "username": None}, action="assigned"), "Unassigned"),
    ],
)
def test_a_change_is_said_in_words(change: StatusChangeRow, said: str) -> None:
    assert str(history.sentence(change)) == said


@pytest.mark.parametrize(
    ("columns", "who", "place"),
    [
        ({}, "Ada", "through the API"),
        ({"network": "192.0.2.0/24"}, "Ada", "through the API, from 192.0.2.0/24"),
        ({"changed_via": "dashboard", "changed_by_name": None}, "a removed account", "on the page"),
        ({"changed_via": "cli", "changed_by_name": "operator"}, "operator", "on the command line"),
        ({"changed_via": "ingest", "changed_by": None, "changed_by_name": None}, "", ""),
        ({"changed_via": "schedule", "changed_by": None, "changed_by_name": None}, "", "on schedule"),
    ],
)
def test_it_says_who_did_it_and_from_where(columns: dict[str, Any], who: str, place: str) -> None:
    change = a_change("unresolved", "resolved", {}, **columns)

    assert (history.who(change), history.place(change)) == (who, place)
