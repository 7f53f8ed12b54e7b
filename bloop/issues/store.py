"""Issues: found or created for fingerprints, and counted. Events change statuses in status/follow.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from bloop.db import word_search
from bloop.db.engine import Db
from bloop.issues.counts.fold import CountedEvent, Totals, seen
from bloop.issues.events.store import IncomingEvent, Uncounted
from bloop.issues.fingerprints import store as fingerprints
from bloop.issues.fingerprints.store import FingerprintIds, FingerprintKey, Owner
from bloop.issues.status import follow as lifecycle
from bloop.pipeline.signals import Signal, SignalKind
from bloop.records.event_record import DictionaryOf, EventRecord, decode, number_text

CulpritOf = Callable[[EventRecord], str | None]

_TAKE_NUMBER = """
UPDATE projects SET next_short_number = next_short_number + 1 WHERE id = ? RETURNING next_short_number - 1
"""

# An id above all that there are and all that were deleted: what outlives an issue never meets another one.
_INSERT = """
INSERT INTO issues (id, project_id, fingerprint, fingerprint_algorithm, short_number, level, status, error_type,
                    message, source, route, screen, culprit, first_seen_ms, last_seen_ms, first_release, last_release)
SELECT max(d.issue_id, coalesce((SELECT max(id) FROM issues), 0)) + 1, :project_id, :fingerprint, :algorithm,
       :short_number, :level, 'unresolved', :error_type, :message, :source, :route, :screen, :culprit, :first_seen_ms,
       :first_seen_ms, :release, :release
  FROM deleted_issues AS d
RETURNING id
"""

_INSERT_USER = "INSERT INTO issue_users (fingerprint_id, user_key) VALUES (?, ?) ON CONFLICT DO NOTHING"

_ADD = """
UPDATE issues
   SET event_count = event_count + ?, user_count = user_count + ?,
       last_seen_ms = max(last_seen_ms, ?), last_release = ?
 WHERE id = ?
RETURNING status, coalesce(muted_until_ms, muted_events, muted_per_hour)
"""


def locate(
    db: Db,
    ids: FingerprintIds,
    groups: Mapping[FingerprintKey, Sequence[IncomingEvent]],
    *,
    dictionary_of: DictionaryOf,
    culprit_of: CulpritOf,
) -> list[Signal]:
    """Look up the fingerprint of each group, none of which is cached; create it, and its issue, where it is new.

    Only the first event of a new issue is decoded. Returns the signals of the new ones.
    """
    signals: list[Signal] = []
    new_issue_ids: list[int] = []
    for key, group in groups.items():
        first = group[0]
        text = first.identity.decode() if first.identity else number_text(first.fingerprint)
        fingerprint_id = fingerprints.find(db, first.project_id, first.fingerprint, text)
        if fingerprint_id is None:
            record = decode(first.payload, dictionary_of)
            issue_id = _create(db, record, culprit_of(record), min(event.received_at_ms for event in group))
            fingerprint_id = fingerprints.create(
                db, first.project_id, first.fingerprint, text, algorithm=record.algorithm, issue_id=issue_id
            )
            new_issue_ids.append(issue_id)
            signals.append(_new_issue(issue_id, record))
        ids.learn(key, fingerprint_id)
    word_search.index(db, new_issue_ids)
    return signals


def count(
    db: Db, totals: Totals, events: Iterable[Uncounted], owners: Mapping[int, Owner]
) -> tuple[dict[int, str], list[Signal]]:
    """Increase the issues' counters by what `events` add up to, and let those that are resolved, or muted until
    something happens, follow them; the status of each issue."""
    statuses: dict[int, str] = {}
    followed: list[int] = []
    new_users: dict[int, int] = {}
    for fingerprint_id, number in _add_users(db, totals.users).items():
        issue_id = owners[fingerprint_id].issue_id
        new_users[issue_id] = new_users.get(issue_id, 0) + number
    for issue_id, (number, last) in totals.issues.items():
        bindings = (number, new_users.get(issue_id, 0), last.received_at_ms, last.release, issue_id)
        state = db.execute(_ADD, bindings).fetchone()
        assert state is not None, "a fingerprint without its issue"
        status, mute_ends_with = state
        if status == "resolved" or mute_ends_with is not None:
            followed.append(issue_id)
        statuses[issue_id] = str(status)
    if not followed:
        return statuses, []
    changed, signals = lifecycle.follow(db, followed, _of_issues(followed, events, owners))
    return statuses | changed, signals


def _of_issues(
    issue_ids: Sequence[int], events: Iterable[Uncounted], owners: Mapping[int, Owner]
) -> Iterable[CountedEvent]:
    followed_ids = frozenset(issue_ids)
    return [seen(event, owners[event[0]]) for event in events if owners[event[0]].issue_id in followed_ids]


def _create(db: Db, record: EventRecord, culprit: str | None, first_seen_ms: int) -> int:
    event = record.event
    bindings = {
        "project_id": record.project_id,
        "fingerprint": record.fingerprint,
        "algorithm": record.algorithm,
        "short_number": db.execute(_TAKE_NUMBER, (record.project_id,)).get,
        "level": event.level,
        "error_type": event.error_type,
        "message": event.message,
        "source": event.source,
        "route": event.route,
        "screen": event.screen,
        "culprit": culprit,
        "first_seen_ms": first_seen_ms,
        "release": event.release,
    }
    issue_id = db.execute(_INSERT, bindings).get
    assert isinstance(issue_id, int)
    return issue_id


def _add_users(db: Db, users: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Remember who was hit; how many each fingerprint did not know before. `users` in key order, which is page order.

    Counting changes fingerprint by fingerprint takes three fifths of the time of asking for every new row by RETURNING.
    """
    found = {}
    for fingerprint_id, rows in groupby(users, key=itemgetter(0)):
        before = db.total_changes()
        db.executemany(_INSERT_USER, rows)
        found[fingerprint_id] = db.total_changes() - before
    return found


def _new_issue(issue_id: int, record: EventRecord) -> Signal:
    event = record.event
    data = {
        "release": event.release,
        "environment": event.environment,
        "source": event.source,
        "route": event.route,
    }
    return Signal(SignalKind.ISSUE_NEW, record.project_id, issue_id, record.received_at_ms, data)
