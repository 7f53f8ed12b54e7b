"""Issues: found or created by (project, fingerprint), and counted. What events do beyond that: status/follow.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import apsw

from bloop.issues.counts.fold import IssueKey, Seen, Totals, seen
from bloop.issues.search import index as search
from bloop.issues.status import follow as lifecycle
from bloop.pipeline.signals import Signal, SignalKind
from bloop.records.record import ErrorRecord

CACHE_ISSUES_MAX = 25_000  # about 5 MB; past it the oldest half goes. Storing 100,000 issues is as fast as with 200,000

CulpritOf = Callable[[ErrorRecord], str | None]

_SELECT_ID = "SELECT id FROM issues WHERE project_id = ? AND fingerprint = ?"
_TAKE_NUMBER = """
UPDATE projects SET next_short_number = next_short_number + 1 WHERE id = ? RETURNING next_short_number - 1
"""

_INSERT = """
INSERT INTO issues (project_id, fingerprint, fingerprint_algorithm, short_number, level, status, error_type, message,
                    source, route, screen, culprit, first_seen_ms, last_seen_ms, first_release, last_release)
VALUES (:project_id, :fingerprint, :algorithm, :short_number, :level, 'unresolved', :error_type, :message,
        :source, :route, :screen, :culprit, :first_seen_ms, :first_seen_ms, :release, :release)
RETURNING id
"""

_INSERT_USER = "INSERT OR IGNORE INTO issue_users (issue_id, user_key) VALUES (?, ?)"
_EXISTS = "SELECT 1 FROM issues WHERE id = ?"

_ADD = """
UPDATE issues
   SET event_count = event_count + ?, user_count = user_count + ?,
       last_seen_ms = max(last_seen_ms, ?), last_release = ?
 WHERE id = ?
RETURNING status, coalesce(muted_until_ms, muted_events, muted_per_hour)
"""


class IssueIds:
    """(project id, fingerprint) → issue id, remembered between batches.

    Ids learnt in a transaction are kept only when `commit` is called after it: a rolled-back insert must not be
    believed. A remembered issue may have been deleted since: its events then break the foreign key, and the store calls
    `forget_all` and tries again.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], int] = {}
        self._fresh: dict[tuple[int, str], int] = {}

    def get(self, key: tuple[int, str]) -> int | None:
        return self._known.get(key) or self._fresh.get(key)

    def learn(self, key: tuple[int, str], issue_id: int) -> None:
        self._fresh[key] = issue_id

    def forget_all(self) -> None:
        self._known.clear()
        self._fresh.clear()

    def commit(self) -> None:
        self._known.update(self._fresh)
        self._fresh.clear()
        if len(self._known) > CACHE_ISSUES_MAX:
            for key in list(self._known)[: CACHE_ISSUES_MAX // 2]:
                del self._known[key]

    def rollback(self) -> None:
        self._fresh.clear()


def locate(
    db: apsw.Connection, ids: IssueIds, groups: Mapping[IssueKey, Sequence[ErrorRecord]], *, culprit_of: CulpritOf
) -> tuple[dict[int, Sequence[ErrorRecord]], list[Signal]]:
    """Each group under the id of its issue, made if there is none, and what there is to tell of the new ones."""
    signals: list[Signal] = []
    by_id: dict[int, Sequence[ErrorRecord]] = {}
    made: list[int] = []
    for key, records in groups.items():
        issue_id = ids.get(key) or _find(db, ids, key)
        if issue_id is None:
            issue_id = _create(db, key, records, culprit_of)
            ids.learn(key, issue_id)
            made.append(issue_id)
            signals.append(_signal(SignalKind.ISSUE_NEW, seen(issue_id, records[0])))
        by_id[issue_id] = records
    search.index(db, made)
    return by_id, signals


def count(db: apsw.Connection, totals: Totals, events: Iterable[Seen]) -> tuple[dict[int, str], list[Signal]]:
    """Increase the issues' counters by what `events` add up to, and let those that are resolved, or muted until
    something happens, follow them; the status of each issue that still exists.

    An issue deleted since its events were stored has taken them with it, and is passed over.
    """
    statuses: dict[int, str] = {}
    followed: list[int] = []
    new_users = _add_users(db, totals.users)
    for issue_id, (number, last) in totals.issues.items():
        state = db.execute(_ADD, (number, new_users.get(issue_id, 0), last[2], last[3], issue_id)).fetchone()
        if state is None:
            continue
        status, mute_ends_with = state
        if status == "resolved" or mute_ends_with is not None:
            followed.append(issue_id)
        statuses[issue_id] = str(status)
    if not followed:
        return statuses, []
    changed, signals = lifecycle.follow(db, followed, events)
    return statuses | changed, signals


def still_there(db: apsw.Connection, events: Sequence[Seen]) -> list[Seen]:
    """The events whose issue has not been deleted."""
    gone = {issue_id for issue_id in {e[0] for e in events} if db.execute(_EXISTS, (issue_id,)).fetchone() is None}
    return [event for event in events if event[0] not in gone]


def _find(db: apsw.Connection, ids: IssueIds, key: IssueKey) -> int | None:
    row = db.execute(_SELECT_ID, key).fetchone()
    if row is None:
        return None
    ids.learn(key, row[0])
    return int(row[0])


def _create(db: apsw.Connection, key: IssueKey, records: Sequence[ErrorRecord], culprit_of: CulpritOf) -> int:
    project_id, fingerprint = key
    first = records[0]
    event = first.event
    bindings = {
        "project_id": project_id,
        "fingerprint": fingerprint,
        "algorithm": first.algorithm,
        "short_number": db.execute(_TAKE_NUMBER, (project_id,)).get,
        "level": event.level,
        "error_type": event.error_type,
        "message": event.message,
        "source": event.source,
        "route": event.route,
        "screen": event.screen,
        "culprit": culprit_of(first),
        "first_seen_ms": min(record.received_at_ms for record in records),
        "release": event.release,
    }
    issue_id = db.execute(_INSERT, bindings).get
    assert isinstance(issue_id, int)
    return issue_id


def _add_users(db: apsw.Connection, users: Iterable[tuple[int, bytes]]) -> dict[int, int]:
    """Remember who was hit; how many each issue did not know before. `users` in key order, which is page order.

    Counting changes issue by issue takes three fifths of the time of asking for every new row by RETURNING.
    """
    found = {}
    for issue_id, rows in groupby(users, key=itemgetter(0)):
        before = db.total_changes()
        db.executemany(_INSERT_USER, rows)
        found[issue_id] = db.total_changes() - before
    return found


def _signal(kind: SignalKind, event: Seen) -> Signal:
    issue_id, project_id, at_ms, release, environment, source, route, _ = event
    data = {"release": release, "environment": environment, "source": source, "route": route}
    return Signal(kind, project_id, issue_id, at_ms, data)
