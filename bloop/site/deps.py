"""What the resources of the dashboard process are built from. Made once per process, handed down whole.

A group of pages or API resources is mounted by a function of this shape, called by `create_dashboard_app`:

    def mount_pages(routes: Routes, deps: Deps) -> None:
        routes.add("/issues/{ref}", IssuePage(deps), GET=PAGE)

Inside a responder:

    principal = principal_of(req)                # bloop/accounts/authenticate.py
    with deps.database.reader() as db:           # read-only, one snapshot, time-limited
        project_ids = visible_projects(db, principal, req.get_param("project_id"))
    deps.database.change(lambda db: …)           # one IMMEDIATE transaction on the control connection

Every unsafe request that carries a cookie has passed the origin check (origin.py) before a responder runs, so
forms need no hidden token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bloop.base.config import Settings
from bloop.db.pool import Database
from bloop.ring.segment import Meters, RingStat
from bloop.site.metered import Answered


class InRing(NamedTuple):
    """What /metrics looks for in the ring beside its `RingStat`."""

    meters: Meters
    oldest_ms: int | None  # when the oldest record that waits was received


@dataclass(frozen=True, slots=True)
class Deps:
    settings: Settings
    database: Database
    ring_stat: Callable[[], RingStat | None]  # None: the ring is not there (yet)
    bump_generation: Callable[[], None]  # after a change to projects or their keys: ingest workers reload them
    render: Callable[[str, Mapping[str, Any]], str]  # template name, its context → HTML
    now_ms: Callable[[], int]
    wake_purger: Callable[[], None] = lambda: None  # after a project was deleted
    send_signed: Callable[[str, bytes], bool] | None = None  # (key, event) → taken, the way of an SDK
    look_into_ring: Callable[[], InRing | None] = lambda: None
    answered: Answered = field(default_factory=Answered)  # by this process
