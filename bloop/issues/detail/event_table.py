"""Events of an issue as a table, in the order of the event page; with a search, in that of searches. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from bloop.base.errors import InvalidParameter
from bloop.issues.detail.address import IssueAddress
from bloop.issues.detail.contexts import EventCell, EventTableLine, IssueEventsPage
from bloop.issues.detail.facts import metadata_of
from bloop.issues.detail.frame import IssueTab, issue_frame, wider_scopes
from bloop.issues.detail.read import FrameRows
from bloop.issues.events.read import EventRow
from bloop.issues.events.scoped import EventKey
from bloop.issues.tags.model import tag_values
from bloop.site.contexts import Shell

PAGE_ROWS = 50
COLUMNS_MAX = 3  # of metadata
CELL_CHARS_MAX = 40
ID_CHARS_MAX = 12
MESSAGE = "Message"
BEFORE = "before"
COMPLETE_PATH = "/search/complete"


class _Column(NamedTuple):
    label: str
    text: Callable[[EventRow], str]
    chars_max: int
    kind: str = ""


_COLUMNS = (
    _Column(MESSAGE, lambda row: row.message, 100, "full message"),
    _Column("Request", lambda row: row.request_id or "", ID_CHARS_MAX, "mono"),
    _Column("User", lambda row: row.user_id_hash or row.device_id_hash or "", ID_CHARS_MAX, "mono"),
    _Column("Route", lambda row: row.route or "", CELL_CHARS_MAX),
    _Column("HTTP", lambda row: "" if row.http_status is None else str(row.http_status), CELL_CHARS_MAX),
    _Column("Release", lambda row: row.release, CELL_CHARS_MAX),
    _Column("Environment", lambda row: row.environment, CELL_CHARS_MAX),
)


class EventTableRows(NamedTuple):
    """One page. `next` and `previous` are places to continue from; `words` say which part of the list it is."""

    rows: Sequence[EventRow]
    words: str
    next: str = ""
    previous: str | None = None  # None: there is none; empty: the top of the list
    problem: str = ""


def events_page(
    shell: Shell, frame: FrameRows, table: EventTableRows, q: str, address: IssueAddress, me: str, now_ms: int
) -> IssueEventsPage:
    """The context of `/issues/{ref}/events`."""
    columns = _columns(table.rows)
    labels = tuple(column.label for column in columns)
    path = f"{address.path}/events"
    scope = address.scope
    return IssueEventsPage(
        shell=shell,
        now_ms=now_ms,
        frame=issue_frame(frame, address, IssueTab.EVENTS, me, now_ms),
        path=path,
        q=q,
        problem=table.problem,
        words=table.words,
        columns=labels,
        lines=tuple(_line(row, columns, address) for row in table.rows),
        newer_href="" if table.previous is None else address.events(q, table.previous),
        older_href=address.events(q, table.next) if table.next else "",
        complete_href=scope.href(COMPLETE_PATH),
        clear_href=address.events() if q else "",
        everywhere_href=scope.href("/search", q=q) if q and not table.problem else "",
        wider=() if table.rows or table.problem else _wider(address, path, q),
    )


def key_of(before: str) -> EventKey | None:
    """The place that a page has linked to, for a list in the order of the event page.

    Raises:
        InvalidParameter: it is none.
    """
    if not before:
        return None
    timestamp_ms, _, event_id = before.partition(".")
    if not (_is_count(timestamp_ms) and _is_count(event_id)):
        raise InvalidParameter(BEFORE, "must be a place that a page has linked to")
    return EventKey(int(timestamp_ms), int(event_id))


def id_of(before: str) -> int | None:
    """The same for a list in the order of searches."""
    if not before:
        return None
    if not _is_count(before):
        raise InvalidParameter(BEFORE, "must be a place that a page has linked to")
    return int(before)


def place(key: EventKey) -> str:
    return f"{key.timestamp_ms}.{key.id}"


def count_words(start: int, rows: int, total: int, *, is_complete: bool) -> str:
    """`1–50 of 1,114 events`."""
    if not rows:
        return "No events"
    more = "" if is_complete else "+"
    return f"{start + 1:,}–{start + rows:,} of {total:,}{more} {'event' if total == 1 else 'events'}"


def search_words(rows: int, scanned: int, *, has_more: bool, is_complete: bool) -> str:
    """How many were found, and how far the search looked where that was not all."""
    found = f"{rows:,} {'event' if rows == 1 else 'events'}"
    if has_more and is_complete:
        return f"{found} on this page"
    return found if is_complete else f"{found} among the newest {scanned:,} looked at"


def _wider(address: IssueAddress, path: str, q: str) -> tuple[tuple[str, str], ...]:
    """Wider scopes for the same search."""
    query = urlencode({"q": q}) if q else ""
    return tuple(
        (name, f"{href}{'&' if '?' in href else '?'}{query}" if query else href)
        for name, href in wider_scopes(address, path)
    )


def _columns(rows: Sequence[EventRow]) -> list[_Column]:
    """The columns in which the rows have something to say: a message that all share stands at the top of the page."""
    found = [
        column
        for column in _COLUMNS
        if any(values := [column.text(row) for row in rows]) and (column.label != MESSAGE or len(set(values)) > 1)
    ]
    return [*found, *map(_metadata_column, _common_keys(rows))]


def _common_keys(rows: Sequence[EventRow]) -> list[str]:
    """The keys of metadata that most of these events have and in which they differ least, at most COLUMNS_MAX."""
    having: Counter[str] = Counter()
    values: dict[str, set[str]] = {}
    for row in rows:
        for key, found in tag_values(metadata_of(row)):
            having[key] += 1
            values.setdefault(key, set()).update(found)
    common = [key for key, count in having.items() if count * 2 >= len(rows)]
    return sorted(common, key=lambda key: (len(values[key]), -having[key], key))[:COLUMNS_MAX]


def _metadata_column(key: str) -> _Column:
    return _Column(key, lambda row: ", ".join(dict(tag_values(metadata_of(row))).get(key, ())), CELL_CHARS_MAX)


def _line(row: EventRow, columns: Sequence[_Column], address: IssueAddress) -> EventTableLine:
    cells = tuple(EventCell(_cut(column.text(row), column.chars_max), column.kind) for column in columns)
    return EventTableLine(address.event(row.id), row.timestamp_ms, cells)


def _cut(text: str, chars_max: int) -> str:
    """The first line, bounded."""
    line = next(iter(text.splitlines()), "")
    return line if len(line) <= chars_max else line[:chars_max] + "…"


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
