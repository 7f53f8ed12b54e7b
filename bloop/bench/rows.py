"""Reads counts from the database of a running bloop, as any reader can."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self

from bloop.base.outcomes import Outcome
from bloop.bench.background import BackgroundLoad
from bloop.db import connection
from bloop.db.engine import Db
from bloop.records.event_record import request_id_of, split_dims

POLL_S = 0.002
LOOK_S = 0.01

_MAX_ID = "SELECT coalesce(max(id), 0) FROM events"
_NEW_BODIES = "SELECT dims_id, body FROM events WHERE id > ? AND id <= ? ORDER BY id"
_TOTALS = "SELECT outcome, sum(count) FROM ledger_totals WHERE category = 0 GROUP BY outcome"


@contextmanager
def reading(path: Path) -> Iterator[Db]:
    with closing(connection.open_reader(path)) as db:
        yield db


def max_id(db: Db) -> int:
    found = db.execute(_MAX_ID).get
    assert isinstance(found, int)
    return found


def await_rows(db: Db, after_id: int, count: int, within_s: float) -> float:
    """Wait until `count` rows with ids above `after_id` are visible; return the time.monotonic() of that.

    Ids rise by one with each event, nothing deletes events meanwhile.

    Raises:
        TimeoutError: not all came; names how many did.
    """
    deadline = time.monotonic() + within_s
    while (there := max_id(db) - after_id) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{there} of {count} events are in the database after {within_s:.0f} s")
        time.sleep(LOOK_S)
    return time.monotonic()


def stored_of_run(db: Db, run: str, after_id: int) -> tuple[int, int]:
    """(rows, distinct request ids) of a run of the generator, among the rows above `after_id`."""
    bodies = db.execute(_NEW_BODIES, (after_id, max_id(db)))
    found = [name for row in bodies if (name := _request_id(*row)) and name.startswith(f"{run}-")]
    return len(found), len(set(found))


def ledger(db: Db) -> dict[str, int]:
    """Records by outcome since the beginning."""
    return {Outcome(outcome).label: total for outcome, total in db.execute(_TOTALS)}


def _request_id(dims_id: int, stored: bytes) -> str | None:
    return request_id_of(stored if dims_id else split_dims(stored)[1])


class VisibilityWatch(BackgroundLoad):
    """Records when each event of a run becomes visible to a reader, to POLL_S, in a thread with its own connection."""

    def __init__(self, path: Path, run: str) -> None:
        super().__init__()
        self.seen = 0  # events
        self._visible_at = array("d")  # time.monotonic() by event number; 0.0: not seen
        self.watching = False  # what is stored from now on is noted
        self._path, self._prefix = path, run + "-"

    def __enter__(self) -> Self:
        super().__enter__()
        while not self.watching and self._thread.is_alive():
            time.sleep(POLL_S)
        return self

    def waits_s(self, answered: Iterable[tuple[int, float]]) -> Iterator[float]:
        """From each answer until its (first) event was seen; of those that were. Call when the watch is over."""
        for number, at in answered:
            if number < len(self._visible_at) and (visible_at := self._visible_at[number]):
                yield visible_at - at

    def _run(self) -> None:
        with reading(self._path) as db:
            seen = max_id(db)
            self.watching = True
            while not self._over.wait(POLL_S):
                newest, at = max_id(db), time.monotonic()
                if newest > seen:
                    for dims_id, body in db.execute(_NEW_BODIES, (seen, newest)):
                        request_id = _request_id(dims_id, body)
                        if request_id and request_id.startswith(self._prefix):
                            self._note(int(request_id[len(self._prefix) :]), at)
                    seen = newest

    def _note(self, number: int, at: float) -> None:
        if number >= len(self._visible_at):
            self._visible_at.extend([0.0] * (number + 1 - len(self._visible_at)))
        self._visible_at[number] = at
        self.seen += 1
