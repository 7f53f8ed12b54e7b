"""Parses the JSON body of a rule, complete or partial, into the fields to store. Pure.

Accepts both shapes that clients send: a `config` with its `type`, and the config's members beside a `rule_type`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts.rules.model import as_dict, parse_config
from bloop.alerts.rules.read import RuleRow
from bloop.alerts.rules.store import RuleFields
from bloop.base.errors import InvalidField

# Members of a rule that do not belong to its config, in the flat shape.
_BESIDE_CONFIG = frozenset(RuleFields._fields) | {"project_id"}


def fields_in(body: Mapping[str, Any], kept: RuleRow | None = None) -> RuleFields:
    """The rule that a body describes; missing fields keep the values of `kept`.

    Null keeps a text and `""` clears it, as clients expect; a `cooldown_secs` of null restores the default.

    Raises:
        InvalidField: names the field, `config.threshold` for one.
    """
    rule_type, config = _config_in(body, kept)
    texts = {name: text_in(body, name) for name in ("name", "description", "environment_filter", "source_filter")}
    if kept is not None:
        texts = {name: getattr(kept, name) if text is None else text for name, text in texts.items()}
    enabled = body.get("enabled")
    if enabled is None:
        enabled = kept is None or kept.enabled
    if not isinstance(enabled, bool):
        raise InvalidField("enabled", "enabled must be true or false")
    cooldown_secs = body.get("cooldown_secs", kept.cooldown_secs if kept else None)
    if cooldown_secs is not None and type(cooldown_secs) is not int:
        raise InvalidField("cooldown_secs", "cooldown_secs must be a whole number")
    return RuleFields(
        name=texts["name"] or "",
        rule_type=rule_type,
        config=config,
        enabled=enabled,
        description=texts["description"],
        environment_filter=texts["environment_filter"],
        source_filter=texts["source_filter"],
        cooldown_secs=cooldown_secs,
    )


def _config_in(body: Mapping[str, Any], kept: RuleRow | None) -> tuple[str, Mapping[str, Any]]:
    """Type and checked config, from `config` or, in the flat shape, from the members beside `rule_type`."""
    config, rule_type = body.get("config"), body.get("rule_type")
    if config is None and rule_type is None:
        if kept is None:
            raise InvalidField("config", "config is required")
        return kept.rule_type, kept.config
    if config is None:
        config = {name: value for name, value in body.items() if name not in _BESIDE_CONFIG}
    if not isinstance(config, dict):
        raise InvalidField("config", "config must be an object")
    config_type = config.get("type", rule_type)
    if not isinstance(config_type, str):
        raise InvalidField("config.type", "config.type is required")
    return config_type, as_dict(parse_config(config_type, config))


def text_in(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidField(name, f"{name} must be a string")
    return value
