"""Routes of retention: how long what is kept, and deleting now."""

from __future__ import annotations

from bloop.auth.access import ADMIN, ADMIN_PAGE
from bloop.retention.api import PURGE_PATH, RetentionApi
from bloop.retention.views import StorageView
from bloop.site.deps import Deps
from bloop.site.routes import Routes
from bloop.site.settings_nav import STORAGE


def mount(routes: Routes, deps: Deps) -> None:
    api, page = RetentionApi(deps), StorageView(deps)
    routes.add("/v1/admin/retention", api, GET=ADMIN, PUT=ADMIN)
    routes.add(PURGE_PATH, api, suffix="purge", POST=ADMIN)
    routes.add(f"{PURGE_PATH}/{{run_id:int}}", api, suffix="progress", GET=ADMIN)
    routes.add(STORAGE.href, page, GET=ADMIN_PAGE, POST=ADMIN_PAGE)
    routes.add(f"{STORAGE.href}/projects", page, suffix="project", POST=ADMIN_PAGE)
    routes.add(f"{STORAGE.href}/purge", page, suffix="purge", POST=ADMIN_PAGE)
