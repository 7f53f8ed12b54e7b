"""/v1/admin/backups: lists backups and their state, and requests one more, for admins.

A backup cannot be downloaded here: it holds every key and all users' data, and one stolen session would be enough to
take it. Anyone who may read the server's files has the backups already.
"""

from __future__ import annotations

from typing import Any

import falcon

from bloop.auth.access import creator_id
from bloop.backup import folder as folders
from bloop.backup import read as query
from bloop.backup import store as storage
from bloop.backup.folder import Entry
from bloop.backup.manifest import Cause
from bloop.backup.read import BackupRunRow
from bloop.backup.schedule import due_at_ms
from bloop.db.engine import Db
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.principal import principal_of


class BackupsApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        backup, now_ms = self._deps.settings.backup, self._deps.now_ms()
        with self._deps.database.reader() as db:
            answer = {
                "enabled": backup.enabled,
                "directory": str(self._deps.settings.backup_dir),
                "hour": backup.hour,
                "keep": backup.keep,
                "drill": backup.drill,
                "next_at_ms": next_at_ms(self._deps, db, now_ms),
                "failing": query.failing(db),
                "last_good": _shown_or_none(query.last_good(db)),
                "last_proven_at_ms": query.last_proven_at_ms(db),
                "open": _shown_or_none(query.open_run(db)),
                "runs": [_run(row) for row in query.newest_runs(db)],
            }
        files = folders.entries(self._deps.settings.backup_dir)
        answer_json(resp, {**answer, "files": [_file(entry) for entry in files]})

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        run = request_backup(self._deps, req)
        resp.status = falcon.HTTP_202
        answer_json(resp, _run(run))


# Shared with the page ------------------------------------------------------------------------------------------------


def request_backup(deps: Deps, req: falcon.Request) -> BackupRunRow:
    """The attempt that waits, runs or was just recorded; the retention process sees it within seconds."""
    asked_by, now_ms = creator_id(principal_of(req)), deps.now_ms()
    return deps.database.change(lambda db: storage.request(db, cause=Cause.ASKED, asked_by=asked_by, now_ms=now_ms))


def next_at_ms(deps: Deps, db: Db, now_ms: int) -> int | None:
    """When the next nightly backup is due, `now_ms` if it is overdue; None when nightly backups are off."""
    backup = deps.settings.backup
    return max(now_ms, due_at_ms(backup.hour, query.schedule_history(db), now_ms)) if backup.enabled else None


def _shown_or_none(row: BackupRunRow | None) -> dict[str, Any] | None:
    return None if row is None else _run(row)


def _run(row: BackupRunRow) -> dict[str, Any]:
    return row._asdict()


def _file(entry: Entry) -> dict[str, Any]:
    manifest = entry.manifest
    return {
        "name": entry.path.name,
        "cause": manifest.cause,
        "created_at_ms": manifest.created_at_ms,
        "duration_ms": manifest.duration_ms,
        "file_bytes": manifest.file_bytes,
        "database_bytes": manifest.database_bytes,
        "schema_version": manifest.schema_version,
        "bloop_version": manifest.bloop_version,
        "rows": manifest.rows,
    }
