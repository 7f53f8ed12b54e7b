"""/v1/admin/retention: shows and changes the retention policy, and purges expired data. For admins.

The retention process does the work; a purge request waits WAIT_S for it. The purge may take minutes and continues
without a waiting client; its counts are in the database meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import falcon

from bloop.auth.principal import Principal
from bloop.base.errors import InvalidField, NotFound
from bloop.db.engine import Db
from bloop.projects.read import get_project
from bloop.retention import read
from bloop.retention import store as retention
from bloop.retention.overview import overview
from bloop.retention.policy import DAYS_MAX, DAYS_MIN
from bloop.retention.read import RetentionRunRow
from bloop.site.bodies import answer_json, read_json
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

PUT_BYTES_MAX = 4096
PURGE_PATH = "/v1/admin/retention/purge"
WAIT_S = 5.0
LOOK_EVERY_S = 0.05
DAYS_OF = ("raw_events_days", "hourly_counts_days")
ISSUES_DAYS = "issues_days"  # 0: issues stay
DELETED = ("raw_events_deleted", "hourly_counts_deleted")
RUN_ID_MAX = 2**63 - 1


class RetentionApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._waiting = threading.Semaphore(1)  # one thread may wait here; the others serve requests

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            answer = overview(db, self._deps.settings.retention)
        answer_json(resp, answer)

    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req, PUT_BYTES_MAX)
        raw_events, hourly_counts = (checked_days(body.get(name), name) for name in DAYS_OF)
        own = _own_days(body.get("per_project"))
        save(
            self._deps,
            raw_events_days=raw_events,
            hourly_counts_days=hourly_counts,
            issues_days=checked_days(body.get(ISSUES_DAYS), ISSUES_DAYS, low=0),
            own=own,
        )
        answer_json(resp, {"status": "ok"})

    def on_post_purge(self, req: falcon.Request, resp: falcon.Response) -> None:
        if read_json(req).get("confirm") is not True:
            raise InvalidField("confirm", "confirm must be true")
        run = self._await(ask_for_purge(self._deps, principal_of(req)))
        if run.finished_at_ms is None:
            path = f"{PURGE_PATH}/{run.id}"
            resp.status, resp.location = falcon.HTTP_202, path
            answer_json(resp, show(run) | {"progress": path})
        else:
            answer_json(resp, {name: show(run)[name] for name in ("status", *DELETED)})

    def on_get_progress(self, req: falcon.Request, resp: falcon.Response, run_id: int) -> None:
        with self._deps.database.reader() as db:
            run = read.get_run(db, run_id) if run_id <= RUN_ID_MAX else None
        if run is None:
            raise NotFound("no such purge")
        answer_json(resp, show(run))

    def _await(self, run: RetentionRunRow) -> RetentionRunRow:
        """The run when it is finished, or as it is after WAIT_S."""
        if not self._waiting.acquire(blocking=False):
            return run
        try:
            deadline = time.monotonic() + WAIT_S
            while run.finished_at_ms is None and time.monotonic() < deadline:
                time.sleep(LOOK_EVERY_S)
                with self._deps.database.reader() as db:
                    run = read.get_run(db, run.id) or run
        finally:
            self._waiting.release()
        return run


class OwnDays(NamedTuple):
    """What a project sets for itself. Raw events: 0 days remove its own retention, None leaves it as it is. Issues, if
    `sets_issues`: 0 days keep them for ever, None removes its own retention."""

    path: str  # of the field that names the project, for a problem with it
    project: str
    raw_events: int | None = None
    issues: int | None = None
    sets_issues: bool = False


# Shared with the page ------------------------------------------------------------------------------------------------


def checked_days(value: object, path: str, *, low: int = DAYS_MIN) -> int | None:
    """A number of days; None if absent.

    Raises:
        InvalidField: not a number, or out of range.
    """
    if value is None:
        return None
    if type(value) is not int or not low <= value <= DAYS_MAX:
        raise InvalidField(path, f"{path.rpartition('.')[2]} must be between {low} and {DAYS_MAX}")
    return value


def save(
    deps: Deps,
    *,
    raw_events_days: int | None = None,
    hourly_counts_days: int | None = None,
    issues_days: int | None = None,
    own: Sequence[OwnDays] = (),
) -> None:
    """Save the policy; None leaves a value as it is.

    Raises:
        InvalidField: an unknown project; nothing was changed.
    """

    def change(db: Db) -> None:
        overrides: list[tuple[int, int]] = []
        issue_overrides: list[tuple[int, int | None]] = []
        for days in own:
            project = get_project(db, days.project)
            if project is None:
                raise InvalidField(days.path, "project not found")
            if days.raw_events is not None:
                overrides.append((project.id, days.raw_events))
            if days.sets_issues:
                issue_overrides.append((project.id, days.issues))
        retention.save_policy(
            db,
            raw_events_days=raw_events_days,
            hourly_counts_days=hourly_counts_days,
            issues_days=issues_days,
            overrides=overrides,
            issue_overrides=issue_overrides,
        )

    deps.database.change(change)


def ask_for_purge(deps: Deps, principal: Principal) -> RetentionRunRow:
    """Request a purge; the returned clean-up may already be running."""
    now_ms = deps.now_ms()
    return deps.database.change(lambda db: retention.ask_for_run(db, asked_by=principal.id, now_ms=now_ms))


def show(run: RetentionRunRow) -> dict[str, Any]:
    status = "ok" if run.finished_at_ms is not None else "waiting" if run.started_at_ms is None else "running"
    return {
        "status": status,
        "raw_events_deleted": run.raw_events_deleted,
        "hourly_counts_deleted": run.hourly_counts_deleted,
        "issues_deleted": run.issues_deleted,
        "raw_events_due": run.raw_events_due,
        "bytes_freed": run.bytes_freed,
        "error": run.error,
    }


def _own_days(value: object) -> list[OwnDays]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidField("per_project", "per_project must be a list")
    own = []
    for number, item in enumerate(value):
        path = f"per_project[{number}]"
        if not isinstance(item, dict):
            raise InvalidField(path, f"{path} must be an object")
        reference = item.get("project_id")
        if not isinstance(reference, str) or not reference:
            raise InvalidField(f"{path}.project_id", "project_id must be a string")
        days = checked_days(item.get("raw_events_days"), f"{path}.raw_events_days", low=0)
        if days is None and ISSUES_DAYS not in item:
            raise InvalidField(f"{path}.raw_events_days", "raw_events_days is required")
        issues = checked_days(item.get(ISSUES_DAYS), f"{path}.{ISSUES_DAYS}", low=0)
        own.append(OwnDays(f"{path}.project_id", reference, days, issues, sets_issues=ISSUES_DAYS in item))
    return own
