"""Stored events, added up in memory: what the counters are to be increased by.

Pure. Events are counted by fingerprint and dims, which stay encoded meanwhile; all else is made of those counts, of
which there are few. A count that lies in one minute, as nearly all do, is never looked at again event by event.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, TypeAlias, TypeVar

from bloop.base.clock import MINUTE_MS, hour_of
from bloop.base.limits import Limit
from bloop.issues.events.store import Uncounted
from bloop.issues.fingerprints.store import Owner
from bloop.issues.limits.names import AdmittedDims, DimsKey
from bloop.records.event_record import NO_USER, Dims

Place: TypeAlias = tuple[int, bytes]  # fingerprint, dims
Span: TypeAlias = list[int]  # count, first ms, last ms
Admit: TypeAlias = Callable[[Collection[DimsKey]], AdmittedDims]

_Key = TypeVar("_Key")
_FINGERPRINT = itemgetter(0)


class CountedEvent(NamedTuple):
    """The part of an event that its issue needs."""

    issue_id: int
    project_id: int
    received_at_ms: int
    release: str
    environment: str
    source: str
    route: str | None


class IssueTotal(NamedTuple):
    """The sums that events add to an issue."""

    event_count: int
    last: CountedEvent  # the event received last


class Totals(NamedTuple):
    """Everything events add up to. First and last are receive times in ms."""

    issues: dict[int, IssueTotal]
    users: dict[int, set[int]]  # fingerprint → user keys
    aggregates: dict[tuple[int, str, str], Span]  # fingerprint, release, environment
    minutes: dict[tuple[int, int, str, str], int]  # fingerprint, minute, environment, source
    hours: dict[tuple[int, int, str, str, str], int]  # fingerprint, hour, release, environment, source
    project_hours: dict[tuple[int, int, str, str, str], int]  # project, hour, release, environment, source
    routes: dict[tuple[int, str], int]  # project, route
    releases: dict[tuple[int, str, str], Span]  # project, release, environment
    overflows: dict[tuple[int, int, Limit], int]  # project, hour, limit: events that are counted under other names
    dims: Mapping[DimsKey, Dims]  # the names that all of these were counted by


class _PlaceTotal:
    """The counts of one place: a fingerprint's events with the same dims."""

    __slots__ = ("count", "first_ms", "last_id", "last_ms")

    def __init__(self, at_ms: int, event_id: int) -> None:
        self.count, self.first_ms, self.last_ms, self.last_id = 1, at_ms, at_ms, event_id


def add_up(events: Sequence[Uncounted], owners: Mapping[int, Owner], admit: Admit) -> Totals:
    """Of events whose fingerprints are all in `owners`, under the names that `admit` gives."""
    # In the order of the tables' pages: neighbours are updated together.
    places = dict(sorted(_by_place(events).items(), key=_FINGERPRINT))
    keys = {place: (owners[place[0]].project_id, place[1]) for place in places}
    dims_of, beyond = admit(dict.fromkeys(keys.values()))
    totals = Totals({}, _users(events), {}, {}, {}, {}, {}, {}, {}, dims_of)
    _add_issues(totals, places, owners)
    for place, counted in places.items():
        release, environment, _, _ = dims_of[keys[place]]
        span = [counted.count, counted.first_ms, counted.last_ms]
        widen(totals.aggregates, (place[0], release, environment), span)
        widen(totals.releases, (keys[place][0], release, environment), span)
    for place, minute_ms, count in _by_minute(events, places):
        fingerprint_id, key = place[0], keys[place]
        release, environment, source, route = dims_of[key]
        project_id, hour_ms = key[0], hour_of(minute_ms)
        _add(totals.minutes, (fingerprint_id, minute_ms, environment, source), count)
        _add(totals.hours, (fingerprint_id, hour_ms, release, environment, source), count)
        _add(totals.project_hours, (project_id, hour_ms, release, environment, source), count)
        if route is not None:
            _add(totals.routes, (project_id, route), count)
        if key in beyond:
            for limit in beyond[key]:
                _add(totals.overflows, (project_id, hour_ms, limit), count)
    return totals


def seen(event: Uncounted, owner: Owner, dims_of: Mapping[DimsKey, Dims]) -> CountedEvent:
    return CountedEvent(owner.issue_id, owner.project_id, event[3], *dims_of[owner.project_id, event[5]])


def _by_place(events: Iterable[Uncounted]) -> dict[Place, _PlaceTotal]:
    places: dict[Place, _PlaceTotal] = {}
    find = places.get
    for fingerprint_id, _, event_id, at_ms, _, dims in events:
        place = find((fingerprint_id, dims))
        if place is None:
            places[fingerprint_id, dims] = _PlaceTotal(at_ms, event_id)
            continue
        place.count += 1
        if at_ms >= place.last_ms:  # lanes are drained one after the other, so the last event need not be the latest
            place.last_ms, place.last_id = at_ms, event_id
        elif at_ms < place.first_ms:
            place.first_ms = at_ms
    return places


def _users(events: Iterable[Uncounted]) -> dict[int, set[int]]:
    users: defaultdict[int, set[int]] = defaultdict(set)
    for fingerprint_id, _, _, _, user_key, _ in events:
        users[fingerprint_id].add(user_key)
    for keys in users.values():
        keys.discard(NO_USER)
    return users


def _by_minute(events: Iterable[Uncounted], places: Mapping[Place, _PlaceTotal]) -> Iterator[tuple[Place, int, int]]:
    """Place, minute, count."""
    longer = set()
    for key, place in places.items():
        minute_ms = place.first_ms - place.first_ms % MINUTE_MS
        if place.last_ms < minute_ms + MINUTE_MS:
            yield key, minute_ms, place.count
        else:
            longer.add(key)
    if longer:
        counts = Counter((e[0], e[5], e[3] // MINUTE_MS) for e in events if (e[0], e[5]) in longer)
        yield from (((key[0], key[1]), key[2] * MINUTE_MS, count) for key, count in counts.items())


def _add_issues(
    totals: Totals,
    places: Mapping[Place, _PlaceTotal],
    owners: Mapping[int, Owner],
) -> None:
    numbers: dict[int, int] = {}
    last: dict[int, tuple[int, int, Place]] = {}  # ms, event id, place
    for key, place in places.items():
        issue_id = owners[key[0]].issue_id
        _add(numbers, issue_id, place.count)
        latest = (place.last_ms, place.last_id, key)
        if issue_id not in last or latest > last[issue_id]:
            last[issue_id] = latest
    for issue_id, (at_ms, _, (fingerprint_id, encoded)) in last.items():
        project_id = owners[fingerprint_id].project_id
        event = CountedEvent(issue_id, project_id, at_ms, *totals.dims[project_id, encoded])
        totals.issues[issue_id] = IssueTotal(numbers[issue_id], event)


def _add(counts: dict[_Key, int], key: _Key, count: int) -> None:
    counts[key] = counts.get(key, 0) + count


def widen(spans: dict[tuple[int, str, str], Span], key: tuple[int, str, str], by: Span) -> None:
    """Add a count, and the times of its first and last event, to those of `key`."""
    span = spans.get(key)
    if span is None:
        spans[key] = [*by]
        return
    span[0] += by[0]
    span[1] = min(span[1], by[1])
    span[2] = max(span[2], by[2])
