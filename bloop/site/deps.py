"""What the resources of the dashboard process are built from. Made once per process, handed down whole.

A group of pages or API resources is mounted by a function of this shape, called by `create_dashboard_app`:

    def mount_pages(routes: Routes, deps: Deps) -> None:
        routes.add("/issues/{ref}", IssuePage(deps), GET=PAGE)

Inside a responder:

    principal = principal_of(req)                # bloop/site/principal.py
    with deps.database.reader() as db:           # read-only, one snapshot, time-limited
        project_ids = visible_projects(db, principal, req.get_param("project_id"))
    deps.database.change(lambda db: …)           # one IMMEDIATE transaction on the control connection

Every unsafe request that carries a cookie has passed the origin check (origin.py) before a responder runs, so
forms need no hidden token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any, NamedTuple

import falcon

from bloop.auth.principal import Principal
from bloop.base.config import Settings
from bloop.db.engine import Db
from bloop.db.pool import DatabasePool
from bloop.ring.segment import Meters, RingStat
from bloop.site.access import FindCredential
from bloop.site.contexts import Banner, Panel, Shell
from bloop.site.metered import AnswerMeter

HrefOf = Callable[[str], str]


class InRing(NamedTuple):
    """What /metrics looks for in the ring beside its `RingStat`."""

    meters: Meters
    oldest_ms: int | None  # when the oldest record that waits was received


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the kit calls without knowing which feature answers; bloop/features.py says which."""

    by_bearer: FindCredential
    by_cookie: FindCredential
    shell: Callable[[Db, Principal, str, HrefOf | None], Shell]
    banners: Callable[[Deps], tuple[Banner, ...]]
    show_key: Callable[[Deps, falcon.Request, falcon.Response, str, str], None]  # slug and new key of a project
    storage_panel: Callable[[Deps, Db], Panel]

    @classmethod
    def resolve(cls, names: Mapping[str, str]) -> Hooks:
        """From `module:object` per field."""
        return cls(**{field: resolve_name(name) for field, name in names.items()})


@dataclass(frozen=True, slots=True)
class Deps:
    settings: Settings
    database: DatabasePool
    ring_stat: Callable[[], RingStat | None]  # None: the ring is not there (yet)
    bump_generation: Callable[[], None]  # after a change to projects or their keys: ingest workers reload them
    render: Callable[[str, Mapping[str, Any]], str]  # template name, its context → HTML
    now_ms: Callable[[], int]
    hooks: Hooks
    wake_purger: Callable[[], None] = lambda: None  # after a project was deleted
    send_signed: Callable[[str, bytes], bool] | None = None  # (key, event) → taken, the way of an SDK
    look_into_ring: Callable[[], InRing | None] = lambda: None
    answered: AnswerMeter = field(default_factory=AnswerMeter)  # by this process
    gauges: dict[str, Callable[[], int]] = field(default_factory=dict)  # for /metrics, by the features that have some

    def shell(self, db: Db, principal: Principal, slug: str = "", href_of: HrefOf | None = None) -> Shell:
        """The frame of a page about the project `slug`, `""` for all or none. `href_of` says where the switcher of
        projects leads to, for a slug; without it, to the list of issues."""
        return self.hooks.shell(db, principal, slug, href_of)
