"""Preview: the alerts a rule would have sent in the last days, for a stored, edited or new rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bloop.alerts.firing import preview
from bloop.alerts.message import AlertMessage
from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.access import require_visible_rule
from bloop.alerts.rules.bodies import fields_in, text_in
from bloop.alerts.rules.model import Rule, parse_config
from bloop.alerts.rules.read import RuleRow
from bloop.auth.access import may_see_alerts
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base.clock import DAY_MS
from bloop.base.errors import InvalidField
from bloop.db.engine import Db
from bloop.projects.read import get_project
from bloop.site.deps import Deps

DAYS = 7
UNNAMED = "this rule"  # a new rule may have no name yet


class RulePreview(NamedTuple):
    """The times of all firings, in order; `newest` lists some of them, newest first."""

    since_ms: int
    until_ms: int
    fired_at_ms: list[int]
    newest: list[AlertMessage]

    @property
    def fired_count(self) -> int:
        return len(self.fired_at_ms)


def preview_rule(
    deps: Deps, principal: Principal, body: Mapping[str, Any], rule_id: int | None = None, *, listed_max: int
) -> RulePreview:
    """Preview the rule that `body` describes; with `rule_id`, missing fields keep that rule's values.

    Raises:
        NotFound: no such rule.
        InvalidField: names the field.
    """
    now_ms = deps.now_ms()
    since_ms = now_ms - DAYS * DAY_MS
    with deps.database.reader() as db:
        kept = None if rule_id is None else require_visible_rule(db, principal, rule_id)
        rule = _rule(db, deps, principal, body, kept)
        firings = preview.preview(db, rule, since_ms, now_ms)
        newest = preview.messages(db, rule, firings[-listed_max:], deps.settings.auth.rp_origin)
    return RulePreview(since_ms, now_ms, [firing.at_ms for firing in firings], newest[::-1])


def _rule(db: Db, deps: Deps, principal: Principal, body: Mapping[str, Any], kept: RuleRow | None) -> Rule:
    fields = fields_in(body, kept)
    fields = alert_rules.validated(fields._replace(name=fields.name.strip() or UNNAMED))
    cooldown_secs = deps.settings.alerting.cooldown_secs if fields.cooldown_secs is None else fields.cooldown_secs
    return Rule(
        id=0 if kept is None else kept.id,
        name=fields.name,
        project_id=_project_id(db, principal, body) if kept is None else kept.project_id,
        config=parse_config(fields.rule_type, fields.config),
        environment_filter=fields.environment_filter,
        source_filter=fields.source_filter,
        cooldown_ms=cooldown_secs * 1000,
    )


def _project_id(db: Db, principal: Principal, body: Mapping[str, Any]) -> int | None:
    """The project to preview: any visible one; a token's own."""
    reference = text_in(body, "project_id")
    if principal.kind is PrincipalKind.TOKEN:
        assert principal.project_ids is not None, "a token belongs to one project"
        return principal.project_ids[0]
    project = get_project(db, reference) if reference else None
    if reference and (project is None or not may_see_alerts(principal, project.id)):
        raise InvalidField("project_id", "project not found")
    return project.id if project else None
