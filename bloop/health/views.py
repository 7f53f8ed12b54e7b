"""`/system`: bloop's problems with their remedies; and the banners of every page that link there."""

from __future__ import annotations

import falcon

from bloop.health.api import read_vitals
from bloop.health.model import Vitals, list_reasons
from bloop.health.pages import list_problems, make_banners, system_page
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
        send_page(self._deps, req, resp, system_page(shell, *_current_problems(self._deps)))


def current_banners(deps: Deps) -> tuple[Banner, ...]:
    """The banners of existing problems, worst first."""
    return make_banners(*_current_problems(deps))


def _current_problems(deps: Deps) -> tuple[list[str], Vitals]:
    vitals = read_vitals(deps)
    minimum = deps.settings.database.disk_free_bytes_min
    return list_problems(list_reasons(vitals, now_ms=deps.now_ms(), disk_free_bytes_min=minimum), vitals), vitals
