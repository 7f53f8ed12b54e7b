"""The panel about backups on the storage page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from bloop.backup.read import BackupRunRow
from bloop.base.clock import DAY_MS
from bloop.site.contexts import Panel

PROVEN_OLD_MS = 8 * DAY_MS
LINES_MAX = 14
BACKUP_HREF = "/settings/storage/backups"  # the button posts here

_BY = {"schedule": "nightly", "asked": "on request", "command": "bloop backup"}


class BackupFile(NamedTuple):
    """A backup in the folder. `file_bytes` is its packed size."""

    name: str
    cause: str
    created_at_ms: int
    file_bytes: int
    database_bytes: int
    events: int


@dataclass(frozen=True, slots=True)
class BackupsPanel(Panel):
    """`state` is `waiting`, `running` or empty. `more` counts backups that are not listed."""

    template: ClassVar[str] = "backup/_backups.html"

    href: str
    enabled: bool
    directory: str
    keep: int
    next_at_ms: int | None
    state: str
    since_ms: int | None
    failing: str | None
    last_at_ms: int | None
    last_bytes: int
    last_took: str
    proven_at_ms: int | None
    proven_is_old: bool
    lines: tuple[BackupFile, ...]  # newest first
    more: int


class BackupRuns(NamedTuple):
    """One that waits or runs, the last good one, why the newest failed, and when one was last tried out."""

    open: BackupRunRow | None
    last_good: BackupRunRow | None
    failing: str | None
    proven_at_ms: int | None


def backups_panel(
    files: Sequence[BackupFile],
    runs: BackupRuns,
    *,
    enabled: bool,
    directory: str,
    keep: int,
    next_at_ms: int | None,
    now_ms: int,
) -> BackupsPanel:
    """`files` are newest first."""
    last_good = runs.last_good
    return BackupsPanel(
        href=BACKUP_HREF,
        enabled=enabled,
        directory=directory,
        keep=keep,
        next_at_ms=next_at_ms,
        state="" if runs.open is None else runs.open.state,
        since_ms=None if runs.open is None else runs.open.started_at_ms or runs.open.asked_at_ms,
        failing=runs.failing,
        last_at_ms=None if last_good is None else last_good.started_at_ms,
        last_bytes=0 if last_good is None else last_good.file_bytes or 0,
        last_took="" if last_good is None else _format_duration(last_good),
        proven_at_ms=runs.proven_at_ms,
        proven_is_old=last_good is not None and now_ms - (runs.proven_at_ms or 0) > PROVEN_OLD_MS,
        lines=tuple(file._replace(cause=_BY[file.cause]) for file in files[:LINES_MAX]),
        more=max(0, len(files) - LINES_MAX),
    )


def _format_duration(run: BackupRunRow) -> str:
    """The duration of making the backup and its restore drill."""
    seconds = max(0, (run.ended_at_ms or 0) - (run.started_at_ms or 0)) / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
