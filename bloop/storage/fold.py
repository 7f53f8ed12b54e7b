"""A batch of records, folded in memory: what has to be written once per issue, aggregate, hour, route and release.

Pure. The writer's speed comes from here: a batch of 5,000 events of 300 issues costs 5,000 event rows and 300 of
everything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import xxhash

from bloop.clock import HOUR_MS, MINUTE_MS
from bloop.record import ErrorRecord


@dataclass(slots=True)
class IssueFold:
    """Everything a batch brings to one issue. `records` are in ring order; times are receive times in ms."""

    records: list[ErrorRecord]
    user_keys: set[bytes] = field(default_factory=set)
    aggregates: dict[tuple[str, str], list[int]] = field(default_factory=dict)  # (release, env) → count, first, last
    hours: dict[tuple[int, str, str], int] = field(default_factory=dict)  # (hour, env, source) → count
    first_seen_ms: int = 0
    last_seen_ms: int = 0

    @property
    def first(self) -> ErrorRecord:
        return self.records[0]

    @property
    def last(self) -> ErrorRecord:
        return self.records[-1]


@dataclass(slots=True)
class Fold:
    """A whole batch. `issues` is keyed by (project id, fingerprint)."""

    issues: dict[tuple[int, str], IssueFold]
    project_hours: dict[tuple[int, int, str, str], int] = field(default_factory=dict)  # (project, hour, env, source)
    routes: dict[tuple[int, str], int] = field(default_factory=dict)
    releases: dict[tuple[int, str, str], list[int]] = field(
        default_factory=dict
    )  # (project, rel, env) → n, first, last
    stored: dict[tuple[int, int], int] = field(default_factory=dict)  # (minute, project) → count


def fold(records: Iterable[ErrorRecord]) -> Fold:
    """Group `records` by issue and add them up."""
    groups: dict[tuple[int, str], list[ErrorRecord]] = {}
    for record in records:
        key = (record.project_id, record.fingerprint)
        group = groups.get(key)
        if group is None:
            groups[key] = [record]
        else:
            group.append(record)
    result = Fold({key: _fold_issue(group) for key, group in groups.items()})
    for (project_id, _), issue in result.issues.items():
        _fold_project(result, project_id, issue)
    return result


def user_key(record: ErrorRecord) -> bytes | None:
    """16 bytes that stand for the person, or for the device when nobody is signed in; None when neither is known."""
    event = record.event
    if event.user_id_hash is not None:
        return xxhash.xxh3_128_digest(event.user_id_hash.encode())
    if event.device_id_hash is not None:
        return xxhash.xxh3_128_digest(b"device:" + event.device_id_hash.encode())
    return None


def _fold_issue(records: list[ErrorRecord]) -> IssueFold:
    issue = IssueFold(records)
    for record in records:
        event, at_ms = record.event, record.received_at_ms
        counts = issue.aggregates.get((event.release, event.environment))
        if counts is None:
            issue.aggregates[(event.release, event.environment)] = [1, at_ms, at_ms]
        else:
            _widen(counts, 1, at_ms, at_ms)
        hour = (at_ms - at_ms % HOUR_MS, event.environment, event.source)
        issue.hours[hour] = issue.hours.get(hour, 0) + 1
        person = user_key(record)
        if person is not None:
            issue.user_keys.add(person)
    issue.first_seen_ms = min(c[1] for c in issue.aggregates.values())
    issue.last_seen_ms = max(c[2] for c in issue.aggregates.values())
    return issue


def _fold_project(total: Fold, project_id: int, issue: IssueFold) -> None:
    for (hour, environment, source), count in issue.hours.items():
        key = (project_id, hour, environment, source)
        total.project_hours[key] = total.project_hours.get(key, 0) + count
    for (release, environment), (count, first_ms, last_ms) in issue.aggregates.items():
        _widen(
            total.releases.setdefault((project_id, release, environment), [0, first_ms, last_ms]),
            count,
            first_ms,
            last_ms,
        )
    for record in issue.records:
        at_ms = record.received_at_ms
        minute = (at_ms - at_ms % MINUTE_MS, project_id)
        total.stored[minute] = total.stored.get(minute, 0) + 1
        route = record.event.route
        if route is not None:
            total.routes[(project_id, route)] = total.routes.get((project_id, route), 0) + 1


def _widen(counts: list[int], count: int, first_ms: int, last_ms: int) -> None:
    counts[0] += count
    if first_ms < counts[1]:
        counts[1] = first_ms
    if last_ms > counts[2]:
        counts[2] = last_ms
