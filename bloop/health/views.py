"""`/system`: what ails bloop and what to do about it; and the banners that lead there from every page."""

from __future__ import annotations

import falcon

from bloop.health.api import vitals
from bloop.health.model import reasons
from bloop.health.pages import banners, system_page, wrong
from bloop.site.contexts import Banner
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.principal import principal_of


class System:
    """GET /system"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            shell = self._deps.shell(db, principal_of(req))
        send_page(self._deps, req, resp, system_page(shell, _wrong_now(self._deps)))


def banners_now(deps: Deps) -> tuple[Banner, ...]:
    """What every page says while something is wrong, worst first."""
    return banners(_wrong_now(deps))


def _wrong_now(deps: Deps) -> list[str]:
    seen = vitals(deps)
    minimum = deps.settings.database.disk_free_bytes_min
    return wrong(reasons(seen, now_ms=deps.now_ms(), disk_free_bytes_min=minimum), seen)
