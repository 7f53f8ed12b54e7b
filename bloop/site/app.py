"""The application of the dashboard process: middleware, assets, and the routes that features mount.

APP-1  It answers every route, also ingest: a connection handed over by an ingest worker may carry any request.
APP-2  Every route declares its need (site/routes.py). A sink bypasses the access check, so only ingest, which checks
       signatures itself, has one.
APP-3  `create_dashboard_app` opens nothing; workers/dashboard.py opens files and rings after the fork.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import falcon

from bloop.auth.access import OPEN, PAGE, SIGNED
from bloop.base.client_address import ClientAddresses
from bloop.base.rate_limit import RateLimiter
from bloop.site import errors
from bloop.site.access import Access
from bloop.site.appearance import Appearance
from bloop.site.assets import Assets
from bloop.site.assets_route import AssetFiles
from bloop.site.deps import Deps
from bloop.site.html import answer_errors_with_pages
from bloop.site.kit_page import KitPage
from bloop.site.look import ChangeLook
from bloop.site.metered import MeterAnswers
from bloop.site.middleware import Cors, NormalizeRequest, ReferenceConverter, RowIdConverter, SecurityHeaders
from bloop.site.routes import Routes
from bloop.site.settings_nav import APPEARANCE, OVERVIEW_HREF
from bloop.site.settings_overview import SettingsOverview

App = falcon.App[Any, Any]
Mount = Callable[[Routes, Deps], None]  # the `mount` of a feature's routes.py


def create_dashboard_app(
    deps: Deps, mounts: Iterable[Mount], mount_signed: Callable[[App], None] | None = None
) -> tuple[App, Routes]:
    """The app and its table of routes. `mounts` add the features' routes, `mount_signed` those of ingest, which check
    signatures themselves."""
    routes = Routes()
    app: App = routes.app
    app.req_options.strip_url_path_trailing_slash = True
    app.router_options.converters["ref"] = ReferenceConverter
    app.router_options.converters["int"] = RowIdConverter
    errors.install(app)
    limit, origin = deps.settings.rate_limit, deps.settings.auth.rp_origin
    access = Access(
        routes,
        deps.database,
        by_bearer=deps.hooks.by_bearer,
        by_cookie=deps.hooks.by_cookie,
        rp_origin=origin,
        https=deps.settings.https,
        now_ms=deps.now_ms,
        auth_limit=RateLimiter(limit.auth_per_second, limit.auth_burst_size),
        addresses=ClientAddresses(deps.settings.server.trusted_proxies),
    )
    app.add_middleware(MeterAnswers(deps.answered))
    app.add_middleware([SecurityHeaders(deps.settings.https), Cors(routes, origin), NormalizeRequest(), access])
    routes.add("/assets/{name}", AssetFiles(Assets()), GET=OPEN)
    routes.add("/look", ChangeLook(), POST=OPEN)
    routes.add(OVERVIEW_HREF, SettingsOverview(deps), GET=PAGE)
    routes.add(APPEARANCE.href, Appearance(deps), GET=PAGE)
    if deps.settings.server.kit_page:
        routes.add("/kit", KitPage(deps), GET=PAGE)
    for mount in mounts:
        mount(routes, deps)
    answer_errors_with_pages(app, deps)
    undeclared = sorted(routes.undeclared())
    assert not undeclared, f"routes without a declared need: {undeclared}"
    if mount_signed is not None:
        mount_signed(app)
        routes.declare_new(SIGNED)
    return app, routes
