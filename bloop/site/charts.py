"""Counts per hour or day → the geometry of inline SVG. Pure numbers; the templates write the tags.

C1  A chart shows every bucket of its span, empty ones included, so a gap in the data is a gap on the screen.
C2  The scale starts at zero and never ends below SCALE_MIN: two events do not look like an outage.
C3  Whatever a chart shows, its `bars` carry as numbers too; templates print them as a table.
C4  Releases are marked where they were first seen, the newest MARKERS_MAX; those of one bucket together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bloop.base.clock import DAY_MS, HOUR_MS

SCALE_MIN = 4
SPARK_HOURS = 24
SPARK_HEIGHT = 24
CHART_HEIGHT = 80  # px; across, a chart is measured in percent, so it fits any width without distorting its labels
TICK_SHARE = 0.94  # of the width that may carry a label: one further right would stick out
BAR_SHARE = 0.76  # of its step that a bar fills
MARKERS_MAX = 12
MARKER_NAMES_MAX = 3  # named in one marker; of the rest the number


@dataclass(frozen=True, slots=True)
class Bar:
    """One bucket: `at_ms` starts it, `x` is in percent, `y` and `height` in px; `partial` while it is being filled."""

    at_ms: int
    count: int
    x: float
    y: float
    height: float
    partial: bool
    label: str  # the bucket's start, as the tooltip and the table print it
    releases: str = ""  # first seen in this bucket, by name


@dataclass(frozen=True, slots=True)
class Marker:
    """Releases first seen at `x` percent."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A label under the x axis, at `x` percent."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart `height` px high; bars are `bar_width` percent wide, values run from 0 to `top`."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    markers: tuple[Marker, ...]
    height: int
    bar_width: float
    top: int
    bucket_ms: int

    @property
    def total(self) -> int:
        return sum(bar.count for bar in self.bars)

    @property
    def peak(self) -> Bar:
        """The fullest bucket, the newest of equals."""
        return max(reversed(self.bars), key=lambda bar: bar.count)

    @property
    def path(self) -> str:
        """Every full bar as the `d` of one path to be stroked, a unit apart: a tenth of a rectangle's bytes per bar."""
        return "".join(self._stroke(n, bar) for n, bar in enumerate(self.bars) if bar.count and not bar.partial)

    @property
    def partial_path(self) -> str:
        """The bar that is still being filled, by itself."""
        return "".join(self._stroke(n, bar) for n, bar in enumerate(self.bars) if bar.count and bar.partial)

    def _stroke(self, number: int, bar: Bar) -> str:
        return f"M{number} {self.height}V{bar.y:g}"

    @property
    def daily(self) -> bool:
        return self.bucket_ms >= DAY_MS


def hourly(counts: Iterable[tuple[int, int]], now_ms: int, *, hours: int) -> Chart:
    """(hour_ms, count) in any order → a chart of the last `hours` hours, the current one last and partial."""
    return _chart(counts, now_ms, buckets=hours, bucket_ms=HOUR_MS)


def daily(counts: Iterable[tuple[int, int]], now_ms: int, *, days: int) -> Chart:
    """(hour_ms, count) in any order → a chart of the last `days` UTC days, today last and partial."""
    return _chart(counts, now_ms, buckets=days, bucket_ms=DAY_MS)


def marked(chart: Chart, releases: Iterable[tuple[str, int]]) -> Chart:
    """The chart with its releases, given by name and the time each was first seen; others are left out (C4)."""
    first_ms, step = chart.bars[0].at_ms, 100 / len(chart.bars)
    numbered = sorted((at_ms, name) for name, at_ms in releases if at_ms >= first_ms)
    inside = [(at_ms, name) for at_ms, name in numbered if (at_ms - first_ms) // chart.bucket_ms < len(chart.bars)]
    named: dict[int, list[str]] = {}
    for at_ms, name in inside[-MARKERS_MAX:]:
        named.setdefault((at_ms - first_ms) // chart.bucket_ms, []).append(name)
    texts = {number: _names(names) for number, names in named.items()}
    return replace(
        chart,
        bars=tuple(replace(bar, releases=texts.get(number, "")) for number, bar in enumerate(chart.bars)),
        markers=tuple(Marker(round((n + BAR_SHARE / 2) * step, 2), texts[n]) for n in sorted(texts)),
    )


def sparkline(counts: Iterable[tuple[int, int]], now_ms: int) -> str:
    """The last 24 hours as the `d` of one SVG path, a vertical stroke per hour that has events; `""` for none.

    One path instead of 24 rectangles, with y pointing up and an hour a unit wide, keeps a list small: 7 bytes an hour.
    """
    series = _series(counts, now_ms, SPARK_HOURS, HOUR_MS)
    top = max(SCALE_MIN, *series)
    strokes = []
    for hour, count in enumerate(series):
        if count:
            height = max(2, round(count * SPARK_HEIGHT / top))
            strokes.append(f"M{hour} 0V{height}")
    return "".join(strokes)


def nice_ceiling(value: int) -> int:
    """The smallest of 1, 2, 3, 4, 5, 6, 8 × 10ⁿ that is not below `value`: a scale people can halve in their head."""
    magnitude = 1
    while True:
        for step in (1, 2, 3, 4, 5, 6, 8):
            if step * magnitude >= value:
                return step * magnitude
        magnitude *= 10


def _series(counts: Iterable[tuple[int, int]], now_ms: int, buckets: int, bucket_ms: int) -> list[int]:
    """Counts summed into the last `buckets` buckets, oldest first; what lies outside is left out."""
    first = now_ms // bucket_ms - buckets + 1
    series = [0] * buckets
    for at_ms, count in counts:
        index = at_ms // bucket_ms - first
        if 0 <= index < buckets:
            series[index] += count
    return series


def _chart(counts: Iterable[tuple[int, int]], now_ms: int, *, buckets: int, bucket_ms: int) -> Chart:
    series = _series(counts, now_ms, buckets, bucket_ms)
    first_ms = (now_ms // bucket_ms - buckets + 1) * bucket_ms
    top = nice_ceiling(max(SCALE_MIN, *series))
    step = 100 / buckets
    label_format = "%a %-d %b" if bucket_ms >= DAY_MS else "%a %-d %b %H:%M"
    bars = []
    for index, count in enumerate(series):
        height = max(2.0, count * CHART_HEIGHT / top) if count else 0.0
        bars.append(
            Bar(
                at_ms=first_ms + index * bucket_ms,
                count=count,
                x=round(index * step, 2),
                y=round(CHART_HEIGHT - height, 1),
                height=round(height, 1),
                partial=index == buckets - 1,
                label=_utc(first_ms + index * bucket_ms).strftime(label_format),
            )
        )
    ticks = tuple(_ticks(bars, bucket_ms))
    bar_width = round(step * BAR_SHARE, 2)
    return Chart(tuple(bars), ticks, (), CHART_HEIGHT, bar_width, top, bucket_ms)


def _names(releases: Sequence[str]) -> str:
    shown = ", ".join(releases[:MARKER_NAMES_MAX])
    return f"{shown} and {len(releases) - MARKER_NAMES_MAX} more" if len(releases) > MARKER_NAMES_MAX else shown


def _ticks(bars: list[Bar], bucket_ms: int) -> list[Tick]:
    """About four or five labels on round times: midnights, six-hour marks of a single day, or Mondays."""
    found = []
    for bar in bars[: int(len(bars) * TICK_SHARE)]:
        at = _utc(bar.at_ms)
        if bucket_ms >= DAY_MS:
            if at.weekday() == 0:
                found.append(Tick(bar.x, at.strftime("%-d %b")))
        elif len(bars) > 30:
            if at.hour == 0:
                found.append(Tick(bar.x, at.strftime("%a %-d")))
        elif at.hour % 6 == 0:
            found.append(Tick(bar.x, at.strftime("%H:%M")))
    return found


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
