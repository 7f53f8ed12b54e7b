"""Rows → the storage page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bloop.projects.read import ProjectRow
from bloop.retention.contexts import CleanUp, Figure, OwnTime, StoragePage, TableLine
from bloop.retention.read import OverrideRow, RetentionRunRow
from bloop.retention.sizes import StorageSample, shown_tables
from bloop.site.contexts import Option, Panel, Shell
from bloop.site.filters import file_size
from bloop.site.settings_nav import STORAGE, settings_nav

NOTICES = {
    "saved": "Saved. What is older now goes with the next clean-up, within the hour.",
    "project": "Saved.",
    "purge": "The purge was asked for.",
}
DAYS_LEFT_FEW = 14  # said in red
DAYS_LEFT_MANY = 730


def storage_page(
    shell: Shell,
    *,
    days: tuple[int, int],
    defaults: tuple[int, int],
    samples: int,
    own: Sequence[OverrideRow],
    projects: Sequence[ProjectRow],
    figures: Sequence[Figure],
    sample: StorageSample | None,
    event_count: int,
    run: RetentionRunRow | None,
    progress_path: str,
    panel: Panel,
    form: Mapping[str, str],
    problem: str,
    project_problem: str,
    notice: str,
    now_ms: int,
) -> StoragePage:
    """`days` are those in force; `form` is what was typed when a problem says that it will not do."""
    overridden = {row.project_id for row in own}
    free = sorted((p for p in projects if p.id not in overridden), key=lambda p: p.name.casefold())
    return StoragePage(
        shell=shell,
        nav=settings_nav(STORAGE, is_admin=True),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=problem,
        project_problem=project_problem,
        events_days=form.get("raw_events_days", str(days[0])),
        hours_days=form.get("hourly_counts_days", str(days[1])),
        defaults=defaults,
        samples=samples,
        own=tuple(OwnTime(row.name, row.slug, row.raw_events_days) for row in own),
        project_options=tuple(Option(p.slug, p.name, p.slug == form.get("project")) for p in free),
        project_days=form.get("days", ""),
        figures=tuple(figures),
        tables=_tables(sample, event_count),
        counted_at_ms=sample.sampled_at_ms if sample else None,
        clean_up=_clean_up(run, progress_path) if run else None,
        panel=panel,
    )


def storage_figures(
    *,
    database_bytes: int,
    reusable_bytes: int,
    wal_bytes: int,
    free_bytes: int | None,
    free_bytes_min: int,
    growth: int | None,
    days_left: int | None,
    oldest_ms: int | None,
) -> list[Figure]:
    """The panel, in the order in which people ask."""
    return [
        Figure("Database", "", database_bytes),
        Figure("Free inside it", "the next events go here", reusable_bytes),
        Figure("Its log", "part of the database; under load some hundred megabytes", wal_bytes),
        _free(free_bytes, free_bytes_min),
        _growth(growth),
        _days_left(days_left, growth),
        Figure("Oldest event", "the newest of every issue are kept for ever", at_ms=oldest_ms, text="none"),
    ]


def _free(free_bytes: int | None, free_bytes_min: int) -> Figure:
    if free_bytes is None:
        return Figure("Free on the disk", text="the file system does not say")
    is_full = free_bytes < free_bytes_min
    note = "too little: nothing is stored" if is_full else f"below {file_size(free_bytes_min)} nothing is stored"
    return Figure("Free on the disk", note, free_bytes, warns=is_full)


def _growth(growth: int | None) -> Figure:
    if growth is None:
        return Figure("Growth in a day", text="known after a day")
    if growth <= 0:
        return Figure("Growth in a day", text="none: as much goes as comes")
    return Figure("Growth in a day", "of the last two weeks", growth)


def _days_left(days_left: int | None, growth: int | None) -> Figure:
    if days_left is None:
        return Figure("Disk full in", text="known after a day" if growth is None else "not in sight")
    if days_left > DAYS_LEFT_MANY:
        return Figure("Disk full in", "if it goes on like this", text="more than two years")
    text = "about a day" if days_left <= 1 else f"about {days_left} days"
    return Figure("Disk full in", "if it goes on like this", text=text, warns=days_left < DAYS_LEFT_FEW)


def _tables(sample: StorageSample | None, event_count: int) -> tuple[TableLine, ...]:
    counts = {**(sample.row_counts if sample else {}), "events": event_count}
    return tuple(TableLine(t.label, t.note, counts[t.name]) for t in shown_tables() if t.name in counts)


def _clean_up(run: RetentionRunRow, progress_path: str) -> CleanUp:
    return CleanUp(
        state="done" if run.finished_at_ms is not None else "waiting" if run.started_at_ms is None else "running",
        progress_href=f"{progress_path}/{run.id}",
        asked_at_ms=run.asked_at_ms,
        finished_at_ms=run.finished_at_ms,
        was_asked=run.asked_by is not None,
        due=run.raw_events_due,
        events=run.raw_events_deleted,
        hours=run.hourly_counts_deleted,
        freed_bytes=run.bytes_freed,
        error=run.error or "",
    )
