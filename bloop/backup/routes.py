"""Routes of backups."""

from __future__ import annotations

from bloop.auth.access import ADMIN, ADMIN_PAGE
from bloop.backup.api import BackupsApi
from bloop.backup.pages import BACKUP_HREF
from bloop.backup.views import BackupButton
from bloop.site.deps import Deps
from bloop.site.routes import Routes


def mount(routes: Routes, deps: Deps) -> None:
    routes.add("/v1/admin/backups", BackupsApi(deps), GET=ADMIN, POST=ADMIN)
    routes.add(BACKUP_HREF, BackupButton(deps), POST=ADMIN_PAGE)
