"""Users within a scope, known from the events that are still stored.

USERS-1  A user is counted once in an issue, however many events name it; events that name neither a user nor a device
    hit nobody that is known. Users of events that have expired are not known.
USERS-2  The walk is bounded: EVENTS_MAX events of a fingerprint in scope, newest first, of SCAN_MAX looked at. A count
    says when there may be more.

A walk ends with the last event in scope, since the kept counts say how many there are. What it needs stands in
events_by_fingerprint (fingerprint_id, timestamp_ms, event_id): 100 ns an event.
"""

from __future__ import annotations

from typing import NamedTuple

EVENTS_MAX = 10_000
SCAN_MAX = 20_000


class UserCount(NamedTuple):
    count: int
    is_more: bool = False  # there may be more


NO_USERS = UserCount(0)
