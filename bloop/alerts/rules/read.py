"""Alert rules and their channels, for lists and for one page.

RULE-READ-1  Rules of deleted projects are never returned. A rule without a project covers all projects.
RULE-READ-2  A channel's config holds its secrets; display it through `bloop.alerts.channels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from bloop.db.engine import Db, ids_json


class RuleRow(NamedTuple):
    """`project_*` are None for a rule over all projects; `project_created_by` may manage its project."""

    id: int
    project_id: int | None
    project_public_id: str | None
    project_slug: str | None
    project_name: str | None
    project_created_by: str | None
    name: str
    rule_type: str
    config_json: str
    enabled: bool
    description: str | None
    environment_filter: str | None
    source_filter: str | None
    cooldown_secs: int | None  # None: alerting.cooldown_secs
    created_by: str | None
    created_at_ms: int
    updated_at_ms: int
    last_fired_at_ms: int | None

    @property
    def config(self) -> dict[str, Any]:
        """Without the type, which is `rule_type`."""
        stored: dict[str, Any] = orjson.loads(self.config_json)
        return stored


class ChannelRow(NamedTuple):
    """A channel of a rule; the time is when the rule got it."""

    id: int
    rule_id: int
    name: str | None
    channel_type: str
    config_json: str
    created_at_ms: int

    @property
    def config(self) -> dict[str, Any]:
        """With secrets: never show it (RULE-READ-2)."""
        stored: dict[str, Any] = orjson.loads(self.config_json)
        return stored


# The newest firing is served by alert_firings_by_rule.
_COLUMNS = """
SELECT r.id, r.project_id, p.public_id, p.slug, p.name, p.created_by, r.name, r.rule_type, r.config, r.enabled,
       r.description, r.environment_filter, r.source_filter, r.cooldown_secs, r.created_by, r.created_at_ms,
       r.updated_at_ms,
       (SELECT f.fired_at_ms FROM alert_firings AS f
         WHERE f.rule_id = r.id AND f.is_test = 0 ORDER BY f.id DESC LIMIT 1)
  FROM alert_rules AS r
  LEFT JOIN projects AS p ON p.id = r.project_id
 WHERE (r.project_id IS NULL OR p.deleted_at_ms IS NULL)
"""
_OF_PROJECTS = "AND r.project_id IN (SELECT value FROM json_each(:project_ids))"
_BY_ID = "ORDER BY r.id"
_ONE = "AND r.id = :id"
# Served by the primary key of rule_channels.
_SELECT_CHANNELS = """
SELECT c.id, u.rule_id, c.name, c.channel_type, c.config, u.created_at_ms
  FROM rule_channels AS u
  JOIN channels AS c ON c.id = u.channel_id
 WHERE u.rule_id IN (SELECT value FROM json_each(:rule_ids))
 ORDER BY u.created_at_ms, c.id
"""


def list_rules(db: Db, project_ids: Sequence[int] | None = None) -> list[RuleRow]:
    """By id. None lists every rule; else only those of these projects, without the ones over all projects."""
    if project_ids is None:
        return [_rule(row) for row in db.execute(f"{_COLUMNS} {_BY_ID}")]
    bindings = {"project_ids": ids_json(project_ids)}
    return [_rule(row) for row in db.execute(f"{_COLUMNS} {_OF_PROJECTS} {_BY_ID}", bindings)]


def get_rule(db: Db, rule_id: int) -> RuleRow | None:
    """Does not check access."""
    row = db.execute(f"{_COLUMNS} {_ONE}", {"id": rule_id}).fetchone()
    return None if row is None else _rule(row)


def list_channels(db: Db, rule_ids: Sequence[int]) -> list[ChannelRow]:
    """Of these rules, in the order they were added."""
    return [ChannelRow(*row) for row in db.execute(_SELECT_CHANNELS, {"rule_ids": ids_json(rule_ids)})]


def _rule(row: tuple[Any, ...]) -> RuleRow:
    rule = RuleRow(*row)
    return rule._replace(enabled=bool(rule.enabled))
