"""Applies the channels of a Document: saved ones, and those that rules notify.

A channel with the same config is used again, never made a second time (IMPORT-2). One without a config cannot be made:
a note says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from bloop.alerts import channels
from bloop.alerts.rules.read import ChannelRow
from bloop.alerts.saved_channels import store
from bloop.alerts.saved_channels.read import SavedChannel, list_saved_channels
from bloop.base.config import Settings
from bloop.db.engine import Db
from bloop.transfer.document import ChannelDocument, SavedChannelDocument
from bloop.transfer.report import ImportReport, find_project_id


class ImportedRule(NamedTuple):
    """`unmatched` are the rule's channels that no entry of the file matched so far; a match is removed from it."""

    id: int
    label: str
    project_id: int | None
    unmatched: list[ChannelRow]


def apply_saved_channel(
    db: Db, wanted: SavedChannelDocument, settings: Settings, report: ImportReport, now_ms: int
) -> None:
    """Raises: InvalidField, Conflict."""
    name, project_id = wanted.name.strip(), find_project_id(db, wanted.project)
    existing = _find_named(db, name, project_id)
    if wanted.config is None:
        if existing is None:
            report.notes.append(f"channel {name}: its {wanted.type} address is not in the file; create it")
        return
    config = channels.check(wanted.type, wanted.config, settings)
    if existing is None:
        store.create_channel(db, wanted.type, config, project_id=project_id, name=wanted.name, now_ms=now_ms)
        report.changes.append(f"channel {name}: created")
    elif (existing.channel_type, _text(existing.config)) != (wanted.type, _text(config)):
        store.replace_config(db, existing.id, wanted.type, config, now_ms)
        report.changes.append(f"channel {name}: changed")


def apply_rule_channel(
    db: Db, rule: ImportedRule, wanted: ChannelDocument, settings: Settings, report: ImportReport, now_ms: int
) -> None:
    """Raises: InvalidField, Conflict."""
    if wanted.name is not None:
        channel = _find_named(db, wanted.name.strip(), None if wanted.all_projects else rule.project_id)
        if channel is None:
            report.notes.append(f"{rule.label}: there is no channel {wanted.name.strip()}; create it and add it")
        else:
            _attach(db, rule, channel.id, report, now_ms)
    elif wanted.config is None:
        target = (wanted.type, wanted.target)
        match = next((row for row in rule.unmatched if _target(row.channel_type, row.config) == target), None)
        if match is None:
            reason = "is not in the file; add it"
            report.notes.append(f"{rule.label}: its {wanted.type} channel to {wanted.target} {reason}")
        else:
            rule.unmatched.remove(match)
    else:
        config = channels.check(wanted.type, wanted.config, settings)
        _attach(db, rule, _find_or_create(db, rule, wanted.type, config, now_ms), report, now_ms)


def _attach(db: Db, rule: ImportedRule, channel_id: int, report: ImportReport, now_ms: int) -> None:
    match = next((row for row in rule.unmatched if row.id == channel_id), None)
    if match is not None:
        rule.unmatched.remove(match)
    elif channel_id not in store.attached_ids(db, rule.id):
        store.attach_channel(db, rule.id, rule.project_id, channel_id, now_ms)
        row = next(row for row in list_saved_channels(db) if row.id == channel_id)
        report.changes.append(f"{rule.label}: notifies {_target(row.channel_type, row.config)[1]} ({row.channel_type})")


def _find_or_create(db: Db, rule: ImportedRule, channel_type: str, config: Mapping[str, Any], now_ms: int) -> int:
    """The rule's own channel with this config first, then one that it may have."""
    rows = [row for row in list_saved_channels(db) if row.project_id in (None, rule.project_id)]
    own = {row.id for row in rule.unmatched}
    same = [row for row in rows if (row.channel_type, _text(row.config)) == (channel_type, _text(config))]
    if same:
        return max(same, key=lambda row: row.id in own).id
    return store.find_or_create_unnamed(db, channel_type, config, project_id=rule.project_id, now_ms=now_ms)


def _find_named(db: Db, name: str, project_id: int | None) -> SavedChannel | None:
    return next((row for row in list_saved_channels(db) if (row.name, row.project_id) == (name, project_id)), None)


def _target(channel_type: str, config: Mapping[str, Any]) -> tuple[str, str]:
    return channel_type, channels.target(channel_type, config)


def _text(config: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(config, order="deterministic")
