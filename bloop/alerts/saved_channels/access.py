"""Who sees and changes channels: the same people and tokens as the rules of their project (ACCESS-6)."""

from __future__ import annotations

from bloop.alerts.rules.access import ID_MAX, NOT_YOURS
from bloop.alerts.saved_channels.read import SavedChannel, get_saved_channel
from bloop.auth.access import may_change_alerts, may_see_alerts
from bloop.auth.principal import Principal
from bloop.base.errors import Forbidden, NotFound
from bloop.db.engine import Db

ADMINS_ONLY = "only an admin may do this: the channel is for all projects"


def require_visible_channel(db: Db, principal: Principal, channel_id: int) -> SavedChannel:
    """The channel, if `principal` may see it. Raises: NotFound."""
    channel = get_saved_channel(db, channel_id) if 0 < channel_id <= ID_MAX else None
    if channel is None or not may_see_alerts(principal, channel.project_id):
        raise NotFound(f"channel {channel_id} not found")
    return channel


def require_changeable_channel(db: Db, principal: Principal, channel_id: int) -> SavedChannel:
    """The channel, if `principal` may change it. Raises: NotFound, Forbidden."""
    channel = require_visible_channel(db, principal, channel_id)
    if not may_change_channel(principal, channel):
        raise Forbidden(ADMINS_ONLY if channel.project_id is None else NOT_YOURS)
    return channel


def may_change_channel(principal: Principal, channel: SavedChannel) -> bool:
    return may_change_alerts(principal, channel.project_id, channel.project_created_by)
