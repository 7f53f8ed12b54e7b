"""The storage page, built from a few values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bloop.backup.pages import BackupFile, BackupRuns, BackupsPanel, backups_panel
from bloop.backup.read import BackupRunRow
from bloop.base.clock import DAY_MS
from bloop.projects.read import ProjectRow
from bloop.retention.contexts import StoragePage
from bloop.retention.pages import StorageFacts, StorageForm, storage_figures, storage_page
from bloop.retention.read import OverrideRow, RetentionRunRow
from bloop.retention.sizes import StorageSample, shown_tables
from bloop.site.contexts import Page, Shell

NOW_MS = 1_768_737_600_000
MIB = 1024 * 1024

Text = Callable[[str], str]

WAITING = RetentionRunRow(4, "u1", NOW_MS, None, None, None, None, 0, 0, 0, 0)
RUNNING = WAITING._replace(started_at_ms=NOW_MS, raw_events_due=250_000, raw_events_deleted=120_000)
DONE = RUNNING._replace(finished_at_ms=NOW_MS, raw_events_deleted=1, hourly_counts_deleted=1, bytes_freed=3 * MIB)

BACKED_UP = BackupRunRow(
    3, "schedule", None, "done", NOW_MS, NOW_MS, NOW_MS + 90_000, "x.db.zst", 9 * MIB, 80 * MIB, NOW_MS, None
)


def a_storage_page(shell: Shell, say: Text, run: RetentionRunRow | None, **changes: object) -> StoragePage:
    values: dict[str, object] = {
        "days": (7, 90, 0),
        "defaults": (7, 90, 0),
        "samples": 5,
        "own": [OverrideRow(1, "id-shop", "shop", say("Shop"), 30, 90)],
        "projects": [
            ProjectRow(1, "id-shop", "shop", say("Shop"), "SHOP", 0, None),
            ProjectRow(2, "id-blog", "blog", say("Blog"), "BLOG", 0, None),
        ],
        "figures": figures(),
        "sample": StorageSample(NOW_MS, 500 * MIB, 0, 0, 0, 9, {table.name: 12_345 for table in shown_tables()}),
        "event_count": 1_234_567,
        "run": run,
    }
    beside: dict[str, object] = {
        "form": StorageForm(),
        "progress_path": "/v1/admin/retention/purge",
        "panel": a_backups_panel(say),
        "notice": "",
        "now_ms": NOW_MS,
    }
    beside |= {name: changes.pop(name) for name in beside if name in changes}
    return storage_page(shell, StorageFacts(**values | changes), **beside)  # type: ignore[arg-type]


def a_backups_panel(say: Text, **changes: object) -> BackupsPanel:
    values: dict[str, object] = {
        "files": [BackupFile(say("bloop-20260118-030000.db.zst"), "schedule", NOW_MS, 9 * MIB, 80 * MIB, 41_000)],
        "enabled": True,
        "directory": say("/var/lib/bloop/backups"),
        "keep": 7,
        "next_at_ms": NOW_MS + DAY_MS // 2,
        "now_ms": NOW_MS,
    }
    runs = BackupRuns(open=None, last_good=BACKED_UP, failing=None, proven_at_ms=NOW_MS - DAY_MS)
    runs = runs._replace(**{name: changes.pop(name) for name in runs._fields if name in changes})  # type: ignore[arg-type]
    return backups_panel(runs=runs, **values | changes)  # type: ignore[arg-type]


def figures(**changes: int | None) -> object:
    values: dict[str, int | None] = {
        "database_bytes": 1_800 * MIB,
        "reusable_bytes": 20 * MIB,
        "wal_bytes": 64 * MIB,
        "free_bytes": 9_000 * MIB,
        "free_bytes_min": 64 * MIB,
        "growth": 90 * MIB,
        "days_left": 99,
        "oldest_ms": NOW_MS - 40 * DAY_MS,
    }
    return storage_figures(**values | changes)  # type: ignore[arg-type]


def storage_pages(shell: Shell, say: Text) -> Iterator[Page]:
    """In each of its states."""
    unknown = figures(free_bytes=None, growth=None, days_left=None, oldest_ms=None)
    yield a_storage_page(shell, say, None, sample=None, own=[], figures=unknown, notice="saved")
    yield a_storage_page(shell, say, WAITING)
    yield a_storage_page(shell, say, RUNNING._replace(raw_events_due=None))
    yield a_storage_page(shell, say, RUNNING._replace(error=say("FullError: disk is full")), notice="purge")
    yield a_storage_page(shell, say, DONE, figures=figures(free_bytes=MIB, days_left=0))
    form = {"raw_events_days": say("x"), "hourly_counts_days": say("y")}
    yield a_storage_page(shell, say, DONE._replace(asked_by=None), form=StorageForm(form, say("must be a number")))
    form = {"project": "blog", "days": say("z")}
    yield a_storage_page(shell, say, None, form=StorageForm(form, project_problem=say("must be a number")))
    yield a_storage_page(shell, say, None, figures=figures(growth=-5, days_left=None))
    nothing = {"files": [], "last_good": None, "proven_at_ms": None, "enabled": False, "next_at_ms": None}
    asked, busy = BACKED_UP._replace(state="waiting", started_at_ms=None), BACKED_UP._replace(state="running")
    file = BackupFile("bloop-x.db.zst", "command", NOW_MS, MIB, MIB, 1)
    for changes in (
        nothing,
        {"open": asked},
        {"open": busy, "failing": say("no room")},
        {"proven_at_ms": NOW_MS - 30 * DAY_MS, "files": [file] * 20},
    ):
        yield a_storage_page(shell, say, None, panel=a_backups_panel(say, **changes))
