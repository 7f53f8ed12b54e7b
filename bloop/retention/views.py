"""/settings/storage: retention, purge and disk space, as a page and as JSON.

STORAGE-1  A change is a POST that answers 303 back to the page. An invalid form is shown again as typed, with the
    reason and the status of the error.
STORAGE-2  The page requests a purge and never waits for it: every view of the page shows its progress.
"""

from __future__ import annotations

from collections.abc import Mapping

import falcon

from bloop.base.clock import DAY_MS
from bloop.base.errors import InvalidField
from bloop.db.engine import Db
from bloop.projects import read as projects
from bloop.retention import disk, read
from bloop.retention.api import DAYS_OF, ISSUES_DAYS, PURGE_PATH, OwnDays, ask_for_purge, checked_days, save
from bloop.retention.disk import UsedSpace
from bloop.retention.pages import StorageFacts, StorageForm, storage_figures, storage_page
from bloop.retention.policy import DAYS_MIN, load_policy
from bloop.retention.sizes import last_sample, oldest_event_ms, samples_since, stored_events
from bloop.site import errors
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.html import back_to, send_page
from bloop.site.principal import principal_of
from bloop.site.settings_nav import STORAGE

DIGITS_MAX = 9  # of a number in a form


class StorageView:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._show(req, resp, StorageForm())

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req)
        try:
            raw_events, hourly_counts = (_days(form, name) for name in DAYS_OF)
            issues = _days(form, ISSUES_DAYS, low=0) if ISSUES_DAYS in form else None
            save(self._deps, raw_events_days=raw_events, hourly_counts_days=hourly_counts, issues_days=issues)
        except InvalidField as error:
            resp.status = errors.status_of(error)
            self._show(req, resp, StorageForm(form, problem=str(error)))
        else:
            back_to(resp, STORAGE.href, "saved")

    def on_post_project(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req)
        try:
            save(self._deps, own=[_own_days(form)])
        except InvalidField as error:
            resp.status = errors.status_of(error)
            self._show(req, resp, StorageForm(form, project_problem=str(error)))
        else:
            back_to(resp, STORAGE.href, "project")

    def on_post_purge(self, req: falcon.Request, resp: falcon.Response) -> None:
        ask_for_purge(self._deps, principal_of(req))
        back_to(resp, STORAGE.href, "purge")

    def _show(self, req: falcon.Request, resp: falcon.Response, form: StorageForm) -> None:
        with self._deps.database.reader() as db:
            page = storage_page(
                self._deps.shell(db, principal_of(req)),
                self._facts(db),
                form,
                progress_path=PURGE_PATH,
                panel=self._deps.hooks.storage_panel(self._deps, db),
                notice=req.get_param("done") or "",
                now_ms=self._deps.now_ms(),
            )
        send_page(self._deps, req, resp, page)

    def _facts(self, db: Db) -> StorageFacts:
        settings = self._deps.settings
        policy = load_policy(db, settings.retention)
        minimum = settings.database.disk_free_bytes_min
        now, growth = disk.sizes(db, settings.database_path), _growth(db, self._deps.now_ms())
        return StorageFacts(
            days=(policy.raw_events_days, policy.hourly_counts_days, policy.issues_days),
            defaults=(
                settings.retention.raw_events_days,
                settings.retention.hourly_counts_days,
                settings.retention.issues_days,
            ),
            samples=settings.pipeline.sample_reservoir_size,
            own=read.overrides(db),
            projects=projects.list_projects(db),
            figures=storage_figures(
                database_bytes=now.database_bytes,
                reusable_bytes=now.reusable_bytes,
                wal_bytes=now.wal_bytes,
                free_bytes=now.disk_free_bytes,
                free_bytes_min=minimum,
                growth=growth,
                days_left=disk.days_left(now, growth, minimum),
                oldest_ms=oldest_event_ms(db),
            ),
            sample=last_sample(db),
            event_count=stored_events(db),
            run=read.last_run(db),
        )


def _growth(db: Db, now_ms: int) -> int | None:
    samples = samples_since(db, now_ms - disk.GROWTH_DAYS * DAY_MS)
    return disk.growth_per_day([UsedSpace(s.sampled_at_ms, s.database_bytes - s.reusable_bytes) for s in samples])


def _own_days(form: Mapping[str, str]) -> OwnDays:
    """A project's own days, at least one of the two; an empty field follows the others. Raises: InvalidField."""
    has_issues = bool(form.get(ISSUES_DAYS, "").strip())
    issues = _days(form, ISSUES_DAYS, low=0) if has_issues else None
    events = 0 if has_issues and not form.get("days", "").strip() else _days(form, "days", low=0)
    return OwnDays("project", form.get("project", ""), events, issues, sets_issues=True)


def _days(form: Mapping[str, str], name: str, *, low: int = DAYS_MIN) -> int:
    """Raises: InvalidField."""
    text = form.get(name, "").strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX
    days = checked_days(int(text) if is_number else text, name, low=low)
    assert days is not None, "text is never None"
    return days
