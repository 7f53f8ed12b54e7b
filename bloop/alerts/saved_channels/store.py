"""Creates, changes and deletes channels, and says which rules notify them. Call inside a transaction.

CHANNEL-STORE-1  Stored configs are those that `alerts.channels.check` returned; the caller calls it.
CHANNEL-STORE-2  A rule notifies channels of its own project and those for all projects, nothing else.
CHANNEL-STORE-3  A channel that leaves a rule, or is deleted, dismisses the deliveries that wait for it there. Triggers
    do both, and delete a channel without a name with its last rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from bloop.alerts.saved_channels.model import default_name, validated_name
from bloop.alerts.saved_channels.read import (
    SavedChannel,
    channel_names,
    count_channels,
    find_same_channel,
    get_saved_channel,
)
from bloop.base.errors import Conflict, InvalidField, NotFound
from bloop.db.engine import Db

CHANNELS_MAX = 1000
PER_RULE_MAX = 20

_INSERT = """
INSERT INTO channels (project_id, name, channel_type, config, created_at_ms, updated_at_ms)
VALUES (:project_id, :name, :channel_type, :config, :now_ms, :now_ms)
RETURNING id
"""
_RENAME = "UPDATE channels SET name = :name, updated_at_ms = :now_ms WHERE id = :id"
_REPLACE = """
UPDATE channels SET channel_type = :channel_type, config = :config, updated_at_ms = :now_ms WHERE id = :id
"""
_DELETE = "DELETE FROM channels WHERE id = :id RETURNING id"
_ATTACH = """
INSERT INTO rule_channels (rule_id, channel_id, created_at_ms) VALUES (:rule_id, :channel_id, :now_ms)
    ON CONFLICT DO NOTHING
"""
_DETACH = "DELETE FROM rule_channels WHERE rule_id = :rule_id AND channel_id = :channel_id RETURNING channel_id"
_SELECT_OF_RULE = "SELECT channel_id FROM rule_channels WHERE rule_id = :rule_id"


def create_channel(
    db: Db,
    channel_type: str,
    config: Mapping[str, Any],
    *,
    project_id: int | None,
    name: str = "",
    target: str = "",
    now_ms: int,
) -> int:
    """Save a channel; return its id. Without a `name` it is named by its type and `target`.

    Raises:
        InvalidField: the name.
        Conflict: the name is taken, or there are CHANNELS_MAX already.
    """
    if name.strip():
        name = validated_name(name)
        _require_free_name(db, project_id, name)
    else:
        name = default_name(channel_type, target, channel_names(db, project_id))
    return _insert(db, channel_type, config, project_id, name, now_ms)


def find_or_create_unnamed(
    db: Db, channel_type: str, config: Mapping[str, Any], *, project_id: int | None, now_ms: int
) -> int:
    """The channel of this project with exactly this config, else a new one without a name. Raises: Conflict."""
    same = find_same_channel(db, project_id, channel_type, _as_json(config))
    return same.id if same else _insert(db, channel_type, config, project_id, None, now_ms)


def rename_channel(db: Db, channel: SavedChannel, name: str, now_ms: int) -> None:
    """Raises: InvalidField, Conflict."""
    name = validated_name(name)
    if name != channel.name:
        _require_free_name(db, channel.project_id, name)
        db.execute(_RENAME, {"id": channel.id, "name": name, "now_ms": now_ms})


def replace_config(db: Db, channel_id: int, channel_type: str, config: Mapping[str, Any], now_ms: int) -> None:
    """Replace type and config as a whole: a secret never outlives the address that it was given for."""
    row = {"id": channel_id, "channel_type": channel_type, "config": _as_json(config), "now_ms": now_ms}
    db.execute(_REPLACE, row)


def delete_channel(db: Db, channel_id: int) -> None:
    """Delete the channel; its rules no longer notify it (CHANNEL-STORE-3). Raises: NotFound."""
    if not list(db.execute(_DELETE, {"id": channel_id})):
        raise NotFound(f"channel {channel_id} not found")


def attach_channel(db: Db, rule_id: int, rule_project_id: int | None, channel_id: int, now_ms: int) -> None:
    """The rule notifies the channel from now on; nothing changes if it does already.

    Raises:
        InvalidField: there is no such channel, or it is one of another project (CHANNEL-STORE-2).
        Conflict: the rule has PER_RULE_MAX already.
    """
    channel = get_saved_channel(db, channel_id)
    if channel is None or channel.project_id not in (None, rule_project_id):
        raise InvalidField("channel_id", f"channel {channel_id} not found")
    attached = attached_ids(db, rule_id)
    if channel_id in attached:
        return
    if len(attached) >= PER_RULE_MAX:
        raise Conflict(f"a rule has at most {PER_RULE_MAX} channels")
    db.execute(_ATTACH, {"rule_id": rule_id, "channel_id": channel_id, "now_ms": now_ms})


def detach_channel(db: Db, rule_id: int, channel_id: int) -> None:
    """The rule no longer notifies the channel (CHANNEL-STORE-3). Raises: NotFound."""
    if not list(db.execute(_DETACH, {"rule_id": rule_id, "channel_id": channel_id})):
        raise NotFound(f"channel {channel_id} not found")


def attached_ids(db: Db, rule_id: int) -> set[int]:
    """The channels of a rule."""
    return {row[0] for row in db.execute(_SELECT_OF_RULE, {"rule_id": rule_id})}


def _insert(
    db: Db, channel_type: str, config: Mapping[str, Any], project_id: int | None, name: str | None, now_ms: int
) -> int:
    if count_channels(db) >= CHANNELS_MAX:
        raise Conflict(f"there are {CHANNELS_MAX} channels already: delete one first")
    row = {"project_id": project_id, "name": name, "channel_type": channel_type, "config": _as_json(config)}
    ((channel_id,),) = list(db.execute(_INSERT, row | {"now_ms": now_ms}))
    return int(channel_id)


def _require_free_name(db: Db, project_id: int | None, name: str) -> None:
    if name in channel_names(db, project_id):
        raise Conflict(f"there is a channel named {name!r} already")


def _as_json(config: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(config)).decode()
