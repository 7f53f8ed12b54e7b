"""The scope of a page: project, environment, release and time range, as its URL says them. Pure.

    ?project=web-shop&env=production&release=2.4.1&t=7d

SCOPE-1  Every number of a page obeys its scope. One that cannot says so in its label.
SCOPE-2  `PageScope.from_params(scope.params())` is `scope`. A default is left out of the URL; `environment` is read as
    `env`.
SCOPE-3  A window ends with the minute or hour that is running, and begins as long before as its range says. Its edges
    lie on whole minutes where counts of minutes are kept and can answer, else on whole hours, so that counts, charts
    and lists of one page speak of the same events. What is in scope is decided by the time of receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.base.errors import InvalidParameter

RANGES_MS = {"1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
DEFAULT_RANGE = "24h"
MINUTES_KEPT_MS = 8 * DAY_MS  # counts of minutes go after nine days; one is left for a clean-up that is late
CUSTOM_MS_MAX = 366 * DAY_MS
UNITS_MIN = 2  # of a window that is running: the one that has just begun says nothing by itself
NAME_CHARS_MAX = 200
PARAMS = ("project", "env", "release", "t")

_SEPARATOR = ".."
_FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")


class Window(NamedTuple):
    """The instants a range stands for: from the first up to, not including, the second. Both in ms, UTC."""

    from_ms: int
    to_ms: int
    unit_ms: int  # MINUTE_MS or HOUR_MS: what the edges are multiples of, and the finest counts to be asked for
    is_running: bool  # it ends now, so that its last unit is not over

    @property
    def before(self) -> Window:
        """The span of equal length just before, for comparisons."""
        span_ms = self.to_ms - self.from_ms
        return Window(self.from_ms - span_ms, self.from_ms, self.unit_ms, is_running=False)


@dataclass(frozen=True, slots=True)
class PageScope:
    """Empty text means all of them. `range` is one of RANGES_MS, or `FROM..TO` with two instants in UTC."""

    project: str = ""  # slug
    environment: str = ""
    release: str = ""
    range: str = DEFAULT_RANGE

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> PageScope:
        """Read a query string; other parameters are ignored.

        Raises:
            InvalidParameter: `t` is no range.
        """
        names = (*PARAMS, "environment", "from", "to")
        texts = {name: value.strip() for name, value in params.items() if name in names}
        if "t" not in texts and texts.get("from") and texts.get("to"):  # a form of two fields
            texts["t"] = f"{texts['from']}{_SEPARATOR}{texts['to']}"
        time_range = texts.get("t") or DEFAULT_RANGE
        if time_range not in RANGES_MS:
            time_range = _SEPARATOR.join(_written(at_ms) for at_ms in _custom(time_range))
        return cls(
            project=texts.get("project", "")[:NAME_CHARS_MAX],
            environment=(texts.get("env") or texts.get("environment", ""))[:NAME_CHARS_MAX],
            release=texts.get("release", "")[:NAME_CHARS_MAX],
            range=time_range,
        )

    def params(self) -> dict[str, str]:
        """The query parameters of this scope, without defaults (SCOPE-2)."""
        values = (self.project, self.environment, self.release, "" if self.range == DEFAULT_RANGE else self.range)
        return {name: value for name, value in zip(PARAMS, values, strict=True) if value}

    def href(self, path: str, **params: str) -> str:
        """A link to another page in this scope; `params` are further ones, left out where empty."""
        query = urlencode(self.params() | {name: value for name, value in params.items() if value})
        return f"{path}?{query}" if query else path

    def in_project(self, slug: str) -> PageScope:
        """The same range elsewhere: another project has other environments and releases."""
        return PageScope(project=slug, range=self.range)

    def with_(self, **changes: str) -> PageScope:
        """The scope with some fields changed."""
        return replace(self, **changes)

    @property
    def is_custom(self) -> bool:
        return self.range not in RANGES_MS

    def window(self, now_ms: int) -> Window:
        """The instants this scope means now (SCOPE-3)."""
        if self.range in RANGES_MS:
            span_ms = RANGES_MS[self.range]
            # Counts of minutes are kept by environment, not by release.
            unit_ms = MINUTE_MS if span_ms <= MINUTES_KEPT_MS and not self.release else HOUR_MS
            to_ms = now_ms - now_ms % unit_ms + unit_ms
            units = max(span_ms // unit_ms, UNITS_MIN)
            return Window(to_ms - units * unit_ms, to_ms, unit_ms, is_running=True)
        from_ms, to_ms = _custom(self.range)
        unit_ms = MINUTE_MS if from_ms >= now_ms - MINUTES_KEPT_MS and not self.release else HOUR_MS
        from_ms, to_ms = from_ms - from_ms % unit_ms, -(-to_ms // unit_ms) * unit_ms
        return Window(from_ms, to_ms, unit_ms, is_running=to_ms > now_ms)


def custom_range(from_ms: int, to_ms: int) -> str:
    """The `t` of a window of one's own, as brushing a chart makes it."""
    return f"{_written(from_ms)}{_SEPARATOR}{_written(to_ms)}"


def _custom(text: str) -> tuple[int, int]:
    """The instants of `FROM..TO`, in ms.

    Raises:
        InvalidParameter: it is not that, empty, or too long.
    """
    first, separator, last = text.partition(_SEPARATOR)
    from_ms, to_ms = _instant_ms(first), _instant_ms(last)
    if not separator or from_ms is None or to_ms is None:
        raise InvalidParameter(
            "t", f"must be one of {', '.join(RANGES_MS)} or FROM..TO, as in 2026-01-18T09:00..2026-01-18T12:00 (UTC)"
        )
    if to_ms <= from_ms:
        raise InvalidParameter("t", "ends before it begins")
    if to_ms - from_ms > CUSTOM_MS_MAX:
        raise InvalidParameter("t", f"spans more than {CUSTOM_MS_MAX // DAY_MS} days")
    return from_ms, to_ms


def _instant_ms(text: str) -> int | None:
    for known in _FORMATS:
        try:
            return int(datetime.strptime(text.removesuffix("Z"), known).replace(tzinfo=UTC).timestamp()) * 1000
        except ValueError:
            continue
    return None


def _written(at_ms: int) -> str:
    """Whole minutes, UTC, as a `datetime-local` field writes them."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M")
