"""Rows → the storage page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bloop.projects.read import ProjectRow
from bloop.retention.contexts import CleanUp, Figure, OwnTime, StoragePage, TableLine
from bloop.retention.read import OverrideRow, RetentionRunRow
from bloop.retention.sizes import StorageSample, shown_tables
from bloop.site.contexts import Option, Panel, Shell
from bloop.site.filters import file_size
from bloop.site.settings_nav import STORAGE, settings_nav

NOTICES = {
    "saved": "Saved. Data that is now expired is deleted within the hour.",
    "project": "Saved.",
    "purge": "Purge requested.",
}
DAYS_LEFT_FEW = 14  # shown in red
DAYS_LEFT_MANY = 730


class StorageFacts(NamedTuple):
    """What the page shows. Days are those of raw events, hourly counts and issues; `days` are in force."""

    days: tuple[int, int, int]
    defaults: tuple[int, int, int]
    samples: int
    own: Sequence[OverrideRow]
    projects: Sequence[ProjectRow]
    figures: Sequence[Figure]
    sample: StorageSample | None
    event_count: int
    run: RetentionRunRow | None


class StorageForm(NamedTuple):
    """What was typed into one of the two forms, and why it will not do; empty when nothing was typed."""

    typed: Mapping[str, str] = {}
    problem: str = ""
    project_problem: str = ""


def storage_page(
    shell: Shell,
    facts: StorageFacts,
    form: StorageForm,
    *,
    progress_path: str,
    panel: Panel,
    notice: str,
    now_ms: int,
) -> StoragePage:
    typed, (events_days, hours_days, issues_days) = form.typed, facts.days
    overridden = {row.project_id for row in facts.own}
    free = sorted((p for p in facts.projects if p.id not in overridden), key=lambda p: p.name.casefold())
    return StoragePage(
        shell=shell,
        nav=settings_nav(STORAGE, is_admin=True),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=form.problem,
        project_problem=form.project_problem,
        events_days=typed.get("raw_events_days", str(events_days)),
        hours_days=typed.get("hourly_counts_days", str(hours_days)),
        issues_days=typed.get("issues_days", str(issues_days)),
        defaults=facts.defaults,
        samples=facts.samples,
        own=tuple(OwnTime(row.name, row.slug, row.raw_events_days, row.issues_days) for row in facts.own),
        project_options=tuple(Option(p.slug, p.name, p.slug == typed.get("project")) for p in free),
        project_days=typed.get("days", ""),
        project_issues_days=typed.get("issues_days", "") if "project" in typed else "",
        figures=tuple(facts.figures),
        tables=_tables(facts.sample, facts.event_count),
        counted_at_ms=facts.sample.sampled_at_ms if facts.sample else None,
        clean_up=_clean_up(facts.run, progress_path) if facts.run else None,
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
    """The panel, most important figures first."""
    return [
        Figure("Database", "", database_bytes),
        Figure("Reusable space", "in the database; used first", reusable_bytes),
        Figure("Write-ahead log", "part of the database; grows under load", wal_bytes),
        _free(free_bytes, free_bytes_min),
        _growth(growth),
        _days_left(days_left, growth),
        Figure("Oldest event", "the newest events of an issue stay with it", at_ms=oldest_ms, text="none"),
    ]


def _free(free_bytes: int | None, free_bytes_min: int) -> Figure:
    if free_bytes is None:
        return Figure("Free on disk", text="unknown")
    is_full = free_bytes < free_bytes_min
    note = "too little: nothing is stored" if is_full else f"below {file_size(free_bytes_min)} nothing is stored"
    return Figure("Free on disk", note, free_bytes, warns=is_full)


def _growth(growth: int | None) -> Figure:
    if growth is None:
        return Figure("Growth per day", text="available after 24 h")
    if growth <= 0:
        return Figure("Growth per day", text="not growing")
    return Figure("Growth per day", "over the last two weeks", growth)


def _days_left(days_left: int | None, growth: int | None) -> Figure:
    if days_left is None:
        return Figure("Disk full in", text="available after 24 h" if growth is None else "never at this rate")
    if days_left > DAYS_LEFT_MANY:
        return Figure("Disk full in", "at the current rate", text="more than two years")
    text = "about a day" if days_left <= 1 else f"about {days_left} days"
    return Figure("Disk full in", "at the current rate", text=text, warns=days_left < DAYS_LEFT_FEW)


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
        issues=run.issues_deleted,
        freed_bytes=run.bytes_freed,
        error=run.error or "",
    )
