"""Counts over a window → the geometry of a strip of bars. Pure numbers; the templates write the tags.

STRIP-1  A strip shows every bucket of its window, also empty ones, so a gap in the data is a gap on the screen.
STRIP-2  A strip has no axis: it fills to its peak, which is written. Bars start at zero.
STRIP-3  `rows` hold the same numbers for a table, newest first.
STRIP-4  All bars of one kind are one stroked path on a whole-number grid: a tenth of the bytes of rectangles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.site.scope import Window, custom_range

BARS_MAX = 96
SPARK_BARS = 24
SPARK_TOP = 20
TOP = 100  # grid lines from the ground to the peak
MARKERS_MAX = 8
NAMES_MAX = 3  # releases named at one marker; the rest is a number
_MINUTES = (1, 5, 15, 60, 120, 240, 480, 1440, 5760)
BUCKETS_MS = tuple(minutes * MINUTE_MS for minutes in _MINUTES)
LABELS = 5


@dataclass(frozen=True, slots=True)
class ReleaseMarker:
    """Releases first seen at `x` percent. `ends_left`: the label has no room on the left."""

    x: float
    text: str
    ends_left: bool


@dataclass(frozen=True, slots=True)
class Label:
    """Text under the bars at `x` percent; `anchor` is SVG's; `kind` is a class that hides it where there is no room."""

    x: float
    text: str
    anchor: str
    kind: str


@dataclass(frozen=True, slots=True)
class StripRow:
    label: str
    count: int
    releases: str


@dataclass(frozen=True, slots=True)
class Strip:
    """A strip of `bars` buckets of `bucket_ms`. `path` and `running_path` are the `d` of complete bars and of the one
    that is not over. `from_ms` starts the first bucket."""

    from_ms: int
    bucket_ms: int
    counts: tuple[int, ...]
    path: str
    running_path: str
    markers: tuple[ReleaseMarker, ...]
    labels: tuple[Label, ...]
    rows: tuple[StripRow, ...]

    @property
    def bars(self) -> int:
        return len(self.counts)

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def peak(self) -> int:
        return max(self.counts, default=0)

    @property
    def unit(self) -> str:
        """What one bar is: `hour`, `15 minutes`."""
        return span_words(self.bucket_ms)

    @property
    def window_text(self) -> str:
        """`FROM..TO` of the whole, which brushing a part of it starts from."""
        return custom_range(self.from_ms, self.from_ms + self.bars * self.bucket_ms)


def span_words(span_ms: int) -> str:
    """A span as in `per 15 minutes`: `minute`, `hour`, `4 hours`, `day`."""
    for unit_ms, name in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute")):
        if span_ms >= unit_ms:
            number = span_ms // unit_ms
            return name if number == 1 else f"{number} {name}s"
    raise AssertionError(span_ms)


def bucket_of(window: Window, bars_max: int = BARS_MAX) -> int:
    """The finest of BUCKETS_MS that needs at most `bars_max` bars and is no finer than the window's counts."""
    span_ms = window.to_ms - window.from_ms
    usable = [bucket for bucket in BUCKETS_MS if bucket >= window.unit_ms and span_ms <= bucket * bars_max]
    return usable[0] if usable else BUCKETS_MS[-1]


def make_strip(
    counts: Iterable[tuple[int, int]],
    window: Window,
    releases: Iterable[tuple[str, int]] = (),
    bars_max: int = BARS_MAX,
) -> Strip:
    """(at_ms, count) in any order, outside of the window ignored → a strip; `releases` are (name, first seen)."""
    bucket_ms = bucket_of(window, bars_max)
    series = _series(counts, window, bucket_ms)
    from_ms = window.from_ms
    named = _named(releases, from_ms, bucket_ms, len(series))
    last = len(series) - 1 if window.is_running else len(series)
    top = max(series) or 1
    heights = [max(2, round(count / top * TOP)) if count else 0 for count in series]
    return Strip(
        from_ms=from_ms,
        bucket_ms=bucket_ms,
        counts=tuple(series),
        path=_strokes(heights[:last], TOP),
        running_path=_strokes([*[0] * last, *heights[last:]], TOP),
        markers=tuple(_marker(n, names, len(series)) for n, names in sorted(named.items())[-MARKERS_MAX:]),
        labels=tuple(_labels(window)),
        rows=tuple(
            StripRow(_time(from_ms + n * bucket_ms, bucket_ms), count, _names(named.get(n, [])))
            for n, count in reversed(list(enumerate(series)))
            if count or n in named
        ),
    )


def spark_path(counts: Iterable[tuple[int, int]], window: Window) -> str:
    """A row's counts as the `d` of one path on a grid of SPARK_BARS by SPARK_TOP, up to its own peak; `""` for none."""
    span_ms = window.to_ms - window.from_ms
    series = [0] * SPARK_BARS
    for at_ms, count in counts:
        if window.from_ms <= at_ms < window.to_ms:
            series[(at_ms - window.from_ms) * SPARK_BARS // span_ms] += count
    top = max(series) or 1
    return _strokes([max(1, round(count / top * SPARK_TOP)) if count else 0 for count in series], SPARK_TOP)


def _strokes(heights: Sequence[int], ground: int) -> str:
    """A stroke up from the ground for each height that is not 0, as steps from one to the next: 7 bytes a bar."""
    found: list[str] = []
    place = height = 0
    for number, new in enumerate(heights):
        if new:
            start = f"m{number - place} {height}" if found else f"M{number} {ground}"
            found.append(f"{start}v-{new}")
            place, height = number, new
    return "".join(found)


def _series(counts: Iterable[tuple[int, int]], window: Window, bucket_ms: int) -> list[int]:
    series = [0] * max(1, -(-(window.to_ms - window.from_ms) // bucket_ms))
    for at_ms, count in counts:
        if window.from_ms <= at_ms < window.to_ms:
            series[(at_ms - window.from_ms) // bucket_ms] += count
    return series


def _named(releases: Iterable[tuple[str, int]], from_ms: int, bucket_ms: int, bars: int) -> dict[int, list[str]]:
    named: dict[int, list[str]] = {}
    for name, at_ms in sorted(releases, key=lambda release: release[1]):
        number = (at_ms - from_ms) // bucket_ms
        if 0 <= number < bars:
            named.setdefault(number, []).append(name)
    return named


def _marker(number: int, names: Sequence[str], bars: int) -> ReleaseMarker:
    x = round((number + 0.5) / bars * 100, 1)
    return ReleaseMarker(x, _names(names), ends_left=x < 12)


def _names(releases: Sequence[str]) -> str:
    shown = ", ".join(releases[:NAMES_MAX])
    return f"{shown} and {len(releases) - NAMES_MAX} more" if len(releases) > NAMES_MAX else shown


def _labels(window: Window) -> Iterable[Label]:
    """The window's ends and three times between; only the ends on narrow screens."""
    span_ms = window.to_ms - window.from_ms
    for n in range(LABELS):
        at_ms = window.from_ms + span_ms * n // (LABELS - 1)
        is_end = n in (0, LABELS - 1)
        text = "now" if n == LABELS - 1 and window.is_running else _time(at_ms - at_ms % MINUTE_MS, span_ms // 24)
        anchor = "start" if n == 0 else "end" if n == LABELS - 1 else "middle"
        yield Label(round(100 * n / (LABELS - 1)), text, anchor, "" if is_end else "mid")


def _time(at_ms: int, bucket_ms: int) -> str:
    """`Sun 18 Jan` for days, `18 Jan 12:00` for hours, `12:05` for less. UTC."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.strftime("%a %-d %b" if bucket_ms >= DAY_MS else "%-d %b %H:%M" if bucket_ms >= HOUR_MS else "%H:%M")
