"""Issues: found or created for fingerprints, and counted. Events change statuses in status/follow.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from bloop.base.clock import hour_of
from bloop.base.config import ProjectLimits
from bloop.base.limits import Limit
from bloop.db import word_search
from bloop.db.engine import Db
from bloop.issues.counts.fold import CountedEvent, Totals, seen
from bloop.issues.events.store import IncomingEvent, Uncounted
from bloop.issues.fingerprints import store as fingerprints
from bloop.issues.fingerprints.store import FingerprintIds, FingerprintKey, Owner
from bloop.issues.limits import users as issue_users
from bloop.issues.limits.model import BY_LIMITS, OVERFLOW_FINGERPRINT, describe_overflow
from bloop.issues.limits.store import IssueBudget
from bloop.issues.status import follow as lifecycle
from bloop.pipeline.ledger_lines import add_overflows
from bloop.pipeline.signals import Signal, SignalKind
from bloop.records.event_record import DictionaryOf, EventRecord, decode, fingerprint_number, number_text

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

_SELECT_ISSUE_ID = "SELECT issue_id FROM fingerprints WHERE id = ?"
# Unless a client has chosen that fingerprint for an issue of its own.
_REWORD_OVERFLOW = """
UPDATE issues SET message = :message
 WHERE id = :id AND fingerprint_algorithm = :by_limits AND message <> :message
RETURNING id
"""

_ADD = """
UPDATE issues
   SET event_count = event_count + ?, user_count = user_count + ?,
       last_seen_ms = max(last_seen_ms, ?), last_release = ?
 WHERE id = ?
RETURNING status, coalesce(muted_until_ms, muted_events, muted_per_hour), user_count
"""


class Located(NamedTuple):
    """Fingerprints found or made. Those of new issues beyond a limit are not made: `overflowed` says what has them."""

    signals: list[Signal]
    overflowed: dict[FingerprintKey, int]  # fingerprint ids of `overflow`


def locate(
    db: Db,
    ids: FingerprintIds,
    groups: Mapping[FingerprintKey, Sequence[IncomingEvent]],
    *,
    limits: ProjectLimits,
    dictionary_of: DictionaryOf,
    culprit_of: CulpritOf,
) -> Located:
    """Look up the fingerprint of each group, none of which is cached; create it, and its issue, where it is new.

    Only the first event of a new issue is decoded. Returns the signals of the new ones.
    """
    signals: list[Signal] = []
    new_issue_ids: list[int] = []
    budget = IssueBudget(db, limits)
    refused: dict[FingerprintKey, Limit] = {}
    for key, group in groups.items():
        first = group[0]
        text = first.identity.decode() if first.identity else number_text(first.fingerprint)
        fingerprint_id = fingerprints.find(db, first.project_id, first.fingerprint, text)
        if fingerprint_id is None:
            if (limit := budget.take(first.project_id, first.received_at_ms)) is not None:
                refused[key] = limit
                continue
            record = decode(first.payload, dictionary_of)
            issue_id = _create(db, record, culprit_of(record), min(event.received_at_ms for event in group))
            fingerprint_id = fingerprints.create(
                db, first.project_id, first.fingerprint, text, algorithm=record.algorithm, issue_id=issue_id
            )
            new_issue_ids.append(issue_id)
            signals.append(_new_issue(issue_id, record))
        ids.learn(key, fingerprint_id)
    budget.save()
    overflowed: dict[FingerprintKey, int] = {}
    if refused:
        overflow = _Overflow(db, limits, dictionary_of)
        overflowed = {key: overflow.add(groups[key], limit) for key, limit in refused.items()}
        overflow.save()
        signals += overflow.signals
        new_issue_ids += overflow.worded
    word_search.index(db, new_issue_ids)
    return Located(signals, overflowed)


class _Overflow:
    """The issues that have the events of further new ones, one per project: made, worded and counted for one batch."""

    def __init__(self, db: Db, limits: ProjectLimits, dictionary_of: DictionaryOf) -> None:
        self._db, self._limits, self._dictionary_of = db, limits, dictionary_of
        self._ids: dict[int, int] = {}  # project → fingerprint id
        self._counts: Counter[tuple[int, int, Limit]] = Counter()
        self.signals: list[Signal] = []
        self.worded: list[int] = []  # issues whose words are new

    def add(self, group: Sequence[IncomingEvent], limit: Limit) -> int:
        """Take the events of a fingerprint that may have no issue; the id of the fingerprint to store them under."""
        project_id = group[0].project_id
        self._counts.update((project_id, hour_of(event.received_at_ms), limit) for event in group)
        if project_id not in self._ids:
            message = describe_overflow(limit, limit.of(self._limits), group[0].received_at_ms)
            self._ids[project_id] = self._find(project_id, message) or self._create(group[0], message)
        return self._ids[project_id]

    def save(self) -> None:
        add_overflows(self._db, self._counts)

    def _find(self, project_id: int, message: str) -> int | None:
        number = fingerprint_number(OVERFLOW_FINGERPRINT)
        fingerprint_id = fingerprints.find(self._db, project_id, number, OVERFLOW_FINGERPRINT)
        if fingerprint_id is not None:
            issue_id = self._db.execute(_SELECT_ISSUE_ID, (fingerprint_id,)).get
            bindings = {"id": issue_id, "message": message, "by_limits": BY_LIMITS}
            self.worded += [row[0] for row in self._db.execute(_REWORD_OVERFLOW, bindings).fetchall()]
        return fingerprint_id

    def _create(self, first: IncomingEvent, message: str) -> int:
        """From the first event that overflows: it has a release, an environment and a time."""
        record = decode(first.payload, self._dictionary_of)
        event = replace(
            record.event,
            error_type="TooManyIssues",
            message=message,
            level="warning",
            source="bloop",
            route=None,
            screen=None,
        )
        record = record._replace(fingerprint=OVERFLOW_FINGERPRINT, algorithm=BY_LIMITS, event=event)
        issue_id = _create(self._db, record, None, first.received_at_ms)
        self.signals.append(_new_issue(issue_id, record))
        self.worded.append(issue_id)
        number = fingerprint_number(OVERFLOW_FINGERPRINT)
        return fingerprints.create(
            self._db, first.project_id, number, OVERFLOW_FINGERPRINT, algorithm=BY_LIMITS, issue_id=issue_id
        )


def count(
    db: Db, totals: Totals, events: Iterable[Uncounted], owners: Mapping[int, Owner], *, users_max: int
) -> tuple[dict[int, str], list[Signal]]:
    """Increase the issues' counters by what `events` add up to, and let those that are resolved, or muted until
    something happens, follow them; the status of each issue. Beyond `users_max` (0: never) users are estimated."""
    statuses: dict[int, str] = {}
    followed: list[int] = []
    new_users: dict[int, int] = {}
    grown: dict[int, list[int]] = {}  # issue → fingerprints whose exact users became more
    for fingerprint_id, new in issue_users.add(db, totals.users, limit=users_max).items():
        issue_id = owners[fingerprint_id].issue_id
        new_users[issue_id] = new_users.get(issue_id, 0) + new.number
        if new.is_exact and new.number:
            grown.setdefault(issue_id, []).append(fingerprint_id)
    for issue_id, (number, last) in totals.issues.items():
        bindings = (number, new_users.get(issue_id, 0), last.received_at_ms, last.release, issue_id)
        state = db.execute(_ADD, bindings).fetchone()
        assert state is not None, "a fingerprint without its issue"
        status, mute_ends_with, user_count = state
        if 0 < users_max < user_count:
            for fingerprint_id in grown.get(issue_id, ()):
                issue_users.estimate_from_here(db, fingerprint_id, issue_id, limit=users_max)
        if status == "resolved" or mute_ends_with is not None:
            followed.append(issue_id)
        statuses[issue_id] = str(status)
    if not followed:
        return statuses, []
    changed, signals = lifecycle.follow(db, followed, _of_issues(followed, events, owners, totals))
    return statuses | changed, signals


def _of_issues(
    issue_ids: Sequence[int], events: Iterable[Uncounted], owners: Mapping[int, Owner], totals: Totals
) -> Iterable[CountedEvent]:
    followed_ids = frozenset(issue_ids)
    return [seen(event, owners[event[0]], totals.dims) for event in events if owners[event[0]].issue_id in followed_ids]


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


def _new_issue(issue_id: int, record: EventRecord) -> Signal:
    event = record.event
    data = {
        "release": event.release,
        "environment": event.environment,
        "source": event.source,
        "route": event.route,
    }
    return Signal(SignalKind.ISSUE_NEW, record.project_id, issue_id, record.received_at_ms, data)
