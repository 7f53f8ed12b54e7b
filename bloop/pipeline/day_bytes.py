"""Bytes of records stored for each project and day (UTC) of receipt, and whose day is spent.

DAY-BYTES-1  A record counts with the bytes that it has in the ring: packed, as its row has them. So the limit is one on
    the disk, and it is the same number whatever encoding a client chose.
DAY-BYTES-2  They are counted in the transaction that stores the records: a crash counts nothing twice.
DAY-BYTES-3  Ingest learns that a day is spent with the generation of the ring, as it learns of keys. Until then it
    takes in as much more as the buffer and its spill hold: less than a second's worth while the writer keeps up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from bloop.base.clock import DAY_MS, day_of
from bloop.db.engine import Db

_ADD = """
INSERT INTO day_bytes VALUES (?, ?, ?)
    ON CONFLICT (day_ms, project_id) DO UPDATE SET byte_count = day_bytes.byte_count + excluded.byte_count
RETURNING byte_count
"""
# Served by the primary key.
_SELECT_SPENT = "SELECT project_id FROM day_bytes WHERE day_ms = ? AND byte_count >= ?"


class _Head(Protocol):
    """The head of `bloop.pipeline.kinds.Record`; not imported, because ingest workers load this."""

    @property
    def project_id(self) -> int: ...
    @property
    def received_at_ms(self) -> int: ...


class DayTotal(NamedTuple):
    """The bytes of a project's day after a batch."""

    project_id: int
    day_ms: int
    byte_count: int


def add_up(
    places: Iterable[tuple[int, int]], records: Sequence[_Head], payloads: Sequence[bytes]
) -> Counter[tuple[int, int]]:
    """Day and project → bytes. `places` are the records' times of receipt and projects, each once.

    Nearly every batch has one day and one project, and then no record is looked at by itself.
    """
    days = {(day_of(at_ms), project_id) for at_ms, project_id in places}
    if len(days) == 1:
        return Counter({days.pop(): sum(map(len, payloads))})
    sums: Counter[tuple[int, int]] = Counter()
    for record, payload in zip(records, payloads, strict=True):
        sums[day_of(record.received_at_ms), record.project_id] += len(payload)
    return sums


def add(db: Db, sums: Counter[tuple[int, int]]) -> list[DayTotal]:
    """Count them; the totals that result."""
    return [
        DayTotal(project_id, day_ms, int(db.execute(_ADD, (day_ms, project_id, byte_count)).get))
        for (day_ms, project_id), byte_count in sums.items()
    ]


def spent_until(db: Db, now_ms: int, bytes_max: int) -> dict[int, int]:
    """The projects that have spent today's bytes, and when the next day begins. Empty where there is no limit."""
    if not bytes_max:
        return {}
    today_ms = day_of(now_ms)
    return {row[0]: today_ms + DAY_MS for row in db.execute(_SELECT_SPENT, (today_ms, bytes_max))}


class Spending:
    """Says of each project once a day that its bytes are spent, so that ingest can be told."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._told: dict[int, int] = {}  # project → the last day it was said of

    def is_news(self, totals: Iterable[DayTotal]) -> bool:
        """Whether one of these has reached the limit and was not said to before."""
        if not self._bytes_max:
            return False
        news = [
            total
            for total in totals
            if total.byte_count >= self._bytes_max and self._told.get(total.project_id) != total.day_ms
        ]
        self._told |= {total.project_id: total.day_ms for total in news}
        return bool(news)
