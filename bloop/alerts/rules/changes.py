"""Changes to alert rules and their channels, shared by the API and the pages, with their access checks.

CHANGE-1  An invisible rule answers 404, like one that does not exist. A visible, read-only one answers 403.
CHANGE-2  A form is converted to a JSON body first, so both are refused for the same reasons.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from bloop.alerts import channels
from bloop.alerts.deliveries.read import DeliveryRow, deliveries_of
from bloop.alerts.firing import send_test as trial
from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.bodies import fields_in, text_in
from bloop.alerts.rules.read import ChannelRow, RuleRow, get_rule, list_channels
from bloop.auth.access import creator_id, may_change_alerts, may_see_alerts
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base.config import Settings
from bloop.base.errors import Forbidden, InvalidField, NotFound, RateLimited
from bloop.db.engine import Db
from bloop.projects.read import get_project
from bloop.site.deps import Deps

ID_MAX = 2**63 - 1
NOT_YOURS = "only an admin or whoever created the project may do this"
TESTS_AT_ONCE = 2
ADMINS_ONLY = "only an admin may do this: the rule is over all projects"


_waiting = threading.BoundedSemaphore(TESTS_AT_ONCE)  # per process


def require_visible_rule(db: Db, principal: Principal, rule_id: int) -> RuleRow:
    """The rule, if `principal` may see it. Raises: NotFound."""
    rule = get_rule(db, rule_id) if 0 < rule_id <= ID_MAX else None
    if rule is None or not may_see_alerts(principal, rule.project_id):
        raise NotFound(f"alert rule {rule_id} not found")
    return rule


def require_changeable_rule(db: Db, principal: Principal, rule_id: int) -> RuleRow:
    """The rule, if `principal` may change it. Raises: NotFound, Forbidden."""
    rule = require_visible_rule(db, principal, rule_id)
    if not may_change(principal, rule):
        raise Forbidden(ADMINS_ONLY if rule.project_id is None else NOT_YOURS)
    return rule


def may_change(principal: Principal, rule: RuleRow) -> bool:
    return may_change_alerts(principal, rule.project_id, rule.project_created_by)


def project_id_for(db: Db, principal: Principal, reference: str) -> int | None:
    """The project of a new rule: a token's own, else the one named, else None for all projects.

    Raises:
        InvalidField: no such project.
        Forbidden: the caller may not create rules for it.
    """
    if principal.kind is PrincipalKind.TOKEN:
        assert principal.project_ids is not None, "a token belongs to one project"
        return principal.project_ids[0]
    project = get_project(db, reference) if reference else None
    if reference and project is None:
        raise InvalidField("project_id", "project not found")
    if not may_change_alerts(principal, project.id if project else None, project.created_by if project else None):
        raise Forbidden(NOT_YOURS if project else ADMINS_ONLY)
    return project.id if project else None


# Rules ---------------------------------------------------------------------------------------------------------------


def create(deps: Deps, principal: Principal, body: Mapping[str, Any]) -> RuleRow:
    """Raises: InvalidField, Forbidden, Conflict."""
    reference, fields = text_in(body, "project_id") or "", fields_in(body)

    def change(db: Db) -> RuleRow:
        project_id, now_ms = project_id_for(db, principal, reference), deps.now_ms()
        rule_id = alert_rules.create_rule(
            db, fields, project_id=project_id, created_by=creator_id(principal), now_ms=now_ms
        )
        return require_visible_rule(db, principal, rule_id)

    return deps.database.change(change)


def change(deps: Deps, principal: Principal, rule_id: int, body: Mapping[str, Any]) -> RuleRow:
    """Change the fields in `body`; the others stay.

    Raises:
        NotFound, Forbidden: no such rule, or not the caller's to change.
        InvalidField: names the field.
    """

    def save(db: Db) -> RuleRow:
        fields = fields_in(body, require_changeable_rule(db, principal, rule_id))
        alert_rules.save_rule(db, rule_id, fields, deps.now_ms())
        return require_visible_rule(db, principal, rule_id)

    return deps.database.change(save)


def delete(deps: Deps, principal: Principal, rule_id: int) -> None:
    """Raises: NotFound, Forbidden."""

    def delete_rule(db: Db) -> None:
        alert_rules.delete_rule(db, require_changeable_rule(db, principal, rule_id).id)

    deps.database.change(delete_rule)


# Channels ------------------------------------------------------------------------------------------------------------


def add_channel(deps: Deps, principal: Principal, rule_id: int, config: Any) -> ChannelRow:
    """`config` as in a body: an object with its `type`.

    Raises:
        NotFound, Forbidden: no such rule, or not the caller's to change.
        InvalidField, Conflict: the config is invalid, or the rule has too many channels.
    """
    with deps.database.reader() as reader:
        require_changeable_rule(
            reader, principal, rule_id
        )  # before validating, so that forbidden callers always get 403
    channel_type, checked = _parse_channel(deps, config)

    def add(db: Db) -> ChannelRow:
        rule = require_changeable_rule(db, principal, rule_id)
        channel_id = alert_rules.add_channel(db, rule.id, channel_type, checked, deps.now_ms())
        return next(row for row in list_channels(db, [rule.id]) if row.id == channel_id)

    return deps.database.change(add)


def delete_channel(deps: Deps, principal: Principal, rule_id: int, channel_id: int) -> None:
    """Raises: NotFound, Forbidden."""

    def remove(db: Db) -> None:
        rule = require_changeable_rule(db, principal, rule_id)
        if not 0 < channel_id <= ID_MAX:
            raise NotFound(f"channel {channel_id} not found")
        alert_rules.delete_channel(db, rule.id, channel_id)

    deps.database.change(remove)


def _parse_channel(deps: Deps, config: Any) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(config, dict):
        raise InvalidField("config", "config must be an object")
    channel_type = config.get("type")
    if not isinstance(channel_type, str):
        raise InvalidField("config.type", "config.type is required")
    fields = {name: value for name, value in config.items() if name != "type"}
    return channel_type, channels.check(channel_type, fields, deps.settings)


def fallback_targets(settings: Settings) -> list[tuple[str, str]]:
    """Type and target of the default channels, for rules without channels."""
    return [(kind, channels.target(kind, config)) for kind, config in channels.fallbacks(settings)]


# Tests ---------------------------------------------------------------------------------------------------------------


class RuleTest(NamedTuple):
    firing_id: int
    outcomes: list[trial.TrialResult]

    @property
    def sent(self) -> bool:
        """There was at least one receiver, and all accepted it."""
        return bool(self.outcomes) and all(outcome.state == "sent" for outcome in self.outcomes)


def send_test(deps: Deps, principal: Principal, rule_id: int) -> RuleTest:
    """Send a test now and wait for the answers, at most `trial.WAIT_S`.

    Raises:
        NotFound, Forbidden: no such rule, or not the caller's to change.
        RateLimited: TESTS_AT_ONCE tests are running, each on a thread that pages need too.
    """
    with deps.database.reader() as db:
        require_changeable_rule(db, principal, rule_id)
    if not _waiting.acquire(blocking=False):
        raise RateLimited(round(trial.WAIT_S))
    try:
        return _send_test(deps, principal, rule_id)
    finally:
        _waiting.release()


def _send_test(deps: Deps, principal: Principal, rule_id: int) -> RuleTest:
    settings = deps.settings

    def start(db: Db) -> tuple[int, bool]:
        rule, now_ms = require_changeable_rule(db, principal, rule_id), deps.now_ms()
        firing_id = trial.start(
            db, rule, channels.fallbacks(settings), channels.target, origin=settings.auth.rp_origin, now_ms=now_ms
        )
        return firing_id, trial.is_running(db, now_ms)

    firing_id, is_running = deps.database.change(start)

    def read() -> list[DeliveryRow]:
        with deps.database.reader() as db:
            return deliveries_of(db, firing_id)

    rows = trial.wait(read, trial.WAIT_S if is_running else 0.0)
    deps.database.change(lambda db: trial.end(db, firing_id))
    return RuleTest(firing_id, trial.outcomes(rows, is_running=is_running))
