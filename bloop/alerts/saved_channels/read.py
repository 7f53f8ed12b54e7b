"""Saved channels, with their rules and their last delivery.

CHANNEL-READ-1  Channels of deleted projects are never returned. A channel without a project is for the rules of all
    projects.
CHANNEL-READ-2  A config holds secrets; display it through `bloop.alerts.channels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from bloop.db.engine import Db, ids_json


class SavedChannel(NamedTuple):
    """`project_*` are None for a channel for all projects; `project_created_by` may manage its project."""

    id: int
    project_id: int | None
    project_public_id: str | None
    project_slug: str | None
    project_name: str | None
    project_created_by: str | None
    name: str | None  # CHANNEL-NAME-1
    channel_type: str
    config_json: str
    created_at_ms: int
    updated_at_ms: int

    @property
    def config(self) -> dict[str, Any]:
        """With secrets: never show it (CHANNEL-READ-2)."""
        stored: dict[str, Any] = orjson.loads(self.config_json)
        return stored


class ChannelUse(NamedTuple):
    """A rule that notifies a channel."""

    channel_id: int
    rule_id: int
    rule_name: str
    enabled: bool


class LastDelivery(NamedTuple):
    """The newest delivery to a channel, tests included."""

    channel_id: int
    state: str
    created_at_ms: int
    last_error: str | None
    last_status: int | None


_COLUMNS = """
SELECT c.id, c.project_id, p.public_id, p.slug, p.name, p.created_by, c.name, c.channel_type, c.config, c.created_at_ms,
       c.updated_at_ms
  FROM channels AS c
  LEFT JOIN projects AS p ON p.id = c.project_id
 WHERE (c.project_id IS NULL OR p.deleted_at_ms IS NULL)
"""
_OF_PROJECTS = "AND c.project_id IN (SELECT value FROM json_each(:project_ids))"
_BY_ID = "ORDER BY c.id"
_ONE = "AND c.id = :id"
# At most CHANNELS_MAX rows: no index.
_SAME = """
AND c.project_id IS NOT DISTINCT FROM CAST(:project_id AS INTEGER) AND c.channel_type = :channel_type
AND c.config = :config ORDER BY c.name IS NULL, c.id LIMIT 1
"""
# Served by channels_by_name.
_SELECT_NAMES = "SELECT name FROM channels WHERE coalesce(project_id, 0) = :project_id AND name IS NOT NULL"
_COUNT = "SELECT count(*) FROM channels"
# Served by rule_channels_by_channel.
_SELECT_USES = """
SELECT u.channel_id, r.id, r.name, r.enabled
  FROM rule_channels AS u
  JOIN alert_rules AS r ON r.id = u.rule_id
  LEFT JOIN projects AS p ON p.id = r.project_id
 WHERE u.channel_id IN (SELECT value FROM json_each(:channel_ids))
   AND (r.project_id IS NULL OR p.deleted_at_ms IS NULL)
 ORDER BY u.channel_id, r.id
"""
# The newest of each channel is found at the end of its part of deliveries_by_channel.
_SELECT_LAST = """
SELECT d.channel_id, d.state, d.created_at_ms, d.last_error, d.last_status
  FROM channels AS c
  JOIN deliveries AS d ON d.id = (SELECT max(id) FROM deliveries WHERE channel_id = c.id)
 WHERE c.id IN (SELECT value FROM json_each(:channel_ids))
"""


def list_saved_channels(db: Db, project_ids: Sequence[int] | None = None) -> list[SavedChannel]:
    """By id. None lists every channel; else only those of these projects, without the ones for all projects."""
    if project_ids is None:
        return [SavedChannel(*row) for row in db.execute(f"{_COLUMNS} {_BY_ID}")]
    bindings = {"project_ids": ids_json(project_ids)}
    return [SavedChannel(*row) for row in db.execute(f"{_COLUMNS} {_OF_PROJECTS} {_BY_ID}", bindings)]


def get_saved_channel(db: Db, channel_id: int) -> SavedChannel | None:
    """Does not check access."""
    row = db.execute(f"{_COLUMNS} {_ONE}", {"id": channel_id}).fetchone()
    return None if row is None else SavedChannel(*row)


def find_same_channel(db: Db, project_id: int | None, channel_type: str, config_json: str) -> SavedChannel | None:
    """The channel of the same project with exactly this config, a named one first."""
    bindings = {"project_id": project_id, "channel_type": channel_type, "config": config_json}
    row = db.execute(f"{_COLUMNS} {_SAME}", bindings).fetchone()
    return None if row is None else SavedChannel(*row)


def channel_names(db: Db, project_id: int | None) -> set[str]:
    """The names taken in a project; None: among the channels for all projects."""
    return {row[0] for row in db.execute(_SELECT_NAMES, {"project_id": project_id or 0})}


def count_channels(db: Db) -> int:
    return int(db.execute(_COUNT).get or 0)


def list_uses(db: Db, channel_ids: Sequence[int]) -> dict[int, list[ChannelUse]]:
    """The rules of each of these channels, by id; a channel without rules is left out."""
    uses: dict[int, list[ChannelUse]] = {}
    for channel_id, rule_id, rule_name, enabled in db.execute(_SELECT_USES, {"channel_ids": ids_json(channel_ids)}):
        uses.setdefault(channel_id, []).append(ChannelUse(channel_id, rule_id, rule_name, bool(enabled)))
    return uses


def last_deliveries(db: Db, channel_ids: Sequence[int]) -> dict[int, LastDelivery]:
    """By channel; one that never got a message is left out."""
    return {row[0]: LastDelivery(*row) for row in db.execute(_SELECT_LAST, {"channel_ids": ids_json(channel_ids)})}
