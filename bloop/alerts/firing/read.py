"""Reads of the alerts process: its rules, new signals, recent alerts, due deliveries.

Reads for pages and the API are in alerts/rules/read.py and alerts/deliveries/read.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.db.engine import Db, ids_json


class RuleRecord(NamedTuple):
    """An enabled rule, of a project that is not deleted."""

    id: int
    name: str
    project_id: int | None
    rule_type: str
    config: str  # JSON
    environment_filter: str | None
    source_filter: str | None
    cooldown_secs: int | None
    after_signal_id: int
    updated_at_ms: int


class IssueSignal(NamedTuple):
    """A signal about an issue, with the origin of its event. `fingerprint` is None when issue or project is deleted."""

    signal_id: int
    kind: str
    project_id: int
    issue_id: int | None
    fingerprint: str | None
    status: str | None
    environment: str | None
    source: str | None
    release: str | None
    at_ms: int


class ProjectFacts(NamedTuple):
    id: int
    public_id: str
    slug: str
    name: str


class AlertIssue(NamedTuple):
    """An issue with what messages need; environment and release are those it was last seen in."""

    issue_id: int
    project: ProjectFacts
    fingerprint: str
    short_id: str
    error_type: str
    message: str
    source: str
    level: str
    environment: str
    release: str
    route: str | None
    culprit: str | None
    event_count: int
    user_count: int
    first_seen_ms: int
    last_seen_ms: int


class RuleChannel(NamedTuple):
    """`id` is None for a default channel of the configuration."""

    id: int | None
    channel_type: str
    config: str  # JSON, secrets included


class DueDigest(NamedTuple):
    """Held firings of one rule whose digest is due. `project_id` is None when they are of several projects."""

    rule_id: int
    firing_count: int
    project_id: int | None


class HeldFiring(NamedTuple):
    id: int
    message: str  # JSON
    event_count: int  # current count of its issue


class DueDelivery(NamedTuple):
    """A delivery that is due. `config` is None when its channel was deleted, and for default channels."""

    id: int
    channel_id: int | None
    channel_type: str
    config: str | None
    message: str  # JSON
    message_key: str
    attempts: int
    is_test: bool


_SELECT_CURSOR = "SELECT signal_id FROM alert_cursor WHERE id = 1"
_SELECT_MINUTE = "SELECT minute_ms FROM alert_cursor WHERE id = 1"
_SELECT_RULES = """
SELECT r.id, r.name, r.project_id, r.rule_type, r.config, r.environment_filter, r.source_filter, r.cooldown_secs,
       r.after_signal_id, r.updated_at_ms
  FROM alert_rules AS r
  LEFT JOIN projects AS p ON p.id = r.project_id
 WHERE r.enabled = 1 AND p.deleted_at_ms IS NULL
 ORDER BY r.id
"""
# A mute that ended by time had no event: environment and source are then those the issue was last seen in.
_SIGNALS = """
SELECT s.id, s.kind, s.project_id, s.issue_id, CASE WHEN p.id IS NOT NULL THEN i.fingerprint END, i.status,
       coalesce(s.data ->> 'environment', (SELECT a.environment FROM aggregates AS a WHERE a.issue_id = s.issue_id
                                            ORDER BY a.last_seen_ms DESC LIMIT 1)),
       coalesce(s.data ->> 'source', i.source), coalesce(s.data ->> 'release', i.last_release), s.at_ms
  FROM signals AS s
  LEFT JOIN projects AS p ON p.id = s.project_id AND p.deleted_at_ms IS NULL
  LEFT JOIN issues AS i ON i.id = s.issue_id AND i.project_id = s.project_id
"""
_AFTER = "WHERE s.id > :after_id ORDER BY s.id LIMIT :limit"
_BETWEEN = "WHERE s.at_ms BETWEEN :since_ms AND :until_ms ORDER BY s.id DESC LIMIT :limit"
_AMONG = "WHERE s.id IN (SELECT value FROM json_each(:signal_ids)) ORDER BY s.id"
_SELECT_FIRED = """
SELECT fired_at_ms FROM alert_cooldowns WHERE rule_id = :rule_id AND project_id = :project_id AND key = :key
"""
# The aggregate seen last, by the unique index (issue_id, release, environment).
_ALERT_ISSUES = """
SELECT i.id, p.id, p.public_id, p.slug, p.name, i.fingerprint, p.short_prefix || '-' || i.short_number, i.error_type,
       i.message, i.source, i.level, coalesce(a.environment, ''), coalesce(a.release, i.last_release), i.route,
       i.culprit, i.event_count, i.user_count, i.first_seen_ms, i.last_seen_ms
  FROM issues AS i
  JOIN projects AS p ON p.id = i.project_id AND p.deleted_at_ms IS NULL
  LEFT JOIN aggregates AS a ON a.id = (SELECT id FROM aggregates WHERE issue_id = i.id
                                        ORDER BY last_seen_ms DESC, id DESC LIMIT 1)
 WHERE i.id IN (SELECT value FROM json_each(:issue_ids))
"""
_SELECT_RULE_EXISTS = "SELECT 1 FROM alert_rules WHERE id = :rule_id"
_SELECT_PROJECT = "SELECT id, public_id, slug, name FROM projects WHERE id = :id"
_SELECT_CHANNELS = """
SELECT c.id, c.channel_type, c.config
  FROM rule_channels AS u JOIN channels AS c ON c.id = u.channel_id
 WHERE u.rule_id = :rule_id
 ORDER BY u.created_at_ms, c.id
"""
# Served by alert_firings_by_rule, from its end.
_SELECT_RECENT = """
SELECT fired_at_ms, rule_type = 'digest'
  FROM alert_firings
 WHERE rule_id = :rule_id AND is_test = 0 AND held_until_ms IS NULL AND digest_id IS NULL
 ORDER BY id DESC
 LIMIT :limit
"""
# Served by alert_firings_held. One that is due far in the future was held before the clock was corrected.
_SELECT_HELD = """
SELECT rule_id, count(*), CASE WHEN min(project_id) = max(project_id) THEN min(project_id) END
  FROM alert_firings
 WHERE held_until_ms IS NOT NULL
 GROUP BY rule_id
HAVING min(held_until_ms) <= :now_ms OR min(held_until_ms) > :now_ms + :hold_ms
"""
_SELECT_HELD_UNTIL = """
SELECT min(held_until_ms) FROM alert_firings WHERE held_until_ms IS NOT NULL AND rule_id = :rule_id
"""
_SELECT_HELD_OF_RULE = """
SELECT f.id, f.message, coalesce(i.event_count, 0) AS event_count
  FROM alert_firings AS f
  LEFT JOIN issues AS i ON i.id = f.issue_id
 WHERE f.held_until_ms IS NOT NULL AND f.rule_id = :rule_id
 ORDER BY event_count DESC, f.id
 LIMIT :limit
"""
# Served by deliveries_by_state; the first of each channel, so that a channel with many does not block the others. Tests
# come first, since a user waits for them.
_SELECT_DUE = """
SELECT id, channel_id, channel_type, config, message, message_key, attempts, is_test
  FROM (SELECT d.id, d.channel_id, d.channel_type, c.config, f.message, d.message_key, d.attempts, f.is_test,
               row_number() OVER (PARTITION BY d.channel_type, d.channel_id ORDER BY f.is_test DESC, d.id) AS place
          FROM deliveries AS d
          JOIN alert_firings AS f ON f.id = d.firing_id
          LEFT JOIN channels AS c ON c.id = d.channel_id
         WHERE d.state = 'waiting' AND (d.next_try_at_ms <= :now_ms OR d.next_try_at_ms > :now_ms + :wait_ms)) AS due
 WHERE place = 1
 ORDER BY id
"""
_SELECT_NEXT_TRY = "SELECT min(next_try_at_ms) FROM deliveries WHERE state = 'waiting'"
_SELECT_FAILED = "SELECT 1 FROM deliveries WHERE state = 'failed' LIMIT 1"


def cursor(db: Db) -> int:
    """The last signal that every rule was evaluated for. Signals up to here may be pruned."""
    return int(db.execute(_SELECT_CURSOR).get)


def evaluated_minute_ms(db: Db) -> int:
    """The last minute that windows were evaluated for, 0 before the first time."""
    return int(db.execute(_SELECT_MINUTE).get)


def list_active_rules(db: Db) -> list[RuleRecord]:
    return [RuleRecord(*row) for row in db.execute(_SELECT_RULES)]


def rule_exists(db: Db, rule_id: int) -> bool:
    """Whether the rule exists, enabled or not."""
    return db.execute(_SELECT_RULE_EXISTS, {"rule_id": rule_id}).fetchone() is not None


def list_signals_after(db: Db, after_id: int, *, limit: int) -> list[IssueSignal]:
    """In order. No signal appears behind a reader: ids are assigned under the write lock, in commit order."""
    return [IssueSignal(*row) for row in db.execute(f"{_SIGNALS} {_AFTER}", {"after_id": after_id, "limit": limit})]


def list_signals_between(db: Db, since_ms: int, until_ms: int, *, limit: int) -> list[IssueSignal]:
    """The newest `limit` of that time, in order, as far back as signals are kept."""
    bindings = {"since_ms": since_ms, "until_ms": until_ms, "limit": limit}
    return [IssueSignal(*row) for row in db.execute(f"{_SIGNALS} {_BETWEEN}", bindings)][::-1]


def get_signals(db: Db, signal_ids: Sequence[int]) -> list[IssueSignal]:
    """Those of these signals that are still stored, in order."""
    return [IssueSignal(*row) for row in db.execute(f"{_SIGNALS} {_AMONG}", {"signal_ids": ids_json(signal_ids)})]


def fired_at_ms(db: Db, rule_id: int, project_id: int, key: str) -> int | None:
    """When the rule last fired about `key`."""
    bindings = {"rule_id": rule_id, "project_id": project_id, "key": key}
    return db.execute(_SELECT_FIRED, bindings).get  # type: ignore[no-any-return]


def get_alert_issues(db: Db, issue_ids: Sequence[int]) -> dict[int, AlertIssue]:
    """By id; deleted issues are left out."""
    rows = db.execute(_ALERT_ISSUES, {"issue_ids": ids_json(issue_ids)})
    return {row[0]: AlertIssue(row[0], ProjectFacts(*row[1:5]), *row[5:]) for row in rows}


def get_project_facts(db: Db, project_id: int) -> ProjectFacts:
    return ProjectFacts(*next(db.execute(_SELECT_PROJECT, {"id": project_id})))


def list_rule_channels(db: Db, rule_id: int) -> list[RuleChannel]:
    return [RuleChannel(*row) for row in db.execute(_SELECT_CHANNELS, {"rule_id": rule_id})]


def list_recent_alerts(db: Db, rule_id: int, *, limit: int) -> list[tuple[int, bool]]:
    """Times of the rule's last alerts, newest first, each with whether it was a digest. Firings held for a digest or
    sent in one do not count."""
    rows = db.execute(_SELECT_RECENT, {"rule_id": rule_id, "limit": limit})
    return [(at_ms, bool(is_digest)) for at_ms, is_digest in rows]


def list_due_digests(db: Db, now_ms: int, *, hold_ms: int) -> list[DueDigest]:
    """Digests that are due; no firing is held longer than `hold_ms`."""
    return [DueDigest(*row) for row in db.execute(_SELECT_HELD, {"now_ms": now_ms, "hold_ms": hold_ms})]


def digest_due_at_ms(db: Db, rule_id: int) -> int | None:
    """When the rule's digest is due; None when no firing is held."""
    return db.execute(_SELECT_HELD_UNTIL, {"rule_id": rule_id}).get  # type: ignore[no-any-return]


def list_held_firings(db: Db, rule_id: int, *, limit: int) -> list[HeldFiring]:
    """Held firings, those of issues with the most events first."""
    return [HeldFiring(*row) for row in db.execute(_SELECT_HELD_OF_RULE, {"rule_id": rule_id, "limit": limit})]


def list_due_deliveries(db: Db, now_ms: int, *, wait_ms: int) -> list[DueDelivery]:
    """The oldest due delivery of each channel; none waits longer than `wait_ms`."""
    return [DueDelivery(*row) for row in db.execute(_SELECT_DUE, {"now_ms": now_ms, "wait_ms": wait_ms})]


def next_try_at_ms(db: Db) -> int | None:
    """When the next delivery is due; None when none is waiting."""
    return db.execute(_SELECT_NEXT_TRY).get  # type: ignore[no-any-return]


def any_failed(db: Db) -> bool:
    """Whether a failed delivery was neither retried nor dismissed."""
    return db.execute(_SELECT_FAILED).fetchone() is not None
