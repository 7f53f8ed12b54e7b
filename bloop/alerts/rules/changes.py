"""Changes to alert rules, shared by the API and the pages, with their access checks.

CHANGE-1  A form is converted to a JSON body first, so both are refused for the same reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts import channels
from bloop.alerts.firing import send_test as trial
from bloop.alerts.firing.run_test import TestRun, run_test
from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.access import project_id_for, require_changeable_rule, require_visible_rule
from bloop.alerts.rules.bodies import fields_in, text_in
from bloop.alerts.rules.channels import ChannelChoice, apply_choice
from bloop.alerts.rules.read import RuleRow
from bloop.auth.access import creator_id
from bloop.auth.principal import Principal
from bloop.base.config import Settings
from bloop.db.engine import Db
from bloop.site.deps import Deps


def create(deps: Deps, principal: Principal, body: Mapping[str, Any], choice: ChannelChoice | None = None) -> RuleRow:
    """Create a rule, with the channels of `choice`. Raises: InvalidField, Forbidden, Conflict."""
    reference, fields = text_in(body, "project_id") or "", fields_in(body)

    def change(db: Db) -> RuleRow:
        project_id, now_ms = project_id_for(db, principal, reference), deps.now_ms()
        rule_id = alert_rules.create_rule(
            db, fields, project_id=project_id, created_by=creator_id(principal), now_ms=now_ms
        )
        rule = require_visible_rule(db, principal, rule_id)
        if choice is not None:
            apply_choice(db, principal, rule, choice, now_ms)
        return rule

    return deps.database.change(change)


def change(
    deps: Deps, principal: Principal, rule_id: int, body: Mapping[str, Any], choice: ChannelChoice | None = None
) -> RuleRow:
    """Change the fields in `body`; the others stay. So do the channels, without a `choice`.

    Raises:
        NotFound, Forbidden: no such rule, or not the caller's to change.
        InvalidField: names the field.
    """

    def save(db: Db) -> RuleRow:
        rule, now_ms = require_changeable_rule(db, principal, rule_id), deps.now_ms()
        alert_rules.save_rule(db, rule_id, fields_in(body, rule), now_ms)
        if choice is not None:
            apply_choice(db, principal, rule, choice, now_ms)
        return require_visible_rule(db, principal, rule_id)

    return deps.database.change(save)


def delete(deps: Deps, principal: Principal, rule_id: int) -> None:
    """Raises: NotFound, Forbidden."""

    def delete_rule(db: Db) -> None:
        alert_rules.delete_rule(db, require_changeable_rule(db, principal, rule_id).id)

    deps.database.change(delete_rule)


def send_test(deps: Deps, principal: Principal, rule_id: int) -> TestRun:
    """Send a test now and wait for the answers, at most `trial.WAIT_S`.

    Raises:
        NotFound, Forbidden: no such rule, or not the caller's to change.
        RateLimited: other tests are running (RUN-TEST-1).
    """
    settings = deps.settings
    with deps.database.reader() as db:
        require_changeable_rule(db, principal, rule_id)

    def start(db: Db, now_ms: int) -> int:
        rule = require_changeable_rule(db, principal, rule_id)
        return trial.start_of_rule(
            db, rule, channels.fallbacks(settings), channels.target, origin=settings.auth.rp_origin, now_ms=now_ms
        )

    return run_test(deps, start)


def fallback_targets(settings: Settings) -> list[tuple[str, str]]:
    """Type and target of the default channels, for rules without channels."""
    return [(kind, channels.target(kind, config)) for kind, config in channels.fallbacks(settings)]
