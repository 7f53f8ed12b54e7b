"""Changes to saved channels, shared by the API and the pages, with their access checks.

CHANNEL-CHANGE-1  An invisible channel answers 404, like one that does not exist. A visible, read-only one answers 403.
CHANNEL-CHANGE-2  A config is replaced as a whole: a change of the address alone could send a stored secret elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts import channels
from bloop.alerts.firing import send_test as trial
from bloop.alerts.firing.run_test import TestRun, run_test
from bloop.alerts.rules.access import project_id_for
from bloop.alerts.rules.bodies import text_in
from bloop.alerts.saved_channels import store
from bloop.alerts.saved_channels.access import require_changeable_channel, require_visible_channel
from bloop.alerts.saved_channels.bodies import parse_channel_config
from bloop.alerts.saved_channels.read import SavedChannel
from bloop.auth.principal import Principal
from bloop.db.engine import Db
from bloop.site.deps import Deps


def create(deps: Deps, principal: Principal, body: Mapping[str, Any]) -> SavedChannel:
    """Save a channel: `config`, and optionally `name` and `project_id`.

    Raises:
        InvalidField, Conflict: names the field; the name is taken, or there are too many channels.
        Forbidden: the caller may not create channels there.
    """
    reference, name = text_in(body, "project_id") or "", text_in(body, "name") or ""
    with deps.database.reader() as db:
        project_id_for(db, principal, reference)  # before validating, so that forbidden callers always get 403
    checked = parse_channel_config(body.get("config"), deps.settings)

    def save(db: Db) -> SavedChannel:
        channel_id = store.create_channel(
            db,
            checked.channel_type,
            checked.config,
            project_id=project_id_for(db, principal, reference),
            name=name,
            target=checked.target,
            now_ms=deps.now_ms(),
        )
        return require_visible_channel(db, principal, channel_id)

    return deps.database.change(save)


def change(deps: Deps, principal: Principal, channel_id: int, body: Mapping[str, Any]) -> SavedChannel:
    """Change `name`, or `config` as a whole; what is absent or null stays.

    Raises:
        NotFound, Forbidden: no such channel, or not the caller's to change.
        InvalidField, Conflict: names the field; the name is taken.
    """
    with deps.database.reader() as db:
        require_changeable_channel(db, principal, channel_id)
    name = text_in(body, "name")
    checked = None if body.get("config") is None else parse_channel_config(body["config"], deps.settings)

    def save(db: Db) -> SavedChannel:
        channel, now_ms = require_changeable_channel(db, principal, channel_id), deps.now_ms()
        if name is not None:
            store.rename_channel(db, channel, name, now_ms)
        if checked is not None:
            store.replace_config(db, channel.id, checked.channel_type, checked.config, now_ms)
        return require_visible_channel(db, principal, channel_id)

    return deps.database.change(save)


def delete(deps: Deps, principal: Principal, channel_id: int) -> None:
    """Delete the channel; its rules no longer notify it. Raises: NotFound, Forbidden."""

    def remove(db: Db) -> None:
        store.delete_channel(db, require_changeable_channel(db, principal, channel_id).id)

    deps.database.change(remove)


def send_test(deps: Deps, principal: Principal, channel_id: int) -> TestRun:
    """Send a test now and wait for the answer.

    Raises:
        NotFound, Forbidden: no such channel, or not the caller's to change.
        RateLimited: other tests are running (RUN-TEST-1).
    """
    with deps.database.reader() as db:
        require_changeable_channel(db, principal, channel_id)
    origin = deps.settings.auth.rp_origin

    def start(db: Db, now_ms: int) -> int:
        channel = require_changeable_channel(db, principal, channel_id)
        return trial.start_of_channel(db, channel, channels.target, origin=origin, now_ms=now_ms)

    return run_test(deps, start)
