"""The application of the dashboard process: JSON API, pages, sign-in, health, and the ingest routes besides.

W1  Everything is answered here, also ingest: a connection that an ingest worker passed over may carry any request.
W2  No route without its need (site/routes.py). A sink bypasses the access check, so only ingest, which checks
    signatures itself, has any.
W3  `create_dashboard_app` opens nothing; `assemble` opens what a worker needs, after the fork.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import falcon

from bloop.accounts.authenticate import Access
from bloop.accounts.passkeys.api import AddPasskey, Invited, Login, Register
from bloop.accounts.people.api import Invites, Reset, Users
from bloop.accounts.sign_ins.api import SignIn
from bloop.accounts.views import mount_settings
from bloop.alerts.deliveries.views import mount_delivery_pages
from bloop.alerts.rules.api import mount_alert_api
from bloop.alerts.rules.views import mount_alert_pages
from bloop.auth.access import ADMIN, METRICS, OPEN, PAGE, SESSION, SIGNED, credential
from bloop.auth.scopes import Scope
from bloop.backup.views import mount_backups
from bloop.base import clock
from bloop.base.config import Settings
from bloop.db.pool import Database
from bloop.health.api import Health
from bloop.health.metrics import Metrics
from bloop.ingest.app import make_sender, mount_ingest
from bloop.ingest.client_address import ClientAddresses
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.limits import Limits
from bloop.ingest.rate_limit import RateLimiter
from bloop.issues.counts.api import Stats
from bloop.issues.detail.api import Issue, Trends
from bloop.issues.detail.documents import mount_documents
from bloop.issues.listing.api import Errors
from bloop.issues.listing.views import mount_pages
from bloop.issues.status.bulk import BulkApi, BulkForm
from bloop.issues.status.forms import IssueForms
from bloop.ledger.api import Ledger
from bloop.ledger.views import mount_ledger_pages
from bloop.live.stream import Stream
from bloop.projects.api import Projects
from bloop.projects.onboarding.views import mount_setup_pages
from bloop.projects.purger import Purger
from bloop.projects.tokens.api import Tokens
from bloop.projects.tokens.views import mount_token_pages
from bloop.projects.views import mount_project_pages
from bloop.records.record import Sink, received_at_ms
from bloop.retention.views import mount_storage
from bloop.ring.peek import oldest_payloads
from bloop.ring.segment import RingStat, Segment
from bloop.site import errors
from bloop.site.deps import Deps, InRing
from bloop.site.metered import Metered
from bloop.site.middleware import Cors, ReferenceConverter, SecurityHeaders, Shape
from bloop.site.paging import Pager
from bloop.site.render import Renderer
from bloop.site.routes import Routes

App = falcon.App[Any, Any]

_READ = credential(Scope.ERRORS_READ)
_WRITE = credential(Scope.ERRORS_WRITE)


def create_dashboard_app(deps: Deps, mount_signed: Callable[[App], None] | None = None) -> tuple[App, Routes]:
    """The app and its table of routes. `mount_signed` adds the ingest routes, which check signatures themselves."""
    routes = Routes()
    app: App = routes.app
    app.req_options.strip_url_path_trailing_slash = True
    app.router_options.converters["ref"] = ReferenceConverter
    errors.install(app)
    limit, origin = deps.settings.rate_limit, deps.settings.auth.rp_origin
    gatekeeper = Access(
        routes,
        deps.database,
        rp_origin=origin,
        now_ms=deps.now_ms,
        auth_limit=RateLimiter(limit.auth_per_second, limit.auth_burst_size),
        addresses=ClientAddresses(deps.settings.server.trusted_proxies),
    )
    app.add_middleware(Metered(deps.answered))
    app.add_middleware([SecurityHeaders(deps.settings.https), Cors(routes, origin), Shape(), gatekeeper])
    mount_api(routes, deps)
    mount_projects(routes, deps)
    mount_accounts(routes, deps)
    mount_settings(routes, deps)
    mount_project_pages(routes, deps)
    mount_token_pages(routes, deps)
    mount_setup_pages(routes, deps)
    mount_ledger_pages(routes, deps)
    mount_storage(routes, deps)
    mount_backups(routes, deps)
    mount_alert_api(routes, deps)
    mount_alert_pages(routes, deps)
    mount_delivery_pages(routes, deps)
    mount_pages(routes, deps)
    mount_documents(routes, deps)
    forms = IssueForms(deps)
    routes.add("/issues/{ref}/status", forms, suffix="status", POST=PAGE)
    routes.add("/issues/{ref}/assign", forms, suffix="assign", POST=PAGE)
    routes.add("/issues/bulk", BulkForm(deps), GET=PAGE, POST=PAGE)
    forgotten = sorted(routes.undeclared())
    assert not forgotten, f"routes that do not say what they need: {forgotten}"
    if mount_signed is not None:
        mount_signed(app)
        routes.declare_new(SIGNED)
    return app, routes


def mount_api(routes: Routes, deps: Deps) -> None:
    """The JSON routes about errors, and how bloop is."""
    pager, stream = Pager(), Stream(deps)
    lists, issue, health = Errors(deps, pager), Issue(deps, pager), Health(deps)
    routes.add("/v1/errors", lists, GET=_READ)
    routes.add("/v1/releases/{release:ref}/errors", lists, suffix="release", GET=_READ)
    routes.add("/v1/errors/{fingerprint:ref}", issue, GET=_READ)
    for name in ("occurrences", "trend", "history"):
        routes.add(f"/v1/errors/{{fingerprint:ref}}/{name}", issue, suffix=name, GET=_READ)
    for name in ("resolve", "ignore", "mute", "unresolve", "assign"):
        routes.add(f"/v1/errors/{{fingerprint:ref}}/{name}", issue, suffix=name, POST=_WRITE)
    routes.add("/v1/errors/bulk", BulkApi(deps), POST=_WRITE)
    routes.add("/v1/stream", stream, GET=_READ)
    routes.add("/v1/trends", Trends(deps), GET=_READ)
    routes.add("/v1/stats", Stats(deps), GET=_READ)
    routes.add("/health", health, GET=OPEN)
    routes.add("/ready", health, suffix="ready", GET=OPEN)
    routes.add("/metrics", Metrics(deps, stream), GET=METRICS)


def mount_projects(routes: Routes, deps: Deps) -> None:
    """Projects, their tokens, and the accounts of what they sent."""
    ledger, projects, tokens = Ledger(deps), Projects(deps), Tokens(deps)
    routes.add("/v1/projects", projects, GET=SESSION, POST=SESSION)
    routes.add("/v1/projects/{slug}", projects, suffix="one", GET=SESSION, PUT=SESSION, DELETE=SESSION)
    routes.add("/v1/projects/{slug}/rotate-key", projects, suffix="rotate_key", POST=SESSION)
    routes.add("/v1/tokens", tokens, GET=SESSION, POST=SESSION)
    routes.add("/v1/tokens/{token_id}", tokens, suffix="one", DELETE=SESSION)
    routes.add("/v1/ledger", ledger, GET=_READ)
    routes.add("/v1/rejections", ledger, suffix="rejections", GET=_READ)


def mount_accounts(routes: Routes, deps: Deps) -> None:
    """Signing in and out, and who may."""
    sign_in, users, invites = SignIn(deps), Users(deps), Invites(deps)
    routes.add("/auth/login", sign_in, GET=OPEN, POST=OPEN)
    routes.add("/auth/logout", sign_in, suffix="logout", POST=OPEN)
    routes.add("/auth/status", sign_in, suffix="status", GET=OPEN)
    for path, ceremony, need in (
        ("/auth/register", Register(deps), OPEN),
        ("/auth/invite/register", Invited(deps), OPEN),
        ("/auth/login", Login(deps), OPEN),
        ("/auth/passkeys", AddPasskey(deps), SESSION),
    ):
        routes.add(f"{path}/start", ceremony, suffix="start", POST=need)
        routes.add(f"{path}/finish", ceremony, suffix="finish", POST=need)
    routes.add("/v1/admin/users", users, GET=ADMIN)
    routes.add("/v1/admin/users/{user_id}", users, suffix="one", DELETE=ADMIN)
    routes.add("/v1/admin/users/{user_id}/role", users, suffix="role", PUT=ADMIN)
    routes.add("/v1/admin/users/{user_id}/link", users, suffix="link", POST=ADMIN)
    routes.add("/v1/admin/invites", invites, GET=ADMIN, POST=ADMIN)
    routes.add("/v1/admin/invites/{invite_id}", invites, suffix="one", DELETE=ADMIN)
    routes.add("/v1/admin/reset", Reset(deps), POST=ADMIN)


def assemble(
    settings: Settings, *, segment: Segment, sink: Sink, keys: ProjectKeys, handles: contextlib.ExitStack
) -> App:
    """The app of one worker process; what it opens is closed with `handles`."""
    database = Database(
        settings.database_path,
        pool_size=settings.tuning.read_connections,
        query_timeout_ms=settings.database.query_timeout_ms,
    )
    handles.callback(database.close)

    def ring_stat() -> RingStat | None:
        return segment.stat() if segment.is_current else None

    def look_into_ring() -> InRing | None:
        if not segment.is_current:
            return None
        received = map(received_at_ms, oldest_payloads(segment, settings.spill_folder))
        return InRing(segment.meters(), min((at_ms for at_ms in received if at_ms is not None), default=None))

    shared_sink, limits = SharedSink(sink), Limits.of(settings.ingest)
    purger = Purger(settings.database_path, clock.now_ms)
    purger.start()
    handles.callback(purger.stop)
    deps = Deps(
        settings=settings,
        database=database,
        ring_stat=ring_stat,
        look_into_ring=look_into_ring,
        bump_generation=segment.bump_generation,
        render=Renderer(),
        now_ms=clock.now_ms,
        wake_purger=purger.wake,
        send_signed=make_sender(sink=shared_sink, keys=keys, limits=limits),
    )
    limit = settings.rate_limit

    def mount_signed(app: App) -> None:
        mount_ingest(
            app,
            sink=shared_sink,
            keys=keys,
            limits=limits,
            rate_limit=RateLimiter(limit.per_second, limit.burst_size),
            trusted_proxies=settings.server.trusted_proxies,
        )

    app, _ = create_dashboard_app(deps, mount_signed)
    return app


class SharedSink:
    """A lane belongs to one thread at a time; the dashboard has several."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._lock = sink, threading.Lock()

    def push(self, form: int, payload: bytes) -> bool:
        with self._lock:
            return self._sink.push(form, payload)

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        with self._lock:
            self._sink.count(project_id, category, outcome, n)
