"""What became of every record that arrived: sums of the ledger. Project 0 stands for requests that named no project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from bloop.outcomes import Outcome
from bloop.query.rows import ids_json

NO_PROJECT = 0


class MinuteCount(NamedTuple):
    minute_ms: int
    outcome: int
    record_count: int


# Served by the primary key (minute_ms, project_id, outcome): a day is 1440 minutes of a few rows each.
_SELECT_SINCE = """
SELECT l.outcome, sum(l.count)
  FROM ledger AS l
 WHERE l.minute_ms >= :since_ms AND l.project_id IN (SELECT value FROM json_each(:project_ids))
 GROUP BY l.outcome
"""
_SELECT_MINUTES = """
SELECT l.minute_ms, l.outcome, sum(l.count)
  FROM ledger AS l
 WHERE l.minute_ms >= :since_ms AND l.project_id IN (SELECT value FROM json_each(:project_ids))
 GROUP BY l.minute_ms, l.outcome
 ORDER BY l.minute_ms, l.outcome
"""
_SELECT_TOTALS = """
SELECT t.outcome, sum(t.count)
  FROM ledger_totals AS t
 WHERE t.project_id IN (SELECT value FROM json_each(:project_ids))
 GROUP BY t.outcome
"""


def outcomes_since(db: apsw.Connection, project_ids: Sequence[int], since_ms: int) -> dict[Outcome, int]:
    """Records per outcome in the minutes that start at `since_ms` or later; outcomes without any are missing."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms}
    return {Outcome(code): count for code, count in db.execute(_SELECT_SINCE, bindings)}


def minutes_since(db: apsw.Connection, project_ids: Sequence[int], since_ms: int) -> list[MinuteCount]:
    """The same minute by minute, ascending."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms}
    return [MinuteCount(*row) for row in db.execute(_SELECT_MINUTES, bindings)]


def totals(db: apsw.Connection, project_ids: Sequence[int]) -> dict[Outcome, int]:
    """Records per outcome since the beginning."""
    return {Outcome(code): n for code, n in db.execute(_SELECT_TOTALS, {"project_ids": ids_json(project_ids)})}
