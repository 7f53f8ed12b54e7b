"""Firings and their deliveries, newest first.

LOG-1  Lists walk an index from its end and continue by id, so a page deep in the log costs as much as the first one.
LOG-2  A firing held for a digest shows the digest's deliveries; a digest is in the delivery log, but not in the list
       of firings.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from bloop.alerts.rules import words
from bloop.base.clock import DAY_MS
from bloop.db.engine import Db, ids_json
from bloop.db.walk import ROWS_MAX

UNSEEN_MAX = 100


class DeliveryState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    DISMISSED = "dismissed"


class FiringRow(NamedTuple):
    """Counts are of its deliveries, or of its digest's; `is_held` while it waits for its digest."""

    id: int
    rule_id: int | None
    rule_name: str
    rule_type: str
    project_public_id: str | None
    project_slug: str | None
    short_id: str | None
    fingerprint: str | None
    fired_at_ms: int
    is_test: bool
    text: str
    url: str
    is_held: bool
    sent: int
    waiting: int
    failed: int
    dismissed: int


class DeliveryRow(NamedTuple):
    """Name and type of the rule are the firing's, so they remain; `can_be_sent`: the rule still exists and
    notifies the channel.

    `rule_project_*` are those of the rule's project: None over all projects, or when it is deleted.
    """

    id: int
    firing_id: int
    rule_id: int | None
    rule_project_id: int | None
    rule_project_created_by: str | None
    rule_exists: bool
    can_be_sent: bool
    rule_name: str
    rule_type: str
    is_test: bool
    project_public_id: str | None
    project_slug: str | None
    short_id: str | None
    text: str
    channel_id: int | None
    channel_type: str
    target: str
    state: DeliveryState
    attempts: int
    next_try_at_ms: int
    last_error: str | None
    last_status: int | None
    last_answer: str | None  # of tests only: the beginning of the receiver's text
    last_duration_ms: int | None
    created_at_ms: int
    sent_at_ms: int | None


class AnnouncedRow(NamedTuple):
    """A sent delivery about one issue."""

    firing_id: int
    sent_at_ms: int
    rule_name: str
    channel_type: str
    target: str

    @property
    def receiver(self) -> str:
        """`Slack hooks.slack.com`"""
        return words.channel_label(self.channel_type, self.target)


_FIRINGS = """
SELECT f.id, f.rule_id, f.rule_name, f.rule_type, p.public_id, p.slug, p.short_prefix || '-' || i.short_number,
       i.fingerprint, f.fired_at_ms, f.is_test, f.message ->> 'text', f.message ->> 'url', f.held_until_ms IS NOT NULL,
       counts.sent, counts.waiting, counts.failed, counts.dismissed
  FROM (SELECT page.id, count(*) FILTER (WHERE d.state = 'sent') AS sent,
               count(*) FILTER (WHERE d.state = 'waiting') AS waiting,
               count(*) FILTER (WHERE d.state = 'failed') AS failed,
               count(*) FILTER (WHERE d.state = 'dismissed') AS dismissed
          FROM (SELECT id, digest_id FROM alert_firings
                 WHERE rule_id = :rule_id AND rule_type <> 'digest' AND id < :before_id
                 ORDER BY id DESC LIMIT :limit OFFSET :skip) AS page
          LEFT JOIN deliveries AS d ON d.firing_id = coalesce(page.digest_id, page.id)
         GROUP BY page.id) AS counts
  JOIN alert_firings AS f ON f.id = counts.id
  LEFT JOIN projects AS p ON p.id = f.project_id AND p.deleted_at_ms IS NULL
  LEFT JOIN issues AS i ON i.id = f.issue_id AND i.project_id = f.project_id
 ORDER BY f.id DESC
"""
# The innermost subquery of _FIRINGS is served by alert_firings_by_rule.
# The cross join keeps deliveries in front: with statistics from before the log grew, the planner would begin at the
# firings and sort them all (0.8 s with 50,000).
_COLUMNS = """
SELECT d.id, d.firing_id, d.rule_id, r.project_id, owner.created_by,
       r.id IS NOT NULL, r.id IS NOT NULL AND (d.channel_id IS NULL OR u.channel_id IS NOT NULL), f.rule_name,
       f.rule_type, f.is_test, p.public_id, p.slug, p.short_prefix || '-' || i.short_number, f.message ->> 'text',
       d.channel_id, d.channel_type, d.target, d.state, d.attempts, d.next_try_at_ms, d.last_error, d.last_status,
       d.last_answer, d.last_duration_ms, d.created_at_ms, d.sent_at_ms
  FROM deliveries AS d
 CROSS JOIN alert_firings AS f
  LEFT JOIN alert_rules AS r ON r.id = d.rule_id
  LEFT JOIN projects AS owner ON owner.id = r.project_id
  LEFT JOIN rule_channels AS u ON u.rule_id = d.rule_id AND u.channel_id = d.channel_id
  LEFT JOIN projects AS p ON p.id = f.project_id AND p.deleted_at_ms IS NULL
  LEFT JOIN issues AS i ON i.id = f.issue_id AND i.project_id = f.project_id
 WHERE f.id = d.firing_id
"""
_ONE = "AND d.id = :id"
_OF_FIRING = "AND d.firing_id = :firing_id ORDER BY d.id"
_BEFORE = "d.id < :before_id"
_OF_RULE = "d.rule_id = :rule_id"
_OF_PROJECTS = "r.project_id IN (SELECT value FROM json_each(:project_ids))"
# Most deliveries are sent, so a walk down the primary key finds them fast. Those in other states are few and found by
# their index, which the concatenation avoids.
_MOST = "d.state || '' = :state"
_FEW = "d.state = :state"
_NEWEST = "ORDER BY d.id DESC LIMIT :limit OFFSET :skip"
# Served by deliveries_by_state: a failed delivery keeps in next_try_at_ms when it failed.
_COUNT_FAILED_SINCE = """
SELECT count(*)
  FROM (SELECT 1 FROM deliveries WHERE state = 'failed' AND next_try_at_ms > :since_ms LIMIT :limit) AS newest
"""
_SELECT_VISIT = "SELECT visited_at_ms FROM delivery_log_visits WHERE user_id = :user_id"
_COUNT = "SELECT count(*) FROM deliveries WHERE state = :state"
# Served by alert_firings_by_issue; a handful of firings at most, thanks to their cooldown.
_ANNOUNCED = """
SELECT f.id, d.sent_at_ms, f.rule_name, d.channel_type, d.target
  FROM (SELECT * FROM alert_firings WHERE issue_id = :issue_id AND is_test = 0 ORDER BY id DESC LIMIT :limit) AS f
  JOIN deliveries AS d ON d.firing_id = coalesce(f.digest_id, f.id) AND d.state = 'sent'
 ORDER BY f.id DESC, d.id
 LIMIT :limit
"""
_NEWEST_ID = 2**63 - 1


def list_firings(db: Db, rule_id: int, *, before_id: int | None = None, skip: int = 0, limit: int) -> list[FiringRow]:
    """The firings of a rule, tests included, strictly before `before_id`."""
    assert 0 < limit <= ROWS_MAX + 1
    bindings = {"rule_id": rule_id, "before_id": before_id or _NEWEST_ID, "limit": limit, "skip": skip}
    return [_firing(row) for row in db.execute(_FIRINGS, bindings)]


def list_deliveries(
    db: Db,
    *,
    state: DeliveryState | None = None,
    rule_id: int | None = None,
    project_ids: Sequence[int] | None = None,
    before_id: int | None = None,
    skip: int = 0,
    limit: int,
) -> list[DeliveryRow]:
    """`project_ids` None: of every rule, also of deleted ones; else only of rules of these projects."""
    assert 0 < limit <= ROWS_MAX + 1
    conditions = [_BEFORE]
    bindings: dict[str, Any] = {"before_id": before_id or _NEWEST_ID, "limit": limit, "skip": skip}
    if state is not None:
        conditions.append(_MOST if state is DeliveryState.SENT else _FEW)
        bindings["state"] = state.value
    if rule_id is not None:
        conditions.append(_OF_RULE)
        bindings["rule_id"] = rule_id
    if project_ids is not None:
        conditions.append(_OF_PROJECTS)
        bindings["project_ids"] = ids_json(project_ids)
    statement = f"{_COLUMNS} AND {' AND '.join(conditions)} {_NEWEST}"
    return [_delivery(row) for row in db.execute(statement, bindings)]


def get_delivery(db: Db, delivery_id: int) -> DeliveryRow | None:
    """Does not check access."""
    row = db.execute(f"{_COLUMNS} {_ONE}", {"id": delivery_id}).fetchone()
    return None if row is None else _delivery(row)


def deliveries_of(db: Db, firing_id: int) -> list[DeliveryRow]:
    """One per channel, in the order of the channels."""
    return [_delivery(row) for row in db.execute(f"{_COLUMNS} {_OF_FIRING}", {"firing_id": firing_id})]


def count_deliveries(db: Db, state: DeliveryState) -> int:
    """By an index; for the states with few deliveries."""
    return int(db.execute(_COUNT, {"state": state.value}).get or 0)


def count_unseen_failures(db: Db, user_id: str, now_ms: int) -> int:
    """Deliveries that failed in the last day and since this person opened the delivery log, at most UNSEEN_MAX.

    `user_id` is the principal's id. Two look-ups by index: the frame of every page asks.
    """
    visited_at_ms = db.execute(_SELECT_VISIT, {"user_id": user_id}).get or 0
    since_ms = max(now_ms - DAY_MS, visited_at_ms)
    return int(db.execute(_COUNT_FAILED_SINCE, {"since_ms": since_ms, "limit": UNSEEN_MAX}).get or 0)


def announced(db: Db, issue_id: int, *, limit: int) -> list[AnnouncedRow]:
    """The alerts sent about an issue, newest firing first, receivers in their order."""
    return [AnnouncedRow(*row) for row in db.execute(_ANNOUNCED, {"issue_id": issue_id, "limit": limit})]


def _firing(row: tuple[Any, ...]) -> FiringRow:
    firing = FiringRow(*row)
    return firing._replace(is_test=bool(firing.is_test), is_held=bool(firing.is_held))


def _delivery(row: tuple[Any, ...]) -> DeliveryRow:
    delivery = DeliveryRow(*row)
    return delivery._replace(
        rule_exists=bool(delivery.rule_exists),
        can_be_sent=bool(delivery.can_be_sent),
        is_test=bool(delivery.is_test),
        state=DeliveryState(delivery.state),
    )
