"""/alerts/channels: the list of channels, one channel with its form.

CHANNEL-PAGE-1  A change is a POST that answers 303 back to a page which says what was done. A refused form comes back
    with its input, the reason and the status of the error. Secrets are never sent back.
"""

from __future__ import annotations

from collections.abc import Mapping

import falcon

from bloop.alerts.deliveries.read import DeliveryState, count_deliveries
from bloop.alerts.places import CHANNELS_PATH, channel_path
from bloop.alerts.rules.changes import fallback_targets
from bloop.alerts.rules.forms import describe_problem
from bloop.alerts.saved_channels import changes
from bloop.alerts.saved_channels import pages as channel_pages
from bloop.alerts.saved_channels.access import (
    may_change_channel,
    require_changeable_channel,
    require_visible_channel,
)
from bloop.alerts.saved_channels.forms import body_from_form, channel_config
from bloop.alerts.saved_channels.pages import ChannelPageData
from bloop.alerts.saved_channels.read import SavedChannel, last_deliveries, list_saved_channels, list_uses
from bloop.alerts.test_results import read_test
from bloop.auth.access import may_manage
from bloop.auth.principal import Principal
from bloop.base.errors import Conflict, InvalidField
from bloop.db.engine import Db
from bloop.projects.read import list_projects
from bloop.site import errors
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.html import back_to, send_page
from bloop.site.principal import principal_of

FORM_BYTES_MAX = 65_536  # it may hold a body template
FIELDS_MAX = 40


class ChannelPages:
    """/alerts/channels and /alerts/channels/new"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            rows = list_saved_channels(db, principal.project_ids)
            ids = [row.id for row in rows]
            page = channel_pages.channels_page(
                self._deps.shell(db, principal),
                [(row, may_change_channel(principal, row)) for row in rows],
                list_uses(db, ids),
                last_deliveries(db, ids),
                fallback_targets(self._deps.settings),
                may_create=_may_create(db, principal),
                failed=count_deliveries(db, DeliveryState.FAILED),
                notice=req.get_param("done") or "",
                now_ms=self._deps.now_ms(),
            )
        send_page(self._deps, req, resp, page)

    def on_get_new(self, req: falcon.Request, resp: falcon.Response) -> None:
        _show(self._deps, req, resp, None, {"project": req.get_param("project") or ""})

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req, FORM_BYTES_MAX, FIELDS_MAX)
        try:
            channel = changes.create(self._deps, principal_of(req), body_from_form(form))
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            _show(self._deps, req, resp, None, form, problem=describe_problem(error))
            return
        back_to(resp, channel_path(channel.id), "channel-made")


class ChannelSettings:
    """/alerts/channels/{channel_id}"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, channel_id: int) -> None:
        _show(self._deps, req, resp, channel_id, {})

    def on_post(self, req: falcon.Request, resp: falcon.Response, channel_id: int) -> None:
        """Save the name, or with `do=replace` the whole config (CHANNEL-CHANGE-2)."""
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            require_changeable_channel(db, principal, channel_id)  # before validating
        form = read_form(req, FORM_BYTES_MAX, FIELDS_MAX)
        try:
            replaces = form.get("do") == "replace"
            body = {"config": channel_config(form)} if replaces else {"name": form.get("name", "")}
            changes.change(self._deps, principal, channel_id, body)
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            _show(self._deps, req, resp, channel_id, form, problem=describe_problem(error))
            return
        back_to(resp, channel_path(channel_id), "channel-saved")

    def on_post_delete(self, req: falcon.Request, resp: falcon.Response, channel_id: int) -> None:
        changes.delete(self._deps, principal_of(req), channel_id)
        back_to(resp, CHANNELS_PATH, "channel-deleted")

    def on_post_test(self, req: falcon.Request, resp: falcon.Response, channel_id: int) -> None:
        firing_id = changes.send_test(self._deps, principal_of(req), channel_id).firing_id
        resp.status, resp.location = falcon.HTTP_303, f"{channel_path(channel_id)}?test={firing_id}#test"


def _show(
    deps: Deps,
    req: falcon.Request,
    resp: falcon.Response,
    channel_id: int | None,
    form: Mapping[str, str],
    *,
    problem: str = "",
) -> None:
    principal = principal_of(req)
    with deps.database.reader() as db:
        channel = None if channel_id is None else require_visible_channel(db, principal, channel_id)
        may_change = _may_create(db, principal) if channel is None else may_change_channel(principal, channel)
        test = None
        if channel is not None and may_change:  # RESULT-3
            test = read_test(
                db, req, lambda row: row.channel_id == channel.id and row.rule_id is None, channel_path(channel.id)
            )
        page = channel_pages.channel_page(
            deps.shell(db, principal),
            channel,
            _page_data(db, principal, channel),
            form,
            may_change=may_change,
            test=test,
            notice=req.get_param("done") or "",
            problem=problem,
            now_ms=deps.now_ms(),
        )
    send_page(deps, req, resp, page)


def _page_data(db: Db, principal: Principal, channel: SavedChannel | None) -> ChannelPageData:
    visible = list_projects(db, principal.project_ids)
    return ChannelPageData(
        projects=[row for row in visible if may_manage(principal, row.created_by)],
        is_admin=principal.is_admin,
        uses=() if channel is None else list_uses(db, [channel.id]).get(channel.id, []),
    )


def _may_create(db: Db, principal: Principal) -> bool:
    projects = list_projects(db, principal.project_ids)
    return principal.is_admin or any(may_manage(principal, row.created_by) for row in projects)
