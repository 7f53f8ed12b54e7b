"""Backups in the dashboard: the panel of the storage page and its button."""

from __future__ import annotations

import falcon

from bloop.backup import folder as folders
from bloop.backup import read as query
from bloop.backup.api import next_at_ms, request_backup
from bloop.backup.pages import BACKUP_HREF, BackupFile, BackupRuns, BackupsPanel, backups_panel
from bloop.db.engine import Db
from bloop.site.deps import Deps


class BackupButton:
    """POST: request a backup and redirect to the panel, which shows its progress."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        request_backup(self._deps, req)
        resp.status, resp.location = falcon.HTTP_303, f"{BACKUP_HREF.rpartition('/')[0]}#backups"


def load_panel(deps: Deps, db: Db) -> BackupsPanel:
    """The data of the partial `_backups.html`."""
    backup, now_ms = deps.settings.backup, deps.now_ms()
    return backups_panel(
        [
            BackupFile(
                entry.path.name,
                entry.manifest.cause,
                entry.manifest.created_at_ms,
                entry.manifest.file_bytes,
                entry.manifest.database_bytes,
                entry.manifest.rows.get("events", 0),
            )
            for entry in folders.entries(deps.settings.backup_dir)
        ],
        BackupRuns(
            open=query.open_run(db),
            last_good=query.last_good(db),
            failing=query.failing(db),
            proven_at_ms=query.last_proven_at_ms(db),
        ),
        enabled=backup.enabled,
        directory=str(deps.settings.backup_dir),
        keep=backup.keep,
        next_at_ms=next_at_ms(deps, db, now_ms),
        now_ms=now_ms,
    )
