"""The event that a document or a terminal shows of an issue. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bloop.issues.events.read import EventRow

LOOKED_AT_MAX = 20  # newest events, for one that has a stack trace


def choose_event(newest: Sequence[EventRow]) -> tuple[EventRow | None, str]:
    """The event that tells most, and why it is the one: the newest with a stack trace, else the newest."""
    for number, event in enumerate(newest):
        if event.stack:
            return event, "the newest event" if number == 0 else "the newest event with a stack trace"
    if not newest:
        return None, "no event is stored"
    return newest[0], f"the newest event; none of the newest {len(newest)} has a stack trace"
