"""Users within a scope, known from the events that are still stored.

USERS-1  A user is counted once in an issue, however many events name it. Events that name neither a user nor a device
    hit no user that is known.
USERS-2  The walk is bounded: EVENTS_MAX events of a fingerprint in scope, newest first, of SCAN_MAX looked at. A count
    says when there may be more: events of the scope have expired, or lie beyond that.

The kept counts say how many events are in scope, so a walk ends with the last of them. What it needs stands in
events_by_fingerprint (fingerprint_id, timestamp_ms, event_id): 100 ns an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from bloop.db.engine import Db, ids_json
from bloop.ingest.limits import FUTURE_MS_MAX
from bloop.issues.counts.scope import CountScope
from bloop.issues.events import scoped as events
from bloop.issues.events.scoped import EventScope
from bloop.records.event_record import NO_USER, decode_dims

EVENTS_MAX = events.KEYS_MAX
SCAN_MAX = events.SCAN_MAX
DIMS_REMEMBERED = 20_000
SMALL = 200  # events of an issue, in all its life
NO_DIMS = 0  # stands in events_by_fingerprint where there are too many dims

_dims_of = lru_cache(DIMS_REMEMBERED)(decode_dims)


class UserCount(NamedTuple):
    number: int
    is_more: bool = False  # there may be more
    is_estimate: bool = False


class IssueLife(NamedTuple):
    """What is counted of an issue over all its time."""

    id: int
    event_count: int
    user_count: int
    users_are_estimated: int
    first_seen_ms: int
    last_seen_ms: int


_SELECT_LIVES = """
SELECT i.id, i.event_count, i.user_count, i.users_are_estimated, i.first_seen_ms, i.last_seen_ms
  FROM json_each(:issue_ids) AS wanted
  JOIN issues AS i ON i.id = wanted.value
"""
_SELECT_FINGERPRINTS = """
SELECT f.issue_id, f.id FROM json_each(:issue_ids) AS wanted JOIN fingerprints AS f ON f.issue_id = wanted.value
"""
# No client time lies further ahead of the time of receipt than FUTURE_MS_MAX. Rows without a lag are from before it
# stood here; they end the walk, and the events themselves are read.
_SELECT_USERS = """
SELECT k.user_key, count(*)
  FROM (SELECT s.user_key
          FROM (SELECT timestamp_ms, lag_ms, user_key
                  FROM events_by_fingerprint
                 WHERE fingerprint_id = :fingerprint_id AND timestamp_ms < :before_ms
                 ORDER BY timestamp_ms DESC, event_id DESC
                 LIMIT :scan_max) AS s
         WHERE coalesce(s.timestamp_ms + s.lag_ms, :from_ms) >= :from_ms
           AND coalesce(s.timestamp_ms + s.lag_ms, :from_ms) < :to_ms
         LIMIT :limit) AS k
 GROUP BY k.user_key
"""
# Events whose dims have no row, of which there are few if any, are looked up like those without a lag.
_SELECT_USERS_BY_NAME = """
SELECT k.user_key, count(*)
  FROM (SELECT CASE WHEN s.dims_id = 0 THEN NULL ELSE s.user_key END AS user_key
          FROM (SELECT timestamp_ms, lag_ms, dims_id, user_key
                  FROM events_by_fingerprint
                 WHERE fingerprint_id = :fingerprint_id AND timestamp_ms < :before_ms
                 ORDER BY timestamp_ms DESC, event_id DESC
                 LIMIT :scan_max) AS s
         WHERE coalesce(s.dims_id, 0) IN (SELECT value FROM json_each(:dims_ids))
           AND coalesce(s.timestamp_ms + s.lag_ms, :from_ms) >= :from_ms
           AND coalesce(s.timestamp_ms + s.lag_ms, :from_ms) < :to_ms
         LIMIT :limit) AS k
 GROUP BY k.user_key
"""
# The same rows one by one, where reading `dims_ids` would take longer than reading them.
_SELECT_SMALL = """
SELECT dims_id, user_key
  FROM events_by_fingerprint
 WHERE fingerprint_id = :fingerprint_id AND timestamp_ms < :before_ms
   AND coalesce(timestamp_ms + lag_ms, :from_ms) >= :from_ms AND coalesce(timestamp_ms + lag_ms, :from_ms) < :to_ms
 ORDER BY timestamp_ms DESC, event_id DESC
 LIMIT :scan_max
"""
_SELECT_DIMS = """
SELECT d.id, d.dims FROM event_dims AS d WHERE d.project_id IN (SELECT value FROM json_each(:project_ids))
"""


def lives(db: Db, issue_ids: Sequence[int]) -> dict[int, IssueLife]:
    """By issue; those that are gone are missing."""
    rows = db.execute(_SELECT_LIVES, {"issue_ids": ids_json(issue_ids)})
    return {row[0]: IssueLife(*row) for row in rows}


def user_counts(
    db: Db,
    project_ids: Sequence[int],
    known: Mapping[int, IssueLife],
    event_counts: Mapping[int, int],
    scope: CountScope,
) -> dict[int, UserCount]:
    """Users of the issues in `event_counts`, which says how many events each has in scope; every one is a key."""
    found: dict[int, UserCount] = {}
    walked: dict[int, int] = {}  # events in scope
    for issue_id, number in event_counts.items():
        life = known[issue_id]
        if number == 0 or life.user_count == 0:
            found[issue_id] = UserCount(0)
        elif number == life.event_count:  # all of it is in scope, whatever has expired since
            found[issue_id] = UserCount(life.user_count, is_estimate=bool(life.users_are_estimated))
        else:
            walked[issue_id] = number
    if not walked:
        return found
    walk = _Walk.of(db, project_ids, scope)
    of_issue: dict[int, list[int]] = {}
    for issue_id, fingerprint_id in db.execute(_SELECT_FINGERPRINTS, {"issue_ids": ids_json([*walked])}):
        of_issue.setdefault(issue_id, []).append(fingerprint_id)
    for issue_id, number in walked.items():
        is_small = known[issue_id].event_count <= SMALL
        found[issue_id] = _count(db, issue_id, of_issue.get(issue_id, []), number, scope, walk, is_small=is_small)
    return found


def user_keys(
    db: Db, project_ids: Sequence[int], event_counts: Mapping[int, int], scope: CountScope
) -> set[int] | None:
    """The users of all these issues together; None where some of them are not known (USERS-2)."""
    walk = _Walk.of(db, project_ids, scope)
    keys: set[int] = set()
    number = 0
    for _, fingerprint_id in db.execute(_SELECT_FINGERPRINTS, {"issue_ids": ids_json([*event_counts])}).fetchall():
        users = walk.users(db, fingerprint_id, EVENTS_MAX)
        if None in users:
            return None
        number += sum(users.values())
        keys.update(key for key in users if key is not None)
    return keys - {NO_USER} if number == sum(event_counts.values()) else None


class _Walk(NamedTuple):
    """How events of a scope are told from others: bindings, and the rows of event_dims with its names (None: all)."""

    bindings: dict[str, Any]
    dims_ids: frozenset[int] | None

    @classmethod
    def of(cls, db: Db, project_ids: Sequence[int], scope: CountScope) -> _Walk:
        window = scope.window
        bindings: dict[str, Any] = {
            "from_ms": window.from_ms,
            "to_ms": window.to_ms,
            "before_ms": window.to_ms + FUTURE_MS_MAX,
            "scan_max": SCAN_MAX,
        }
        if not scope.has_names:
            return cls(bindings, None)
        event_scope = _event_scope(scope)
        rows = db.execute(_SELECT_DIMS, {"project_ids": ids_json(project_ids)})
        dims_ids = frozenset(dims_id for dims_id, dims in rows if event_scope.includes(_dims_of(dims)))
        return cls(bindings | {"dims_ids": ids_json([NO_DIMS, *dims_ids])}, dims_ids)

    def users(self, db: Db, fingerprint_id: int, limit: int, *, is_small: bool = False) -> Mapping[int | None, int]:
        """Events in scope by the user they hit; None for those that do not say it."""
        bindings = self.bindings | {"fingerprint_id": fingerprint_id, "limit": limit}
        if self.dims_ids is None:
            return dict(db.execute(_SELECT_USERS, bindings))
        if not is_small:
            return dict(db.execute(_SELECT_USERS_BY_NAME, bindings))
        users: Counter[int | None] = Counter()
        for dims_id, user_key in db.execute(_SELECT_SMALL, bindings):
            if not dims_id:
                users[None] += 1
            elif dims_id in self.dims_ids:
                users[user_key] += 1
        return users


def _count(
    db: Db,
    issue_id: int,
    fingerprint_ids: Sequence[int],
    number: int,
    scope: CountScope,
    walk: _Walk,
    *,
    is_small: bool,
) -> UserCount:
    users: Counter[int | None] = Counter()
    for fingerprint_id in fingerprint_ids:
        users.update(walk.users(db, fingerprint_id, min(number, EVENTS_MAX), is_small=is_small))
    if None in users:
        looked_up = events.events_in_scope(db, issue_id, _event_scope(scope))
        return UserCount(looked_up.user_count, is_more=looked_up.total < number)
    return UserCount(len(users) - (NO_USER in users), is_more=sum(users.values()) < number)


def _event_scope(scope: CountScope) -> EventScope:
    return EventScope(scope.window.from_ms, scope.window.to_ms, scope.environment, scope.release)
