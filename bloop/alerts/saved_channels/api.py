"""/v1/channels: channels that any number of rules notify. Times in seconds.

A token sees and changes the channels of its own project; channels for all projects are for users (ACCESS-6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import falcon

from bloop.alerts import channels
from bloop.alerts.rules.api import trial_json
from bloop.alerts.saved_channels import changes
from bloop.alerts.saved_channels.access import require_changeable_channel, require_visible_channel
from bloop.alerts.saved_channels.read import ChannelUse, SavedChannel, list_saved_channels, list_uses
from bloop.projects.read import visible_projects
from bloop.site.bodies import answer_json, read_json
from bloop.site.deps import Deps
from bloop.site.principal import principal_of


class SavedChannelsApi:
    """/v1/channels, /v1/channels/{channel_id} and its test"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, reference = principal_of(req), req.get_param("project_id")
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal, reference) if reference else principal.project_ids
            rows = list_saved_channels(db, project_ids)
            uses = list_uses(db, [row.id for row in rows])
        answer_json(resp, [saved_channel_json(row, uses.get(row.id, ())) for row in rows])

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        answer_json(resp, saved_channel_json(changes.create(self._deps, principal_of(req), read_json(req)), ()))

    def on_get_one(self, req: falcon.Request, resp: falcon.Response, channel_id: int) -> None:
        with self._deps.database.reader() as db:
            row = require_visible_channel(db, principal_of(req), channel_id)
            uses = list_uses(db, [row.id])
        answer_json(resp, saved_channel_json(row, uses.get(row.id, ())))

    def on_put_one(self, req: falcon.Request, resp: falcon.Response, channel_id: int) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            require_changeable_channel(db, principal, channel_id)  # before reading: forbidden callers always get 403
        row = changes.change(self._deps, principal, channel_id, read_json(req))
        with self._deps.database.reader() as db:
            uses = list_uses(db, [row.id])
        answer_json(resp, saved_channel_json(row, uses.get(row.id, ())))

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, channel_id: int) -> None:
        changes.delete(self._deps, principal_of(req), channel_id)
        answer_json(resp, {"deleted": channel_id})

    def on_post_test(self, req: falcon.Request, resp: falcon.Response, channel_id: int) -> None:
        tested = changes.send_test(self._deps, principal_of(req), channel_id)
        answer_json(resp, {"sent": tested.sent, "results": [*map(trial_json, tested.outcomes)]})


def saved_channel_json(row: SavedChannel, uses: Sequence[ChannelUse]) -> dict[str, Any]:
    """Without secrets: they can be written, never read."""
    return {
        "id": row.id,
        "name": row.name,
        "channel_type": row.channel_type,
        "config": {"type": row.channel_type, **channels.redacted(row.channel_type, row.config)},
        "target": channels.target(row.channel_type, row.config),
        "project_id": row.project_public_id,
        "rules": [use.rule_id for use in uses],
        "created_at": row.created_at_ms // 1000,
        "updated_at": row.updated_at_ms // 1000,
    }
