"""Issues: found or created by (project, fingerprint), counted, and reopened when a resolved one happens again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import apsw

from bloop.record import ErrorRecord
from bloop.storage.fold import IssueFold
from bloop.storage.signals import Signal, SignalKind

CACHE_ISSUES_MAX = 200_000  # about 40 MB at worst; past it the oldest half goes

CulpritOf = Callable[[ErrorRecord], str | None]

_SELECT_ID = "SELECT id, status, resolved_at_ms FROM issues WHERE project_id = ? AND fingerprint = ?"
_SELECT_STATE = "SELECT status, resolved_at_ms FROM issues WHERE id = ?"
_TAKE_NUMBER = """
UPDATE projects SET next_short_number = next_short_number + 1 WHERE id = ? RETURNING next_short_number - 1
"""

_INSERT = """
INSERT INTO issues (project_id, fingerprint, fingerprint_algorithm, short_number, level, status, error_type, message,
                    source, route, screen, culprit, first_seen_ms, last_seen_ms, first_release, last_release)
VALUES (:project_id, :fingerprint, :algorithm, :short_number, :level, 'unresolved', :error_type, :message,
        :source, :route, :screen, :culprit, :first_seen_ms, :last_seen_ms, :release, :release)
RETURNING id
"""

_INSERT_USER = "INSERT OR IGNORE INTO issue_users (issue_id, user_key) VALUES (?, ?)"

_ADD = """
UPDATE issues
   SET event_count = event_count + ?, user_count = user_count + ?,
       last_seen_ms = max(last_seen_ms, ?), last_release = ?
 WHERE id = ?
"""

_REGRESS = """
UPDATE issues
   SET status = 'regressed', times_regressed = times_regressed + 1, resolved_at_ms = NULL, resolved_in_release = NULL
 WHERE id = ?
"""

_INSERT_CHANGE = """
INSERT INTO status_changes (issue_id, project_id, old_status, new_status, changed_via, release, changed_at_ms)
VALUES (?, ?, 'resolved', 'regressed', 'ingest', ?, ?)
"""


class IssueState(NamedTuple):
    """Where an issue stands after its part of the batch was counted."""

    project_id: int
    issue_id: int
    status: str
    fold: IssueFold


class IssueIds:
    """(project id, fingerprint) → issue id, remembered between batches.

    Ids learnt in a transaction are kept only when `commit` is called after it: a rolled-back insert must not be
    believed. A remembered issue may have been deleted since; `apply` notices and looks again.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], int] = {}
        self._fresh: dict[tuple[int, str], int] = {}

    def get(self, key: tuple[int, str]) -> int | None:
        return self._known.get(key) or self._fresh.get(key)

    def learn(self, key: tuple[int, str], issue_id: int) -> None:
        self._fresh[key] = issue_id

    def forget(self, key: tuple[int, str]) -> None:
        self._known.pop(key, None)
        self._fresh.pop(key, None)

    def commit(self) -> None:
        self._known.update(self._fresh)
        self._fresh.clear()
        if len(self._known) > CACHE_ISSUES_MAX:
            for key in list(self._known)[: CACHE_ISSUES_MAX // 2]:
                del self._known[key]

    def rollback(self) -> None:
        self._fresh.clear()


def apply(
    db: apsw.Connection, ids: IssueIds, folds: Iterable[tuple[tuple[int, str], IssueFold]], *, culprit_of: CulpritOf
) -> tuple[list[IssueState], list[Signal]]:
    """Create or count every issue of a batch; return where each stands and what there is to tell."""
    states: list[IssueState] = []
    signals: list[Signal] = []
    for key, fold in folds:
        issue_id, status, resolved_at_ms = _locate(db, ids, key) or (0, "", None)
        if not issue_id:
            issue_id, status = _create(db, key, fold, culprit_of), "unresolved"
            ids.learn(key, issue_id)
            signals.append(_signal(SignalKind.ISSUE_NEW, key[0], issue_id, fold))
        elif status == "resolved" and fold.last_seen_ms >= (resolved_at_ms or 0):  # not one that waited in the ring
            _regress(db, key[0], issue_id, fold)
            status = "regressed"
            signals.append(_signal(SignalKind.ISSUE_REGRESSED, key[0], issue_id, fold))
        db.execute(
            _ADD,
            (len(fold.records), _add_users(db, issue_id, fold), fold.last_seen_ms, fold.last.event.release, issue_id),
        )
        states.append(IssueState(key[0], issue_id, status, fold))
    return states, signals


def _locate(db: apsw.Connection, ids: IssueIds, key: tuple[int, str]) -> tuple[int, str, int | None] | None:
    """(id, status, resolved at) of an existing issue; None when there is none."""
    issue_id = ids.get(key)
    if issue_id is not None:
        state = db.execute(_SELECT_STATE, (issue_id,)).fetchone()
        if state is not None:
            return (issue_id, *state)
        ids.forget(key)
    found = db.execute(_SELECT_ID, key).fetchone()
    if found is not None:
        ids.learn(key, found[0])
    return found


def _create(db: apsw.Connection, key: tuple[int, str], fold: IssueFold, culprit_of: CulpritOf) -> int:
    project_id, fingerprint = key
    first = fold.first
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
        "first_seen_ms": fold.first_seen_ms,
        "last_seen_ms": fold.last_seen_ms,
        "release": event.release,
    }
    issue_id = db.execute(_INSERT, bindings).get
    assert isinstance(issue_id, int)
    return issue_id


def _regress(db: apsw.Connection, project_id: int, issue_id: int, fold: IssueFold) -> None:
    db.execute(_REGRESS, (issue_id,))
    db.execute(_INSERT_CHANGE, (issue_id, project_id, fold.last.event.release, fold.last_seen_ms))


def _add_users(db: apsw.Connection, issue_id: int, fold: IssueFold) -> int:
    """Remember who was hit; return how many were not known before."""
    if not fold.user_keys:
        return 0
    before = db.total_changes()
    db.executemany(_INSERT_USER, ((issue_id, key) for key in sorted(fold.user_keys)))
    return db.total_changes() - before


def _signal(kind: SignalKind, project_id: int, issue_id: int, fold: IssueFold) -> Signal:
    event = fold.last.event
    data = {"release": event.release, "environment": event.environment, "source": event.source, "route": event.route}
    return Signal(kind, project_id, issue_id, fold.last_seen_ms, data)
