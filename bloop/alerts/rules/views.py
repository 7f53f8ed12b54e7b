"""/alerts: the list of rules, a rule with its form, the preview beside it.

RULE-PAGE-1  A change is a POST that answers 303 back to a page which says what was done. A refused form comes back with
             its input, the reason and the status of the error. Secrets are never sent back.
RULE-PAGE-2  The preview button posts the same form and changes nothing: it also works before a rule is created, and
             for unsaved changes. The form's script asks for the preview alone.
RULE-PAGE-3  A rule, its channels and a channel made with it are saved in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

import falcon

from bloop.alerts.contexts import Preview, PreviewPart
from bloop.alerts.deliveries.read import DeliveryState, count_deliveries
from bloop.alerts.places import ALERTS_PATH, rule_path
from bloop.alerts.rules import changes as alerting
from bloop.alerts.rules.access import require_changeable_rule, require_visible_rule
from bloop.alerts.rules.channels import ChannelChoice, NewChannel
from bloop.alerts.rules.form_pages import preview_part, preview_problem
from bloop.alerts.rules.forms import body_from_form, chosen_channels, describe_problem
from bloop.alerts.rules.look_back import preview_rule
from bloop.alerts.rules.page_data import fields_for_issue, list_page_rules, show_rule, with_fingerprint
from bloop.alerts.rules.pages import alerts_page
from bloop.alerts.saved_channels.bodies import parse_channel_config
from bloop.alerts.saved_channels.forms import new_channel_config
from bloop.alerts.saved_channels.store import CHANNELS_MAX
from bloop.auth.principal import Principal
from bloop.base.errors import Conflict, InvalidField, InvalidParameter
from bloop.site import errors
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.html import back_to, send_page
from bloop.site.principal import principal_of

PREVIEWED_SHOWN = 10
FORM_BYTES_MAX = 65_536
FIELDS_MAX = 32 + CHANNELS_MAX  # each channel has a box to tick


class RulePages:
    """/alerts, /alerts/new and /alerts/preview"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            page = alerts_page(
                self._deps.shell(db, principal),
                list_page_rules(db, principal),
                alerting.fallback_targets(self._deps.settings),
                failed=count_deliveries(db, DeliveryState.FAILED),
                notice=req.get_param("done") or "",
                now_ms=self._deps.now_ms(),
            )
        send_page(self._deps, req, resp, page)

    def on_get_new(self, req: falcon.Request, resp: falcon.Response) -> None:
        """`?project=SLUG` chooses the project, `&issue=SHORT_ID` makes it a rule that watches this issue."""
        form = {"project": req.get_param("project") or "", "environment": req.get_param("env") or ""}
        if short_id := req.get_param("issue"):
            with self._deps.database.reader() as db:
                form |= fields_for_issue(db, principal_of(req), short_id)
        show_rule(self._deps, req, resp, None, form)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form, principal = read_form(req, FORM_BYTES_MAX, FIELDS_MAX), principal_of(req)
        if form.get("do") == "preview":
            show_rule(self._deps, req, resp, None, form, preview=_preview(self._deps, principal, form, None))
            return
        try:
            body = body_from_form(with_fingerprint(self._deps, principal, form, None))
            choice = _choice(self._deps, form)
            rule = alerting.create(self._deps, principal, body, choice)
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            show_rule(self._deps, req, resp, None, form, problem=describe_problem(error))
            return
        has_receiver = choice.channel_ids or choice.new or alerting.fallback_targets(self._deps.settings)
        back_to(resp, rule_path(rule.id), "made" if has_receiver else "made-silent")

    def on_post_preview(self, req: falcon.Request, resp: falcon.Response) -> None:
        _send_preview(self._deps, req, resp, None)


class RuleSettings:
    """/alerts/{rule_id}"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        show_rule(self._deps, req, resp, rule_id, {})

    def on_post(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        principal = principal_of(req)
        form = read_form(req, FORM_BYTES_MAX, FIELDS_MAX)
        if form.get("do") == "preview":
            preview = _preview(self._deps, principal, form, rule_id)
            show_rule(self._deps, req, resp, rule_id, form, preview=preview)
            return
        self._check_access(principal, rule_id)
        try:
            body = body_from_form(with_fingerprint(self._deps, principal, form, rule_id))
            alerting.change(self._deps, principal, rule_id, body, _choice(self._deps, form))
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            show_rule(self._deps, req, resp, rule_id, form, problem=describe_problem(error))
            return
        back_to(resp, rule_path(rule_id), "saved")

    def on_post_preview(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        _send_preview(self._deps, req, resp, rule_id)

    def on_post_enabled(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        principal = principal_of(req)
        self._check_access(principal, rule_id)
        enabled = {"on": True, "off": False}.get(read_form(req).get("enabled", ""))
        if enabled is None:
            raise InvalidParameter("enabled", "must be on or off")
        alerting.change(self._deps, principal, rule_id, {"enabled": enabled})
        back_to(resp, ALERTS_PATH, "on" if enabled else "off")

    def on_post_delete(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        alerting.delete(self._deps, principal_of(req), rule_id)
        back_to(resp, ALERTS_PATH, "deleted")

    def on_post_test(self, req: falcon.Request, resp: falcon.Response, rule_id: int) -> None:
        firing_id = alerting.send_test(self._deps, principal_of(req), rule_id).firing_id
        resp.status, resp.location = falcon.HTTP_303, f"{rule_path(rule_id)}?test={firing_id}#test"

    def _check_access(self, principal: Principal, rule_id: int) -> None:
        """Check permission before validating, so that forbidden callers always get 403."""
        with self._deps.database.reader() as db:
            require_changeable_rule(db, principal, rule_id)


def _choice(deps: Deps, form: Mapping[str, str]) -> ChannelChoice:
    """The channels of the form. Raises: InvalidField."""
    config = new_channel_config(form)
    new = None if config is None else NewChannel(parse_channel_config(config, deps.settings), form.get("new_name", ""))
    return ChannelChoice(chosen_channels(form), new)


def _preview(deps: Deps, principal: Principal, form: Mapping[str, str], rule_id: int | None) -> Preview:
    if rule_id is not None:
        with deps.database.reader() as db:
            require_visible_rule(db, principal, rule_id)
    try:
        body = body_from_form(with_fingerprint(deps, principal, form, rule_id))
        return preview_part(preview_rule(deps, principal, body, rule_id, listed_max=PREVIEWED_SHOWN))
    except InvalidField as error:
        return preview_problem(describe_problem(error))


def _send_preview(deps: Deps, req: falcon.Request, resp: falcon.Response, rule_id: int | None) -> None:
    form = read_form(req, FORM_BYTES_MAX, FIELDS_MAX)
    send_page(deps, req, resp, PreviewPart(_preview(deps, principal_of(req), form, rule_id), deps.now_ms()))
