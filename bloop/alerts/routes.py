"""Routes of alerts: rules with their channels, firings, deliveries."""

from __future__ import annotations

import falcon

from bloop.alerts.deliveries.api import DeliveriesApi
from bloop.alerts.deliveries.views import DeliveryLog
from bloop.alerts.places import (
    ALERTS_PATH,
    CHANNELS_PATH,
    LOG_PATH,
    NEW_CHANNEL_PATH,
    NEW_PATH,
    OLD_PATH,
    PREVIEW_PATH,
)
from bloop.alerts.rules.api import FiringsApi, RuleChannelsApi, RulesApi
from bloop.alerts.rules.views import RulePages, RuleSettings
from bloop.alerts.saved_channels.api import SavedChannelsApi
from bloop.alerts.saved_channels.views import ChannelPages, ChannelSettings
from bloop.auth.access import PAGE, credential
from bloop.auth.scopes import Scope
from bloop.site.deps import Deps
from bloop.site.paging import Pager
from bloop.site.routes import Routes

_READ = credential(Scope.ALERTS_READ)
_WRITE = credential(Scope.ALERTS_WRITE)


def mount(routes: Routes, deps: Deps) -> None:
    _mount_api(routes, deps)
    _mount_rule_pages(routes, deps)
    _mount_delivery_pages(routes, deps)


def _mount_api(routes: Routes, deps: Deps) -> None:
    pager = Pager()
    rules, channels, firings, log = (
        RulesApi(deps),
        RuleChannelsApi(deps),
        FiringsApi(deps, pager),
        DeliveriesApi(deps, pager),
    )
    rule = "/v1/alerts/{rule_id:int}"
    routes.add("/v1/alerts", rules, GET=_READ, POST=_WRITE)
    routes.add("/v1/alerts/preview", rules, suffix="preview", POST=_READ)
    routes.add(rule, rules, suffix="one", GET=_READ, PUT=_WRITE, DELETE=_WRITE)
    routes.add(f"{rule}/test", rules, suffix="test", POST=_WRITE)
    routes.add(f"{rule}/channels", channels, GET=_READ, POST=_WRITE)
    routes.add(f"{rule}/channels/{{channel_id:int}}", channels, suffix="one", DELETE=_WRITE)
    routes.add(f"{rule}/firings", firings, GET=_READ)
    routes.add("/v1/deliveries", log, GET=_READ)
    saved = SavedChannelsApi(deps)
    routes.add("/v1/channels", saved, GET=_READ, POST=_WRITE)
    routes.add("/v1/channels/{channel_id:int}", saved, suffix="one", GET=_READ, PUT=_WRITE, DELETE=_WRITE)
    routes.add("/v1/channels/{channel_id:int}/test", saved, suffix="test", POST=_WRITE)
    for name in ("retry", "dismiss"):
        routes.add(f"/v1/deliveries/{{delivery_id:int}}/{name}", log, suffix=name, POST=_WRITE)


def _mount_rule_pages(routes: Routes, deps: Deps) -> None:
    rules, rule, saved, channel = RulePages(deps), RuleSettings(deps), ChannelPages(deps), ChannelSettings(deps)
    path, channel_path = f"{ALERTS_PATH}/{{rule_id:int}}", f"{CHANNELS_PATH}/{{channel_id:int}}"
    routes.add(ALERTS_PATH, rules, GET=PAGE, POST=PAGE)
    routes.add(NEW_PATH, rules, suffix="new", GET=PAGE)
    routes.add(PREVIEW_PATH, rules, suffix="preview", POST=PAGE)
    routes.add(path, rule, GET=PAGE, POST=PAGE)
    for name in ("preview", "enabled", "delete", "test"):
        routes.add(f"{path}/{name}", rule, suffix=name, POST=PAGE)
    routes.add(CHANNELS_PATH, saved, GET=PAGE, POST=PAGE)
    routes.add(NEW_CHANNEL_PATH, saved, suffix="new", GET=PAGE)
    routes.add(channel_path, channel, GET=PAGE, POST=PAGE)
    for name in ("delete", "test"):
        routes.add(f"{channel_path}/{name}", channel, suffix=name, POST=PAGE)


def _mount_delivery_pages(routes: Routes, deps: Deps) -> None:
    log, moved = DeliveryLog(deps), MovedPages()
    routes.add(LOG_PATH, log, GET=PAGE)
    routes.add(f"{LOG_PATH}/dismiss-all", log, suffix="dismiss_all", POST=PAGE)
    routes.add(f"{LOG_PATH}/{{delivery_id:int}}/retry", log, suffix="retry", POST=PAGE)
    routes.add(f"{LOG_PATH}/{{delivery_id:int}}/dismiss", log, suffix="dismiss", POST=PAGE)
    for template in ("", "/new", "/deliveries", "/{rule_id:int}"):
        routes.add(f"{OLD_PATH}{template}", moved, GET=PAGE)


class MovedPages:
    """The addresses that alerts had in the settings: messages of the past link to them."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, **fields: int) -> None:
        query = f"?{req.query_string}" if req.query_string else ""
        resp.status, resp.location = falcon.HTTP_308, ALERTS_PATH + req.path.removeprefix(OLD_PATH) + query
