"""/settings/alerts: the rules, one of them with its channels, and a form for a new one.

J1  A change is a POST that answers 303 back to a page which says what was done. A form that will not do comes back as
    it was typed, with the reason and the status of the error. Secrets are not typed back.
J2  The button for a preview posts the same form and changes nothing: it works before a rule is made, and for changes
    that are not saved yet.
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
from bloop.alerts.rules.forms import body_of, channel_config, in_words
from bloop.alerts.rules.look_back import DAYS, look_back
from bloop.alerts.rules.pages import Around, ChannelSummary
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
CHANNEL_FORM_BYTES_MAX = 65_536  # a template of a body is among its fields


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
                [(row, alerting.may_change(principal, row)) for row in rows],
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
            rule = alerting.create(self._deps, principal_of(req), body_of(form))
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            show_rule(self._deps, req, resp, None, form, problem=_words(error))
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
            self._may(principal, rule_id)
            alerting.change(self._deps, principal, rule_id, body_of(form))
        except InvalidField as error:
            resp.status = errors.status_of(error)
            show_rule(self._deps, req, resp, rule_id, form, problem=_words(error))
            return
        back_to(resp, alert_pages.href_of(rule_id), "saved")

    def on_post_enabled(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        principal = principal_of(req)
        self._may(principal, rule_id)
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
        self._may(principal, rule_id)
        form = read_form(req, CHANNEL_FORM_BYTES_MAX)
        kind = form.get("type", "")
        try:
            alerting.add_channel(self._deps, principal, rule_id, channel_config(form, _fields(kind)))
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            show_rule(self._deps, req, resp, rule_id, form, channel_type=kind, channel_problem=_words(error))
            return
        back_to(resp, alert_pages.href_of(rule_id), "channel-added")

    def on_post_remove(self, req: falcon.Request, resp: falcon.Response, rule_id: int, channel_id: int) -> None:
        alerting.delete_channel(self._deps, principal_of(req), rule_id, channel_id)
        back_to(resp, alert_pages.href_of(rule_id), "channel-removed")

    def _may(self, principal: Principal, rule_id: int) -> None:
        """Whoever may not is told so, whatever they sent."""
        with self._deps.database.reader() as db:
            alerting.changeable_rule(db, principal, rule_id)


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
    """The page of a rule, or of one to be made; `form` is what was typed, nothing on a first visit."""
    principal = principal_of(req)
    with deps.database.reader() as db:
        rule = None if rule_id is None else alerting.known_rule(db, principal, rule_id)
        around = _around(db, deps, req, rule)
        page = alert_pages.alert_page(
            deps.shell(db, principal),
            rule,
            around,
            form,
            may_change=bool(around.is_admin or around.projects)
            if rule is None
            else alerting.may_change(principal, rule),
            preview=preview,
            channel_type=channel_type,
            channel_problem=channel_problem,
            notice=req.get_param("done") or "",
            problem=problem,
            now_ms=deps.now_ms(),
        )
    send_page(deps, req, resp, page)


def _preview(deps: Deps, principal: Principal, form: Mapping[str, str], rule_id: int | None) -> Preview:
    found = look_back(deps, principal, body_of(form), rule_id, told_max=PREVIEWED_SHOWN)
    lines = (
        PreviewLine(told.at_ms, told.text, issue_href(told.issue.short_id) if told.issue else "")
        for told in found.newest
    )
    return Preview(DAYS, found.fired_count, tuple(lines))


def _around(db: Db, deps: Deps, req: falcon.Request, rule: RuleRow | None) -> Around:
    principal, now_ms = principal_of(req), deps.now_ms()
    seen = projects.list_projects(db, principal.project_ids)
    ids = [row.id for row in seen] if rule is None or rule.project_id is None else [rule.project_id]
    return Around(
        projects=[row for row in seen if may_manage(principal, row.created_by)],
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
    """The deliveries of the test that the address names, if it is one of this rule."""
    firing_id = params.integer(req, "test", 0, low=0, high=alerting.ID_MAX)
    return [row for row in deliveries_of(db, firing_id) if row.is_test and row.rule_id == rule.id]


def _channels(db: Db, rules: list[RuleRow]) -> dict[int, list[ChannelSummary]]:
    """By rule, as they may be seen."""
    found: dict[int, list[ChannelSummary]] = {}
    for row in list_channels(db, [rule.id for rule in rules]):
        kind, config = row.channel_type, row.config
        told = ChannelSummary(
            row.id, kind, channels.target(kind, config), channels.redacted(kind, config), row.created_at_ms
        )
        found.setdefault(row.rule_id, []).append(told)
    return found


def _fields(kind: str) -> tuple[alert_pages.Spec, ...]:
    return alert_pages.GUIDES[kind].fields if kind in alert_pages.GUIDES else ()


def _words(error: BloopError) -> str:
    return in_words(error) if isinstance(error, InvalidField) else str(error)
