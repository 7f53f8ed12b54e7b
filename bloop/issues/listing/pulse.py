"""The numbers above a list: what happened in its scope, whatever tab and filters are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bloop.base.clock import DAY_MS
from bloop.base.outcomes import Outcome
from bloop.db.engine import Db, ids_json
from bloop.issues.counts import scoped, users
from bloop.issues.counts.membership import in_scope, near_scope
from bloop.issues.counts.scope import CountScope
from bloop.issues.counts.scoped import ProjectSeries
from bloop.issues.listing.tabs import COUNTED_MAX, TabCount, bounded_count
from bloop.ledger import read as ledger
from bloop.releases import read as releases

USERS_ISSUES_MAX = 300  # in scope, for their users to be counted: 5 ms
USERS_EVENTS_MAX = 20_000
NEW_BY_NAME_MAX = 2000  # new issues counted where each is asked for its releases or environments
LOST_MS_MAX = DAY_MS  # of a window for which losses are added up, minute by minute
# What an event can be lost to that the operator can do something about; wrong keys and bad bodies are the client's.
LOSSES = (Outcome.RING_FULL, Outcome.RATE_LIMITED, Outcome.DEAD_LETTER, Outcome.INTERRUPTED)

# Served by issues_by_first_seen.
_NEW = """
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN issues AS i INDEXED BY issues_by_first_seen
 WHERE i.project_id = wanted.value AND i.first_seen_ms >= :from_ms AND i.first_seen_ms < :to_ms
"""


class Pulse(NamedTuple):
    """`users` is None where there are too many events to find them, `lost` where the window has no such number."""

    series: ProjectSeries
    events_before: int  # in the window of equal length before
    new_issues: TabCount
    users: int | None
    lost: int | None
    releases: Sequence[tuple[str, int]]  # first seen since the window began


def read_pulse(db: Db, project_ids: Sequence[int], scope: CountScope, now_ms: int) -> Pulse:
    series = scoped.project_series(db, project_ids, scope)
    return Pulse(
        series,
        scoped.project_events(db, project_ids, scope.before(now_ms)),
        _count_new(db, project_ids, scope),
        _count_users(db, project_ids, scope) if series.total <= USERS_EVENTS_MAX else None,
        _count_lost(db, project_ids, scope),
        releases.new_releases(db, project_ids, scope.window.from_ms),
    )


def _count_new(db: Db, project_ids: Sequence[int], scope: CountScope) -> TabCount:
    """Issues whose first event lies in the window. With names, at least one event of the scope, too."""
    limit = NEW_BY_NAME_MAX if scope.has_names else COUNTED_MAX
    bindings: dict[str, Any] = {"project_ids": ids_json(project_ids), "limit": limit + 1}
    bindings |= {"from_ms": scope.window.from_ms, "to_ms": scope.window.to_ms}
    conditions = [_NEW]
    if scope.has_names:
        scoped_to = in_scope(scope, project_ids)
        conditions += scoped_to.fragments
        bindings |= scoped_to.bindings
    number = int(db.execute(bounded_count(" AND ".join(conditions)), bindings).get)
    return TabCount(min(number, limit), is_more=number > limit)


def _count_users(db: Db, project_ids: Sequence[int], scope: CountScope) -> int | None:
    issue_ids = near_scope(db, project_ids, scope, ids_max=USERS_ISSUES_MAX, counted_max=USERS_ISSUES_MAX).ids
    if issue_ids is None:
        return None
    events = scoped.issue_events(db, project_ids, issue_ids, scope)
    keys = users.user_keys(db, project_ids, {issue_id: count for issue_id, count in events.items() if count}, scope)
    return None if keys is None else len(keys)


def _count_lost(db: Db, project_ids: Sequence[int], scope: CountScope) -> int | None:
    window = scope.window
    if not window.is_running or window.to_ms - window.from_ms > LOST_MS_MAX:
        return None
    outcomes = ledger.outcomes_since(db, project_ids, window.from_ms)
    return sum(outcomes.get(outcome, 0) for outcome in LOSSES)
