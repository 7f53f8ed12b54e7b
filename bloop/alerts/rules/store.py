"""Creates, changes and deletes alert rules. Call inside a transaction.

RULE-STORE-1  Stored values are validated: the config by `rules.model`, the rest here.
RULE-STORE-2  Deleting a rule dismisses its waiting deliveries; its alerts stay in the log, its saved channels stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from bloop.base.errors import Conflict, InvalidField, NotFound
from bloop.db.engine import Db
from bloop.ingest.limits import ENVIRONMENT_BYTES_MAX, SOURCE_CHARS_MAX

NAME_LENGTH_MAX = 100
DESCRIPTION_LENGTH_MAX = 1000
COOLDOWN_SECS_MAX = 604_800
RULES_MAX = 500


class RuleFields(NamedTuple):
    """A rule's values as users set them. `config` is without its `type`; blank text is None."""

    name: str
    rule_type: str
    config: Mapping[str, Any]
    enabled: bool = True
    description: str | None = None
    environment_filter: str | None = None
    source_filter: str | None = None
    cooldown_secs: int | None = None  # None: alerting.cooldown_secs


_COUNT_RULES = "SELECT count(*) FROM alert_rules"
_INSERT = """
INSERT INTO alert_rules (project_id, name, rule_type, config, enabled, description, environment_filter, source_filter,
                         cooldown_secs, created_by, created_at_ms, updated_at_ms)
VALUES (:project_id, :name, :rule_type, :config, :enabled, :description, :environment_filter, :source_filter,
        :cooldown_secs, :created_by, :now_ms, :now_ms)
RETURNING id
"""
_UPDATE = """
UPDATE alert_rules
   SET name = :name, rule_type = :rule_type, config = :config, enabled = :enabled, description = :description,
       environment_filter = :environment_filter, source_filter = :source_filter, cooldown_secs = :cooldown_secs,
       updated_at_ms = :now_ms
 WHERE id = :id
RETURNING id
"""
_SWITCH = "UPDATE alert_rules SET enabled = :enabled, updated_at_ms = :now_ms WHERE id = :id RETURNING id"
_DELETE = "DELETE FROM alert_rules WHERE id = :id RETURNING id"


def create_rule(db: Db, fields: RuleFields, *, project_id: int | None, created_by: str | None, now_ms: int) -> int:
    """Create a rule; return its id. `project_id` None is a rule over all projects.

    Raises:
        InvalidField: names the field.
        Conflict: there are RULES_MAX already.
    """
    if int(db.execute(_COUNT_RULES).get or 0) >= RULES_MAX:
        raise Conflict(f"there are {RULES_MAX} rules already: delete one first")
    row = _row(fields, now_ms) | {"project_id": project_id, "created_by": created_by}
    ((rule_id,),) = list(db.execute(_INSERT, row))
    return int(rule_id)


def save_rule(db: Db, rule_id: int, fields: RuleFields, now_ms: int) -> None:
    """Store all fields of the rule.

    Raises:
        InvalidField: names the field.
        NotFound: no such rule.
    """
    if not list(db.execute(_UPDATE, _row(fields, now_ms) | {"id": rule_id})):
        raise NotFound(f"alert rule {rule_id} not found")


def switch_rule(db: Db, rule_id: int, now_ms: int, *, enabled: bool) -> None:
    """Turn the rule on or off. It never alerts about events that came while it was off.

    Raises:
        NotFound: no such rule.
    """
    if not list(db.execute(_SWITCH, {"id": rule_id, "enabled": int(enabled), "now_ms": now_ms})):
        raise NotFound(f"alert rule {rule_id} not found")


def delete_rule(db: Db, rule_id: int) -> None:
    """Delete the rule (RULE-STORE-2).

    Raises:
        NotFound: it is deleted already.
    """
    if not list(db.execute(_DELETE, {"id": rule_id})):
        raise NotFound(f"alert rule {rule_id} not found")


def validated(fields: RuleFields) -> RuleFields:
    """The fields as stored: trimmed, sources in lower case. The caller validates the config (RULE-STORE-1).

    Raises:
        InvalidField: names the field.
    """
    cooldown = fields.cooldown_secs
    if cooldown is not None and not 0 <= cooldown <= COOLDOWN_SECS_MAX:
        raise InvalidField("cooldown_secs", f"cooldown_secs must be between 0 and {COOLDOWN_SECS_MAX}")
    return fields._replace(
        name=_validated_name(fields.name),
        description=_validated_text("description", fields.description, DESCRIPTION_LENGTH_MAX),
        environment_filter=_validated_text("environment_filter", fields.environment_filter, ENVIRONMENT_BYTES_MAX),
        source_filter=_validated_text("source_filter", (fields.source_filter or "").lower(), SOURCE_CHARS_MAX),
    )


def _row(fields: RuleFields, now_ms: int) -> dict[str, Any]:
    """Raises: InvalidField."""
    config = orjson.dumps(dict(fields.config)).decode()
    return validated(fields)._asdict() | {"config": config, "enabled": int(fields.enabled), "now_ms": now_ms}


def _validated_name(name: str) -> str:
    name = name.strip()
    if not name:
        raise InvalidField("name", "name is required")
    if len(name) > NAME_LENGTH_MAX:
        raise InvalidField("name", f"name must be at most {NAME_LENGTH_MAX} characters")
    return name


def _validated_text(field: str, text: str | None, length_max: int) -> str | None:
    """Trimmed; None when blank."""
    text = (text or "").strip()
    if len(text) > length_max:
        raise InvalidField(field, f"{field} must be at most {length_max} characters")
    return text or None
