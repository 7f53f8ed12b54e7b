"""Names the channels that an upgrade made of the rules' own ones: SQL cannot read the receiver from a config."""

from __future__ import annotations

import orjson

from bloop.alerts import channels
from bloop.alerts.saved_channels.model import default_name
from bloop.db.engine import Db

_SELECT_UNNAMED = (
    "SELECT id, coalesce(project_id, 0), channel_type, config FROM channels WHERE name IS NULL ORDER BY id"
)
_NAME = "UPDATE channels SET name = :name WHERE id = :id"


def name_channels(db: Db) -> None:
    """Called by the migration, in its transaction."""
    taken: dict[int, set[str]] = {}
    for channel_id, project_id, channel_type, config in db.execute(_SELECT_UNNAMED).fetchall():
        of_project = taken.setdefault(project_id, set())
        name = default_name(channel_type, _target(channel_type, config), of_project)
        of_project.add(name)
        db.execute(_NAME, {"id": channel_id, "name": name})


def _target(channel_type: str, config: str) -> str:
    try:
        return channels.target(channel_type, orjson.loads(config))
    except (LookupError, TypeError, ValueError):  # of a type that only another version knows
        return ""
