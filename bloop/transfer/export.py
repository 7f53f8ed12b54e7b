"""Settings in the database → a Document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bloop.alerts import channels
from bloop.alerts.rules.read import RuleRow, list_channels, list_rules
from bloop.alerts.saved_channels.read import SavedChannel, list_saved_channels
from bloop.base import credentials
from bloop.db.engine import Db
from bloop.projects.read import list_projects, project_keys
from bloop.retention.read import overrides, policy_row
from bloop.transfer.document import (
    FORMAT,
    ChannelDocument,
    Document,
    ProjectDocument,
    RetentionDocument,
    RuleDocument,
    SavedChannelDocument,
)


def export(db: Db, now_ms: int, *, with_keys: bool = False, with_secrets: bool = False) -> Document:
    """All settings, in a stable order. Call inside one read transaction."""
    policy = policy_row(db)
    exported_at = datetime.fromtimestamp(now_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
    return Document(
        bloop_settings=FORMAT,
        exported_at=exported_at,
        retention=RetentionDocument(policy.raw_events_days, policy.hourly_counts_days),
        projects=_projects(db, with_keys=with_keys),
        channels=tuple(_saved(row, with_secrets=with_secrets) for row in list_saved_channels(db) if row.name),
        alert_rules=_rules(db, with_secrets=with_secrets),
    )


def _projects(db: Db, *, with_keys: bool) -> tuple[ProjectDocument, ...]:
    days = {row.project_id: row.raw_events_days for row in overrides(db)}
    # Until it is rotated, the key of `default` is the configured secret, which belongs to the settings file.
    keys = {row.id: row.api_key for row in project_keys(db) if credentials.PROJECT_KEY_PATTERN.fullmatch(row.api_key)}
    return tuple(
        ProjectDocument(
            slug=row.slug,
            name=row.name,
            id=row.public_id,
            raw_events_days=days.get(row.id),
            api_key=keys.get(row.id) if with_keys else None,
            oversize=row.oversize,
            search_keys=row.listed_keys or None,
        )
        for row in list_projects(db)
    )


def _rules(db: Db, *, with_secrets: bool) -> tuple[RuleDocument, ...]:
    rows, saved = list_rules(db), {row.id: row for row in list_saved_channels(db)}
    of_rule: dict[int, list[ChannelDocument]] = {}
    for row in list_channels(db, [row.id for row in rows]):
        of_rule.setdefault(row.rule_id, []).append(_channel(saved[row.id], with_secrets=with_secrets))
    return tuple(_rule(row, of_rule.get(row.id, [])) for row in rows)


def _rule(row: RuleRow, own: list[ChannelDocument]) -> RuleDocument:
    return RuleDocument(
        name=row.name,
        type=row.rule_type,
        project=row.project_slug,
        config={name: value for name, value in row.config.items() if value is not None},
        enabled=row.enabled,
        description=row.description,
        environment=row.environment_filter,
        source=row.source_filter,
        cooldown_secs=row.cooldown_secs,
        channels=tuple(own),
    )


def _channel(row: SavedChannel, *, with_secrets: bool) -> ChannelDocument:
    target = channels.target(row.channel_type, row.config)
    if row.name:
        is_for_all = row.project_id is None
        return ChannelDocument(type=row.channel_type, target=target, name=row.name, all_projects=is_for_all)
    return ChannelDocument(type=row.channel_type, target=target, config=_config(row, with_secrets=with_secrets))


def _saved(row: SavedChannel, *, with_secrets: bool) -> SavedChannelDocument:
    return SavedChannelDocument(
        name=row.name or "",
        type=row.channel_type,
        project=row.project_slug,
        target=channels.target(row.channel_type, row.config),
        config=_config(row, with_secrets=with_secrets),
    )


def _config(row: SavedChannel, *, with_secrets: bool) -> dict[str, Any] | None:
    """On request, or if redaction hides nothing in it, so that it holds no secret."""
    is_open = channels.redacted(row.channel_type, row.config) == row.config
    return row.config if with_secrets or is_open else None
