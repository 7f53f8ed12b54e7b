"""The dependencies of all resources of the dashboard process. Created once per process.

A feature mounts its resources in a function of this shape, called by `create_dashboard_app`:

    def mount_pages(routes: Routes, deps: Deps) -> None:
        routes.add("/issues/{ref}", IssuePage(deps), GET=PAGE)

Inside a responder:

    principal = principal_of(req)                # bloop/site/principal.py
    with deps.database.reader() as db:           # read-only, one snapshot, time-limited
        project_ids = visible_projects(db, principal, req.get_param("project_id"))
    deps.database.change(lambda db: …)           # one IMMEDIATE transaction on the control connection

Every unsafe request with a cookie passes the origin check (origin.py) before a responder runs, so forms need no hidden
token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pkgutil import resolve_name
from typing import Any, NamedTuple

import falcon

from bloop.auth.principal import Principal
from bloop.base.config import Settings
from bloop.db.engine import Db
from bloop.db.pool import DatabasePool
from bloop.ring.segment import Meters, RingStat
from bloop.site.access import FindCredential
from bloop.site.contexts import Banner, Panel, Shell, Toast
from bloop.site.metered import AnswerMeter
from bloop.site.params import text_params
from bloop.site.principal import principal_of
from bloop.site.scope import PageScope
from bloop.site.scope_bar import make_scope_bar
from bloop.site.settings_nav import SettingLine, SettingsRequest

HrefOf = Callable[[str], str]


class RingSample(NamedTuple):
    """The values that /metrics reads from the ring besides its `RingStat`."""

    meters: Meters
    oldest_ms: int | None  # when the oldest waiting record was received


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions that the site calls without importing their features; bloop/features.py names them."""

    by_bearer: FindCredential
    by_cookie: FindCredential
    shell: Callable[[Db, Principal, str, HrefOf | None], Shell]
    scope_names: Callable[[Db, Principal, str], tuple[list[str], list[str]]]  # environments and releases of a project
    alerts_failed: Callable[[Db, Principal, int], int]  # that this person has not looked at
    banners: Callable[[Deps], tuple[Banner, ...]]
    toast: Callable[[falcon.Request, falcon.Response], Toast | None]  # what the action before a redirect did
    note_project: Callable[[Deps, falcon.Request, Shell], None]  # who opened which project
    show_key: Callable[[Deps, falcon.Request, falcon.Response, str, str], None]  # shows a project's new key: slug, key
    first_page: Callable[[Deps, Db], str]  # where the person who sets bloop up goes first
    storage_panel: Callable[[Deps, Db], Panel]
    setting_lines: Callable[[Deps, Db, SettingsRequest], Iterable[SettingLine]]

    @classmethod
    def resolve(cls, names: Mapping[str, str]) -> Hooks:
        """Import the `module:object` of each field."""
        return cls(**{field: resolve_name(name) for field, name in names.items()})


@dataclass(frozen=True, slots=True)
class Deps:
    settings: Settings
    database: DatabasePool
    ring_stat: Callable[[], RingStat | None]  # None: the ring does not exist (yet)
    bump_generation: Callable[[], None]  # after a change to projects or their keys: ingest workers reload them
    render: Callable[[str, Mapping[str, Any]], str]  # template name, context → HTML
    now_ms: Callable[[], int]
    hooks: Hooks
    wake_purger: Callable[[], None] = lambda: None  # after a project was deleted
    send_signed: Callable[[str, bytes], bool] | None = None  # (key, event) → accepted, as an SDK sends
    sample_ring: Callable[[], RingSample | None] = lambda: None
    answered: AnswerMeter = field(default_factory=AnswerMeter)  # of this process
    probe_database: DatabasePool | None = None  # for health checks, which must not wait for pages; None: `database`
    gauges: dict[str, Callable[[], int]] = field(default_factory=dict)  # of features, for /metrics

    def shell(self, db: Db, principal: Principal, slug: str = "", href_of: HrefOf | None = None) -> Shell:
        """The frame of a page about the project `slug`, `""` for all or none. `href_of` gives the project switcher's
        link for a slug; by default the list of issues."""
        failed = self.hooks.alerts_failed(db, principal, self.now_ms())
        return replace(self.hooks.shell(db, principal, slug, href_of), alerts_failed=failed)

    def scoped_shell(
        self,
        db: Db,
        req: falcon.Request,
        scope: PageScope,
        href_of: HrefOf | None = None,
        address: tuple[str, Mapping[str, str]] | None = None,
    ) -> Shell:
        """The frame of a page that obeys `scope`: with a scope bar whose links keep the rest of the page's address,
        its path and query. That is the request's, unless a form's answer is another page."""
        principal = principal_of(req)
        environments, releases = self.hooks.scope_names(db, principal, scope.project)
        path, params = address or (req.path, text_params(req))
        bar = make_scope_bar(scope, path, params, environments=environments, releases=releases, now_ms=self.now_ms())
        in_project = href_of or (lambda slug: scope.in_project(slug).href("/"))
        return replace(self.shell(db, principal, scope.project, in_project), scope=bar)
