"""Durations in words for people: `5 min`. Times of day are in the rooms that print them."""

from __future__ import annotations

_UNITS_S = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """A duration that somebody chose, exact, in its largest whole unit: `90 s`, `5 min`, `2 h`, `1 d`."""
    for unit_s, name in _UNITS_S:
        if seconds and seconds % unit_s == 0:
            return f"{int(seconds // unit_s)} {name}"
    return f"{seconds:g} s"


def elapsed(seconds: float) -> str:
    """A duration that was measured, cut to its two largest units: `3 d 4 h`, `12 min 5 s`; below zero is `0 s`."""
    left_s = max(0, int(seconds))
    parts: list[str] = []
    for unit_s, name in _UNITS_S:
        count, left_s = divmod(left_s, unit_s)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
