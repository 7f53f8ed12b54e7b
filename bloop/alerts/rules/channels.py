"""Which channels a rule notifies: attach, detach, and the choice of a form. With their access checks.

RULE-CHANNELS-1  A rule gets channels that the caller may see: tokens those of their project, users also those for all.
RULE-CHANNELS-2  A channel that an admin makes in the form of a rule is for all projects, so that the next rule can use
    it; another user's is for the rule's project. A config attached by the API makes a channel of the rule's project.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bloop.alerts.rules.access import ID_MAX, require_changeable_rule
from bloop.alerts.rules.read import ChannelRow, RuleRow, list_channels
from bloop.alerts.saved_channels import store
from bloop.alerts.saved_channels.access import require_visible_channel
from bloop.alerts.saved_channels.bodies import CheckedConfig, parse_channel_config
from bloop.alerts.saved_channels.read import SavedChannel
from bloop.auth.principal import Principal
from bloop.base.errors import InvalidField, NotFound
from bloop.db.engine import Db
from bloop.site.deps import Deps


class NewChannel(NamedTuple):
    """A channel to save with the rule. Without a `name` it is named by its type and receiver."""

    checked: CheckedConfig
    name: str = ""


class ChannelChoice(NamedTuple):
    """The whole choice: channels of the rule that are not in it leave."""

    channel_ids: frozenset[int] = frozenset()
    new: NewChannel | None = None


def attach(deps: Deps, principal: Principal, rule_id: int, body: Mapping[str, Any]) -> ChannelRow:
    """Attach the saved channel `channel_id`, or one with the `config`; return the rule's channel.

    Raises:
        NotFound, Forbidden: no such rule, or not the caller's to change.
        InvalidField, Conflict: neither or both are given, the config is invalid, or there are too many channels.
    """
    with deps.database.reader() as reader:
        require_changeable_rule(reader, principal, rule_id)  # before validating, so that forbidden callers get 403
    channel_id = _channel_id_in(body)
    checked = parse_channel_config(body.get("config"), deps.settings) if channel_id is None else None

    def add(db: Db) -> ChannelRow:
        rule, now_ms = require_changeable_rule(db, principal, rule_id), deps.now_ms()
        if checked is None:
            assert channel_id is not None, "one of the two is given"
            attached_id = _require_usable(db, principal, channel_id).id
        else:
            attached_id = store.find_or_create_unnamed(
                db, checked.channel_type, checked.config, project_id=rule.project_id, now_ms=now_ms
            )
        store.attach_channel(db, rule.id, rule.project_id, attached_id, now_ms)
        return next(row for row in list_channels(db, [rule.id]) if row.id == attached_id)

    return deps.database.change(add)


def detach(deps: Deps, principal: Principal, rule_id: int, channel_id: int) -> None:
    """Raises: NotFound, Forbidden."""

    def remove(db: Db) -> None:
        rule = require_changeable_rule(db, principal, rule_id)
        if not 0 < channel_id <= ID_MAX:
            raise NotFound(f"channel {channel_id} not found")
        store.detach_channel(db, rule.id, channel_id)

    deps.database.change(remove)


def apply_choice(db: Db, principal: Principal, rule: RuleRow, choice: ChannelChoice, now_ms: int) -> None:
    """Make the rule's channels those of `choice`. Call inside a transaction.

    Raises:
        InvalidField, Conflict: a channel that the rule cannot have; too many.
    """
    current = store.attached_ids(db, rule.id)
    for channel_id in sorted(current - choice.channel_ids):
        store.detach_channel(db, rule.id, channel_id)
    for channel_id in sorted(choice.channel_ids - current):
        _attach_chosen(db, principal, rule, channel_id, now_ms)
    if choice.new is not None:
        channel_id = store.create_channel(
            db,
            choice.new.checked.channel_type,
            choice.new.checked.config,
            project_id=None if principal.is_admin else rule.project_id,
            name=choice.new.name,
            target=choice.new.checked.target,
            now_ms=now_ms,
        )
        store.attach_channel(db, rule.id, rule.project_id, channel_id, now_ms)


def _channel_id_in(body: Mapping[str, Any]) -> int | None:
    """None: the body has a config instead. Raises: InvalidField."""
    channel_id = body.get("channel_id")
    if channel_id is None:
        return None
    if body.get("config") is not None:
        raise InvalidField("channel_id", "give config or channel_id, not both")
    if type(channel_id) is not int or not 0 < channel_id <= ID_MAX:
        raise InvalidField("channel_id", "channel_id must be the number of a channel")
    return channel_id


def _attach_chosen(db: Db, principal: Principal, rule: RuleRow, channel_id: int, now_ms: int) -> None:
    channel = _require_usable(db, principal, channel_id)
    if channel.project_id not in (None, rule.project_id):
        raise InvalidField("channel_id", f"channel {channel.name or channel.id} is for rules of {channel.project_name}")
    store.attach_channel(db, rule.id, rule.project_id, channel_id, now_ms)


def _require_usable(db: Db, principal: Principal, channel_id: int) -> SavedChannel:
    try:
        return require_visible_channel(db, principal, channel_id)
    except NotFound:
        raise InvalidField("channel_id", f"channel {channel_id} not found") from None
