"""Routes of alerts: rules with their channels, firings, deliveries."""

from __future__ import annotations

from bloop.alerts.deliveries.api import DeliveriesApi
from bloop.alerts.deliveries.views import DeliveryLog
from bloop.alerts.rules.api import FiringsApi, RuleChannelsApi, RulesApi
from bloop.alerts.rules.pages import LOG_HREF, NEW_HREF
from bloop.alerts.rules.views import RulePages, RuleSettings
from bloop.alerts.saved_channels.api import SavedChannelsApi
from bloop.auth.access import PAGE, credential
from bloop.auth.scopes import Scope
from bloop.site.deps import Deps
from bloop.site.paging import Pager
from bloop.site.routes import Routes
from bloop.site.settings_nav import ALERTS

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
    rules, rule = RulePages(deps), RuleSettings(deps)
    href = f"{ALERTS.href}/{{rule_id:int}}"
    routes.add(ALERTS.href, rules, GET=PAGE, POST=PAGE)
    routes.add(NEW_HREF, rules, suffix="new", GET=PAGE)
    routes.add(href, rule, GET=PAGE, POST=PAGE)
    for name in ("enabled", "delete", "test", "channels"):
        routes.add(f"{href}/{name}", rule, suffix=name, POST=PAGE)
    routes.add(f"{href}/channels/{{channel_id:int}}/remove", rule, suffix="remove", POST=PAGE)


def _mount_delivery_pages(routes: Routes, deps: Deps) -> None:
    log = DeliveryLog(deps)
    routes.add(LOG_HREF, log, GET=PAGE)
    routes.add(f"{LOG_HREF}/dismiss-all", log, suffix="dismiss_all", POST=PAGE)
    routes.add(f"{LOG_HREF}/{{delivery_id:int}}/retry", log, suffix="retry", POST=PAGE)
    routes.add(f"{LOG_HREF}/{{delivery_id:int}}/dismiss", log, suffix="dismiss", POST=PAGE)
