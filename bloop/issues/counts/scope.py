"""The scope of a page, as counts know it: whole hours, and minutes at its edges. Pure.

COUNTS-1  Hours and edges of a scope lie side by side: together they are its window, and no event is in two of them.
COUNTS-2  No event is received later than now, so the hours of a window that is running include the current one.
COUNTS-3  Counts of minutes are kept for days, by environment and not by release. A scope asks for none that are not
    there: `Window` snaps to whole hours then, and so does `before`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from bloop.base.clock import HOUR_MS, hour_of
from bloop.site.scope import MINUTES_KEPT_MS, PageScope, Window


class Span(NamedTuple):
    """From the first instant up to, not including, the second."""

    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class CountScope:
    """Events received within `window`; empty text means all environments or releases."""

    window: Window
    environment: str = ""
    release: str = ""

    @classmethod
    def of(cls, scope: PageScope, now_ms: int) -> CountScope:
        return cls(scope.window(now_ms), scope.environment, scope.release)

    @property
    def has_names(self) -> bool:
        return bool(self.environment or self.release)

    @property
    def names(self) -> dict[str, str]:
        """Bindings of the statements that compare them."""
        return {"environment": self.environment, "release": self.release}

    @property
    def hours(self) -> Span:
        """The whole hours; empty where the second is not above the first."""
        first, end = _next_hour(self.window.from_ms), self.window.to_ms
        return Span(first, _next_hour(end) if self.window.is_running else hour_of(end))

    @property
    def edges(self) -> list[Span]:
        """What lies before and behind the whole hours, minute by minute; at most two, each shorter than an hour."""
        window, hours = self.window, self.hours
        if hours.to_ms <= hours.from_ms:
            return [Span(window.from_ms, window.to_ms)]
        head, tail = Span(window.from_ms, hours.from_ms), Span(hours.to_ms, window.to_ms)
        return [edge for edge in (head, tail) if edge.to_ms > edge.from_ms]

    @property
    def aligned(self) -> Window:
        """The window with its start on a whole hour, for charts made of hours."""
        return self.window._replace(from_ms=hour_of(self.window.from_ms), unit_ms=HOUR_MS)

    def before(self, now_ms: int) -> CountScope:
        """The span of equal length just before; it starts up to an hour earlier where minutes are gone by now."""
        window = self.window.before
        if window.from_ms < now_ms - MINUTES_KEPT_MS:
            window = window._replace(from_ms=hour_of(window.from_ms))
        return replace(self, window=window)


def _next_hour(at_ms: int) -> int:
    """The start of an hour at `at_ms` or behind it."""
    return -(-at_ms // HOUR_MS) * HOUR_MS
