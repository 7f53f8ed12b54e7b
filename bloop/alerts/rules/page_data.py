"""Reads what the pages about rules show, and sends the page of a rule."""

from __future__ import annotations

from collections.abc import Mapping

import falcon

from bloop.accounts.people.read import display_names
from bloop.alerts.contexts import Preview
from bloop.alerts.deliveries.read import list_firings
from bloop.alerts.places import rule_path
from bloop.alerts.rules import changes as alerting
from bloop.alerts.rules.access import may_change, require_visible_rule
from bloop.alerts.rules.form_pages import FormData
from bloop.alerts.rules.pages import ListedRule, RulePageData, alert_page
from bloop.alerts.rules.read import RuleRow, list_channels, list_rules
from bloop.alerts.rules.watched import WatchedIssue, find_by_short_id, find_watched, is_short_id, short_id_of
from bloop.alerts.saved_channels.pages import label_of
from bloop.alerts.saved_channels.read import SavedChannel, list_saved_channels, list_uses
from bloop.alerts.test_results import read_test
from bloop.auth.access import may_manage
from bloop.auth.principal import Principal
from bloop.base.clock import hour_of
from bloop.base.errors import InvalidField, NotFound
from bloop.db.engine import Db
from bloop.projects import read as projects
from bloop.releases import read as releases
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.principal import principal_of

FIRINGS_SHOWN = 25
SOURCES_SINCE_MS = 30 * 86_400_000
WATCH_MINUTES = "5"  # of a rule that watches one issue: any event in this time
WATCH_COOLDOWN_MINUTES = "60"


def list_page_rules(db: Db, principal: Principal) -> list[ListedRule]:
    """The rules that the user sees, with their channels and the issues they watch."""
    rows = list_rules(db, principal.project_ids)
    labels = _labels_by_rule(db)
    found = find_watched(db, [fingerprint for row in rows if (fingerprint := row.config.get("fingerprint"))])
    return [ListedRule(row, labels.get(row.id, []), _short_id(found, row), may_change(principal, row)) for row in rows]


def fields_for_issue(db: Db, principal: Principal, short_id: str) -> dict[str, str]:
    """The fields of a new rule that watches this issue. Raises: NotFound."""
    issue = find_by_short_id(db, short_id, principal.project_ids)
    if issue is None:
        raise NotFound(f"issue {short_id} not found")
    return {
        "type": "threshold",
        "name": issue.short_id,
        "project": issue.project_slug,
        "fingerprint": issue.short_id,
        "threshold": "0",
        "window_minutes": WATCH_MINUTES,
        "cooldown_minutes": WATCH_COOLDOWN_MINUTES,
    }


def with_fingerprint(
    deps: Deps, principal: Principal, form: Mapping[str, str], rule_id: int | None
) -> Mapping[str, str]:
    """The form with the issue's fingerprint, where a short id was typed. Raises: InvalidField."""
    typed = form.get("fingerprint", "").strip()
    if not is_short_id(typed):
        return form
    with deps.database.reader() as db:
        rule = None if rule_id is None else require_visible_rule(db, principal, rule_id)
        issue = find_by_short_id(db, typed, principal.project_ids)
        is_fingerprint = (rule and rule.config.get("fingerprint") == typed) or find_watched(db, [typed])
    if issue is None and not is_fingerprint:
        raise InvalidField("fingerprint", f"issue {typed} not found")
    return form if issue is None else {**form, "fingerprint": issue.fingerprint}


def show_rule(
    deps: Deps,
    req: falcon.Request,
    resp: falcon.Response,
    rule_id: int | None,
    form: Mapping[str, str],
    *,
    preview: Preview | None = None,
    problem: str = "",
) -> None:
    """Send the page of a rule, or of a new one; `form` is the submitted input, empty on a GET."""
    principal = principal_of(req)
    with deps.database.reader() as db:
        rule = None if rule_id is None else require_visible_rule(db, principal, rule_id)
        data = _page_data(db, deps, req, rule)
        is_creator = data.form.is_admin or bool(data.form.projects)
        page = alert_page(
            deps.shell(db, principal),
            rule,
            data,
            form,
            may_change=is_creator if rule is None else may_change(principal, rule),
            preview=preview,
            notice=req.get_param("done") or "",
            problem=problem,
            now_ms=deps.now_ms(),
        )
    send_page(deps, req, resp, page)


def _page_data(db: Db, deps: Deps, req: falcon.Request, rule: RuleRow | None) -> RulePageData:
    principal = principal_of(req)
    form = _form_data(db, deps, principal, rule)
    if rule is None:
        return RulePageData(form, fallbacks=alerting.fallback_targets(deps.settings))
    test = None
    if may_change(principal, rule):  # RESULT-3
        test = read_test(db, req, lambda row: row.rule_id == rule.id, rule_path(rule.id))
    return RulePageData(
        form=form,
        labels=[label_of(row) for row in form.channels if row.id in form.attached],
        fallbacks=alerting.fallback_targets(deps.settings),
        firings=list_firings(db, rule.id, limit=FIRINGS_SHOWN),
        test=test,
        people=display_names(db),
    )


def _form_data(db: Db, deps: Deps, principal: Principal, rule: RuleRow | None) -> FormData:
    visible = projects.list_projects(db, principal.project_ids)
    mine = [row for row in visible if may_manage(principal, row.created_by)]
    ids = [row.id for row in visible] if rule is None or rule.project_id is None else [rule.project_id]
    found = find_watched(db, [fingerprint]) if rule and (fingerprint := rule.config.get("fingerprint")) else {}
    return FormData(
        projects=mine,
        is_admin=principal.is_admin,
        environments=releases.list_environments(db, ids),
        sources=releases.list_sources(db, ids, hour_of(deps.now_ms() - SOURCES_SINCE_MS)),
        cooldown_default_s=deps.settings.alerting.cooldown_secs,
        channels=_usable_channels(db, {row.id for row in mine} if rule is None else {rule.project_id}),
        attached=frozenset() if rule is None else frozenset(row.id for row in list_channels(db, [rule.id])),
        short_id="" if rule is None else _short_id(found, rule),
    )


def _usable_channels(db: Db, project_ids: set[int] | set[int | None]) -> list[SavedChannel]:
    """Channels for all projects, and those of these projects."""
    return [row for row in list_saved_channels(db) if row.project_id is None or row.project_id in project_ids]


def _labels_by_rule(db: Db) -> dict[int, list[str]]:
    labels: dict[int, list[str]] = {}
    rows = {row.id: row for row in list_saved_channels(db)}
    for channel_id, uses in list_uses(db, [*rows]).items():
        for use in uses:
            labels.setdefault(use.rule_id, []).append(label_of(rows[channel_id]))
    return labels


def _short_id(found: Mapping[str, list[WatchedIssue]], rule: RuleRow) -> str:
    fingerprint = rule.config.get("fingerprint")
    return short_id_of(found, fingerprint, rule.project_id) if fingerprint else ""
