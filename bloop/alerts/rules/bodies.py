"""The JSON body of a rule, whole or in part, as the fields to store. Pure.

Both shapes that clients send are read: a `config` with its `type`, and the config's members beside a `rule_type`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts.rules.model import as_dict, parse_config
from bloop.alerts.rules.read import RuleRow
from bloop.alerts.rules.store import RuleFields
from bloop.base.errors import InvalidField

# Members of a rule that are not of its config, where the two stand side by side.
_BESIDE_CONFIG = frozenset(RuleFields._fields) | {"project_id"}


def fields_in(body: Mapping[str, Any], kept: RuleRow | None = None) -> RuleFields:
    """The rule that a body describes; what it leaves out is as in `kept`.

    Null leaves text as it is and `""` empties it, as clients know it; a `cooldown_secs` of null is the default again.

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
    """Type and checked config, from `config` or, where there is a `rule_type` instead, from beside it."""
    config, rule_type = body.get("config"), body.get("rule_type")
    if config is None and rule_type is None:
        if kept is None:
            raise InvalidField("config", "config is required")
        return kept.rule_type, kept.config
    if config is None:
        config = {name: value for name, value in body.items() if name not in _BESIDE_CONFIG}
    if not isinstance(config, dict):
        raise InvalidField("config", "config must be an object")
    named = config.get("type", rule_type)
    if not isinstance(named, str):
        raise InvalidField("config.type", "config.type is required")
    return named, as_dict(parse_config(named, config))


def text_in(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidField(name, f"{name} must be a string")
    return value
