"""/settings/alerts: the list of rules, one rule with its channels, and the form of a new rule.

RULE-PAGE-1  A change is a POST that answers 303 back to a page which says what was done. A refused form comes back with
             its input, the reason and the status of the error. Secrets are never sent back.
RULE-PAGE-2  The preview button posts the same form and changes nothing: it also works before a rule is created, and
             for unsaved changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import falcon

from bloop.accounts.people.read import display_names
from bloop.alerts import channels
from bloop.alerts.contexts import Preview, PreviewLine
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState, count_deliveries, deliveries_of, list_firings
from bloop.alerts.rules import changes as alerting
from bloop.alerts.rules import pages as alert_pages
from bloop.alerts.rules.access import ID_MAX, may_change, require_changeable_rule, require_visible_rule
from bloop.alerts.rules.channels import attach, detach
from bloop.alerts.rules.forms import body_from_form, channel_config, describe_error
from bloop.alerts.rules.look_back import DAYS, preview_rule
from bloop.alerts.rules.pages import ChannelSummary, RulePageData
from bloop.alerts.rules.read import RuleRow, list_channels, list_rules
from bloop.auth.access import may_manage
from bloop.auth.principal import Principal
from bloop.base.clock import hour_of
from bloop.base.errors import BloopError, Conflict, InvalidField, InvalidParameter
from bloop.db.engine import Db
from bloop.projects import read as projects
from bloop.releases import read as releases
from bloop.site import errors, params
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.html import back_to, send_page
from bloop.site.links import issue_href
from bloop.site.principal import principal_of
from bloop.site.settings_nav import ALERTS

FIRINGS_SHOWN = 25
PREVIEWED_SHOWN = 20
SOURCES_SINCE_MS = 30 * 86_400_000
RULE_FORM_BYTES_MAX = 16_384
CHANNEL_FORM_BYTES_MAX = 65_536  # it may hold a body template


class RulePages:
    """/settings/alerts and /settings/alerts/new"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            rows = list_rules(db, principal.project_ids)
            page = alert_pages.alerts_page(
                self._deps.shell(db, principal),
                [(row, may_change(principal, row)) for row in rows],
                _channels(db, rows),
                alerting.fallback_targets(self._deps.settings),
                is_admin=principal.is_admin,
                failed=count_deliveries(db, DeliveryState.FAILED),
                notice=req.get_param("done") or "",
                now_ms=self._deps.now_ms(),
            )
        send_page(self._deps, req, resp, page)

    def on_get_new(self, req: falcon.Request, resp: falcon.Response) -> None:
        show_rule(self._deps, req, resp, None, {"project": req.get_param("project") or ""})

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req, RULE_FORM_BYTES_MAX)
        try:
            if form.get("do") == "preview":
                preview = _preview(self._deps, principal_of(req), form, None)
                show_rule(self._deps, req, resp, None, form, preview=preview)
                return
            rule = alerting.create(self._deps, principal_of(req), body_from_form(form))
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            show_rule(self._deps, req, resp, None, form, problem=_describe_problem(error))
            return
        back_to(resp, alert_pages.href_of(rule.id), "made")


class RuleSettings:
    """/settings/alerts/{rule_id}"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        show_rule(self._deps, req, resp, rule_id, {})

    def on_post(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        principal = principal_of(req)
        form = read_form(req, RULE_FORM_BYTES_MAX)
        try:
            if form.get("do") == "preview":
                preview = _preview(self._deps, principal, form, rule_id)
                show_rule(self._deps, req, resp, rule_id, form, preview=preview)
                return
            self._check_access(principal, rule_id)
            alerting.change(self._deps, principal, rule_id, body_from_form(form))
        except InvalidField as error:
            resp.status = errors.status_of(error)
            show_rule(self._deps, req, resp, rule_id, form, problem=_describe_problem(error))
            return
        back_to(resp, alert_pages.href_of(rule_id), "saved")

    def on_post_enabled(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        principal = principal_of(req)
        self._check_access(principal, rule_id)
        enabled = {"on": True, "off": False}.get(read_form(req).get("enabled", ""))
        if enabled is None:
            raise InvalidParameter("enabled", "must be on or off")
        alerting.change(self._deps, principal, rule_id, {"enabled": enabled})
        back_to(resp, ALERTS.href, "on" if enabled else "off")

    def on_post_delete(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        alerting.delete(self._deps, principal_of(req), rule_id)
        back_to(resp, ALERTS.href, "deleted")

    def on_post_test(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        firing_id = alerting.send_test(self._deps, principal_of(req), rule_id).firing_id
        resp.status, resp.location = falcon.HTTP_303, f"{alert_pages.href_of(rule_id)}?test={firing_id}#test"

    def on_post_channels(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        principal = principal_of(req)
        self._check_access(principal, rule_id)
        form = read_form(req, CHANNEL_FORM_BYTES_MAX)
        kind = form.get("type", "")
        try:
            attach(self._deps, principal, rule_id, {"config": channel_config(form, _fields(kind))})
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            show_rule(self._deps, req, resp, rule_id, form, channel_type=kind, channel_problem=_describe_problem(error))
            return
        back_to(resp, alert_pages.href_of(rule_id), "channel-added")

    def on_post_remove(self, req: falcon.Request, resp: falcon.Response, rule_id: int, channel_id: int) -> None:
        detach(self._deps, principal_of(req), rule_id, channel_id)
        back_to(resp, alert_pages.href_of(rule_id), "channel-removed")

    def _check_access(self, principal: Principal, rule_id: int) -> None:
        """Check permission before validating, so that forbidden callers always get 403."""
        with self._deps.database.reader() as db:
            require_changeable_rule(db, principal, rule_id)


def show_rule(
    deps: Deps,
    req: falcon.Request,
    resp: falcon.Response,
    rule_id: int | None,
    form: Mapping[str, str],
    *,
    preview: Preview | None = None,
    problem: str = "",
    channel_type: str = "",
    channel_problem: str = "",
) -> None:
    """Send the page of a rule, or of a new one; `form` is the submitted input, empty on a GET."""
    principal = principal_of(req)
    with deps.database.reader() as db:
        rule = None if rule_id is None else require_visible_rule(db, principal, rule_id)
        data = _page_data(db, deps, req, rule)
        page = alert_pages.alert_page(
            deps.shell(db, principal),
            rule,
            data,
            form,
            may_change=bool(data.is_admin or data.projects) if rule is None else may_change(principal, rule),
            preview=preview,
            channel_type=channel_type,
            channel_problem=channel_problem,
            notice=req.get_param("done") or "",
            problem=problem,
            now_ms=deps.now_ms(),
        )
    send_page(deps, req, resp, page)


def _preview(deps: Deps, principal: Principal, form: Mapping[str, str], rule_id: int | None) -> Preview:
    preview = preview_rule(deps, principal, body_from_form(form), rule_id, listed_max=PREVIEWED_SHOWN)
    lines = (
        PreviewLine(message.at_ms, message.text, issue_href(message.issue.short_id) if message.issue else "")
        for message in preview.newest
    )
    return Preview(DAYS, preview.fired_count, tuple(lines))


def _page_data(db: Db, deps: Deps, req: falcon.Request, rule: RuleRow | None) -> RulePageData:
    principal, now_ms = principal_of(req), deps.now_ms()
    visible_projects = projects.list_projects(db, principal.project_ids)
    ids = [row.id for row in visible_projects] if rule is None or rule.project_id is None else [rule.project_id]
    return RulePageData(
        projects=[row for row in visible_projects if may_manage(principal, row.created_by)],
        is_admin=principal.is_admin,
        environments=releases.list_environments(db, ids),
        sources=releases.list_sources(db, ids, hour_of(now_ms - SOURCES_SINCE_MS)),
        cooldown_default_s=deps.settings.alerting.cooldown_secs,
        channels=() if rule is None else _channels(db, [rule]).get(rule.id, []),
        fallbacks=alerting.fallback_targets(deps.settings),
        firings=() if rule is None else list_firings(db, rule.id, limit=FIRINGS_SHOWN),
        test=() if rule is None else _test(db, req, rule),
        people=display_names(db),
    )


def _test(db: Db, req: falcon.Request, rule: RuleRow) -> list[DeliveryRow]:
    """The deliveries of the test in the URL, if it is a test of this rule."""
    firing_id = params.integer(req, "test", 0, low=0, high=ID_MAX)
    return [row for row in deliveries_of(db, firing_id) if row.is_test and row.rule_id == rule.id]


def _channels(db: Db, rules: list[RuleRow]) -> dict[int, list[ChannelSummary]]:
    """By rule, without secrets."""
    by_rule: dict[int, list[ChannelSummary]] = {}
    for row in list_channels(db, [rule.id for rule in rules]):
        kind, config = row.channel_type, row.config
        summary = ChannelSummary(
            row.id, kind, channels.target(kind, config), channels.redacted(kind, config), row.created_at_ms
        )
        by_rule.setdefault(row.rule_id, []).append(summary)
    return by_rule


def _fields(kind: str) -> tuple[alert_pages.FieldSpec, ...]:
    return alert_pages.GUIDES[kind].fields if kind in alert_pages.GUIDES else ()


def _describe_problem(error: BloopError) -> str:
    return describe_error(error) if isinstance(error, InvalidField) else str(error)
