"""Jinja filters: format values for display. Pure; the time of the page is an argument, never the clock.

FILTER-1  A filter that returns Markup has escaped every character it did not write itself.
FILTER-2  Text from events keeps its order on the screen: characters that reorder, hide or erase text become visible
          labels, and all of it is inside <bdi>, so a message can never rearrange the page around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from markupsafe import Markup, escape

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS

TIME_MS_MAX = 253_402_300_799_999  # the last millisecond datetime can hold: 9999-12-31
TITLE_CHARS_MAX = 300  # of a message used as a title
ROW_CHARS_MAX = 120  # of a message in a list row

# Bidirectional controls, invisible characters and terminal escapes, by the short name Unicode gives them. The joiners
# U+200C and U+200D stay as they are: Persian words and emoji families need them.
_NAMED = {
    "\u061c": "ALM",
    "\u200b": "ZWSP",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u2028": "LSEP",
    "\u2029": "PSEP",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\ufeff": "BOM",
}
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f" + "".join(_NAMED) + "]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = (
    (MINUTE_MS, HOUR_MS, "min"),
    (HOUR_MS, DAY_MS, "h"),
    (DAY_MS, 60 * DAY_MS, "d"),
    (30 * DAY_MS, 730 * DAY_MS, "mo"),
    (365 * DAY_MS, TIME_MS_MAX, "y"),
)


def relative(at_ms: int, now_ms: int) -> str:
    """`just now`, `5 min ago`, `3 h ago` …; a time ahead of the server's clock reads `in 5 min`."""
    distance_ms = abs(now_ms - at_ms)
    if distance_ms < MINUTE_MS:
        return "just now"
    unit_ms, name = next((unit, name) for unit, below, name in _UNITS if distance_ms < below or name == "y")
    amount = f"{distance_ms // unit_ms} {name}"
    return f"{amount} ago" if at_ms <= now_ms else f"in {amount}"


def iso(at_ms: int) -> str:
    """`2026-01-18T12:00:00Z`; times outside the calendar are clamped to it."""
    return _utc(at_ms).isoformat(timespec="seconds")[:19] + "Z"


def exact(at_ms: int) -> str:
    """`18 Jan 2026, 12:00:00 UTC`."""
    at = _utc(at_ms)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at.isoformat()[11:19]} UTC"


def when(at_ms: int, now_ms: int) -> Markup:
    """A <time> that reads relative, carries ISO-8601 for machines and the exact UTC time as its title."""
    # Only digits and our own words, nothing to escape: Markup.format would cost ten times as much, 100 times a page.
    text = f'<time datetime="{iso(at_ms)}" title="{exact(at_ms)}">{relative(at_ms, now_ms)}</time>'
    return Markup(text)  # noqa: S704


def span(at_ms: int, now_ms: int) -> str:
    """How long ago, for narrow columns: `12 min`, `3 d`, `now` for less than a minute or a time to come."""
    distance_ms = now_ms - at_ms
    if distance_ms < MINUTE_MS:
        return "now"
    unit_ms, name = next((unit, name) for unit, below, name in _UNITS if distance_ms < below or name == "y")
    return f"{distance_ms // unit_ms} {name}"


def age(at_ms: int, now_ms: int) -> Markup:
    """The same as a <time>, which holds the exact time once; a script shows it on hover."""
    return Markup(f'<time datetime="{iso(at_ms)}">{span(at_ms, now_ms)}</time>')  # noqa: S704


def number(value: int) -> str:
    """All digits, grouped: `1,234,567`."""
    return f"{value:,}"


def compact(value: int) -> str:
    """At most four characters and a unit: `999`, `1.2k`, `34k`, `5.6M`. Rounds down, so nothing looks larger."""
    for unit, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if value >= unit:
            tenths = value * 10 // unit
            return f"{tenths / 10:.1f}{letter}" if tenths < 100 else f"{tenths // 10}{letter}"
    return str(value)


def file_size(size_bytes: int) -> str:
    """`812 B`, `1.2 MiB`, `34 GiB`: at least two significant digits."""
    amount, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}" if amount < 10 and unit != "B" else f"{amount:.0f} {unit}"


def percent(share: float) -> str:
    """`38%`; more than nothing never reads `0%`, less than all never reads `100%`."""
    if 0 < share < 0.01:
        return "<1%"
    if 0.99 < share < 1:
        return ">99%"
    return f"{round(share * 100)}%"


def visible(text: object) -> Markup:
    """Untrusted text, escaped, isolated, with hidden characters shown by name (FILTER-1, FILTER-2)."""
    return Markup(f"<bdi>{reveal(str(escape(text)))}</bdi>")  # noqa: S704


def reveal(escaped: str) -> str:
    """Text that is escaped already, with hidden characters shown by name (FILTER-2)."""
    return _HIDDEN.sub(_label, escaped) if _HIDDEN.search(escaped) else escaped


def headline(text: str) -> Markup:
    """The first line of a message, bounded, for list rows and page titles."""
    first, _, rest = text.strip().partition("\n")
    if len(first) > TITLE_CHARS_MAX or rest:
        first = first[:TITLE_CHARS_MAX].rstrip() + "…"
    return visible(first)


def row_title(text: str) -> Markup:
    """A headline for a list row, cut to the width of the widest screen."""
    if len(text) <= ROW_CHARS_MAX and text.isascii() and text.isprintable():
        return escape(text.strip())  # it has no right-to-left characters, so it needs no isolation (FILTER-2)
    return headline(text if len(text) <= ROW_CHARS_MAX else text[:ROW_CHARS_MAX] + "…")


def plain(text: str) -> str:
    """Like `headline` for places that take no markup (<title>, aria-label): hidden characters become spaces."""
    return " ".join(_HIDDEN.sub(" ", text).split())[:TITLE_CHARS_MAX]


def initials(name: str) -> str:
    """Two letters for an avatar: `Ada Larsen` → `AL`, `ada` → `AD`; `?` where a name has neither letters nor digits."""
    words = re.findall(r"[^\W_]+", name)
    letters = "".join(word[0] for word in words[:2]) if len(words) > 1 else "".join(words)[:2]
    return letters.upper() or "?"


def pretty_json(value: Any) -> str:
    """Indented JSON, keys in their order."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _label(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    name = _NAMED.get(character) or (f"^{chr(code + 64)}" if code < 0x20 else f"{code:02X}")  # ^[ as terminals print it
    return f'<span class="hidden-char" title="U+{code:04X}">{name}</span>'


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(min(max(at_ms, 0), TIME_MS_MAX) / 1000, UTC)


FILTERS: dict[str, Callable[..., Any]] = {
    "age": age,
    "compact": compact,
    "exact": exact,
    "file_size": file_size,
    "headline": headline,
    "initials": initials,
    "iso": iso,
    "number": number,
    "percent": percent,
    "plain": plain,
    "pretty_json": pretty_json,
    "relative": relative,
    "row_title": row_title,
    "span": span,
    "visible": visible,
    "when": when,
}
