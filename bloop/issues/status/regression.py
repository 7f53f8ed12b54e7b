"""Whether an event of a resolved issue means that it is back. Pure.

REGRESSION-1  Resolved without a release: every later event brings it back.
REGRESSION-2  Resolved in a release: events of older releases do not, everything else does: that release, newer ones,
    events without a release, and releases whose order is unknown.
REGRESSION-3  Resolved in the next release: only a release that was not known at the resolving and is not older
    than the newest known then. Events without a release bring it back, or a project that stops naming them would stay
    silent.
REGRESSION-4  What was received before the resolving never counts: it waited in the ring meanwhile.
"""

from __future__ import annotations

from typing import NamedTuple

from bloop.releases.model import NO_RELEASE, FirstSeenOf, Order, compare


class Resolution(NamedTuple):
    """Where an issue counts as fixed. `release` None: as of now, wherever it happens.

    With `is_next`, `release` is the newest one known when it was resolved, and the fix is in whatever comes after it.
    """

    release: str | None = None
    is_next: bool = False


NOW = Resolution()


def is_back(
    resolution: Resolution, resolved_at_ms: int, release: str, environment: str, first_seen: FirstSeenOf
) -> bool:
    """Whether an event of this release, received after the resolving (REGRESSION-4), brings the issue back."""
    if resolution.release is None or release == NO_RELEASE:
        return True
    order = compare(release, resolution.release, environment, first_seen)
    if not resolution.is_next:
        return order is not Order.OLDER
    if order in (Order.OLDER, Order.SAME):
        return False
    was_known = min(first_seen(release).values(), default=resolved_at_ms + 1) <= resolved_at_ms
    return not was_known
