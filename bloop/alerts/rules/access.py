"""Who sees, changes and creates rules (ACCESS-6).

RULE-ACCESS-1  An invisible rule answers 404, like one that does not exist. A visible, read-only one answers 403.
"""

from __future__ import annotations

from bloop.alerts.rules.read import RuleRow, get_rule
from bloop.auth.access import may_change_alerts, may_see_alerts
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base.errors import Forbidden, InvalidField, NotFound
from bloop.db.engine import Db
from bloop.projects.read import get_project

ID_MAX = 2**63 - 1
NOT_YOURS = "only an admin or the project's creator may do this"
ADMINS_ONLY = "only an admin may do this: the rule is over all projects"


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
