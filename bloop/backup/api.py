"""/v1/admin/backups: what backups there are, whether they work, and one more, for admins.

No backup can be fetched here: it holds every key and everybody's data, and a stolen session would be enough to carry it
away. Who may read the server's files has them already.
"""

from __future__ import annotations

from typing import Any

import apsw
import falcon

from bloop.accounts.authenticate import principal_of
from bloop.accounts.people.api import account_id
from bloop.backup import folder as folders
from bloop.backup import read as query
from bloop.backup import store as storage
from bloop.backup.folder import Entry
from bloop.backup.manifest import Cause
from bloop.backup.read import RunRow
from bloop.backup.schedule import due_at_ms
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps


class Backups:
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
        run = ask_for_backup(self._deps, req)
        resp.status = falcon.HTTP_202
        answer_json(resp, _run(run))


# What the page does as well ------------------------------------------------------------------------------------------


def ask_for_backup(deps: Deps, req: falcon.Request) -> RunRow:
    """The attempt that waits, runs, or was just written down; the retention process sees it within seconds."""
    asked_by, now_ms = account_id(principal_of(req)), deps.now_ms()
    return deps.database.change(lambda db: storage.ask(db, cause=Cause.ASKED, asked_by=asked_by, now_ms=now_ms))


def next_at_ms(deps: Deps, db: apsw.Connection, now_ms: int) -> int | None:
    """When the next nightly backup is due, `now_ms` when it is overdue; None when they are switched off."""
    backup = deps.settings.backup
    return max(now_ms, due_at_ms(backup.hour, query.past(db), now_ms)) if backup.enabled else None


def _shown_or_none(row: RunRow | None) -> dict[str, Any] | None:
    return None if row is None else _run(row)


def _run(row: RunRow) -> dict[str, Any]:
    return row._asdict()


def _file(entry: Entry) -> dict[str, Any]:
    made = entry.manifest
    return {
        "name": entry.path.name,
        "cause": made.cause,
        "created_at_ms": made.created_at_ms,
        "duration_ms": made.duration_ms,
        "file_bytes": made.file_bytes,
        "database_bytes": made.database_bytes,
        "schema_version": made.schema_version,
        "bloop_version": made.bloop_version,
        "rows": made.rows,
    }
