"""Lines over time for a report, as paths. Pure.

A plot is WIDTH by HEIGHT units and stretched to the available space; its text is outside, in HTML, so that it keeps its
size on every screen. A gap in the values is a gap in the line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bloop.bench.results import Second

WIDTH, HEIGHT = 1000, 100
X_TICKS = 4
SERIES_MAX = 6

Value = Callable[[Second], float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One series; `number` chooses its colour, `path` is the `d` of an SVG path."""

    name: str
    number: int
    path: str
    peak: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Values run from 0 to `top`; `ticks` are (percent of the width, words)."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    top: float
    ticks: tuple[tuple[float, str], ...]


def plot(title: str, unit: str, seconds: Sequence[Second], series: dict[str, Value]) -> Plot | None:
    """The plot; None with fewer than two seconds or without any value."""
    if len(seconds) < 2:
        return None
    first, last = seconds[0].at_s, seconds[-1].at_s
    values = {name: [value(second) for second in seconds] for name, value in list(series.items())[:SERIES_MAX]}
    known = {name: found for name, found in values.items() if any(one is not None for one in found)}
    if not known:
        return None
    top = nice_top(max(one for found in known.values() for one in found if one is not None))
    at = [(second.at_s - first) / (last - first) * WIDTH for second in seconds]
    lines = tuple(
        Line(name, number, _path(at, found, top), max(one for one in found if one is not None))
        for number, (name, found) in enumerate(known.items())
    )
    return Plot(title, unit, lines, top, _ticks(last - first))


def nice_top(value: float) -> float:
    """The smallest of 1, 2, 3, 4, 5, 6, 8 × 10ⁿ that is not below `value`: a scale that is easy to read."""
    if value <= 0:
        return 1.0
    magnitude: float = 10.0 ** math.floor(math.log10(value))
    return next((step * magnitude for step in (1, 2, 3, 4, 5, 6, 8) if step * magnitude >= value), 10 * magnitude)


def _path(at: Sequence[float], values: Sequence[float | None], top: float) -> str:
    parts, pen_is_down = [], False
    for x, value in zip(at, values, strict=True):
        if value is None:
            pen_is_down = False
            continue
        parts.append(f"{'L' if pen_is_down else 'M'}{x:.1f} {HEIGHT - value / top * HEIGHT:.1f}")
        pen_is_down = True
    return "".join(parts)


def _ticks(span_s: float) -> tuple[tuple[float, str], ...]:
    return tuple((100 * n / X_TICKS, duration(span_s * n / X_TICKS)) for n in range(X_TICKS + 1))


def duration(seconds: float) -> str:
    """`7 s`, `1:30 min`, `2:05 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    unit, word = (60, "min") if seconds < 3600 else (3600, "h")
    return f"{int(seconds // unit)}:{int(seconds % unit * 60 // unit):02d} {word}"
