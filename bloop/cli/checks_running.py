"""The checks of `bloop doctor` on an installation in use: its processes and its backups."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bloop.backup import read as query
from bloop.base import clock
from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.cli.checks import Finding, ok, warning, wrong
from bloop.cli.instance import instance_info
from bloop.cli.processes import KINDS, find_processes
from bloop.db import connection
from bloop.db import errors as db_errors

BACKUP_OLD_MS = 2 * DAY_MS  # a night was missed
OPTIONAL = frozenset({"supervisor"})  # absent where each process is a unit of its own


def instance(settings: Settings) -> Iterator[Finding]:
    """Which bloop all other findings are about."""
    yield ok("instance", str(instance_info(settings, find_processes(settings))))


def processes(settings: Settings) -> Iterator[Finding]:
    """No finding when bloop is not running: the check of the port reports that."""
    running = {member.name.removesuffix(" worker") for member in find_processes(settings)}
    missing = [kind for kind in KINDS if kind not in running | OPTIONAL]
    if running and missing:
        advice = "check its log, or start its unit; the other processes continue meanwhile"
        yield wrong("processes", f"not running: {', '.join(missing)}", advice)
    elif running:
        yield ok("processes", "all running")


def backups(settings: Settings) -> Iterator[Finding]:
    """A recent good backup, restored on trial; a database younger than BACKUP_OLD_MS needs none yet."""
    if not settings.database_path.exists():
        return
    now_ms = clock.now_ms()
    try:
        with contextlib.closing(connection.open_reader(settings.database_path)) as db:
            history, proven_at_ms, failing = query.schedule_history(db), query.last_proven_at_ms(db), query.failing(db)
    except (BloopError, db_errors.Error):
        return  # the check of the database reports it
    good_at_ms = history.good_at_ms
    since_ms = now_ms - max(good_at_ms or 0, history.created_at_ms or 0)
    if failing is not None:
        yield warning("backup", f"the last attempt failed: {failing}", "run `bloop backup` to try again and see why")
    elif not settings.backup.enabled and (good_at_ms is None or since_ms > BACKUP_OLD_MS):
        yield warning(
            "backup", "backup.enabled is false and there is no recent backup", "enable it, or run `bloop backup`"
        )
    elif since_ms > BACKUP_OLD_MS:
        says = "there is none" if good_at_ms is None else f"the newest is {since_ms // HOUR_MS} hours old"
        yield warning("backup", says, "check that the retention process runs; `bloop backup` makes one now")
    elif good_at_ms is None:
        yield ok("backup", "none yet; the first one is made at night")
    else:
        proven = "restore tested" if proven_at_ms is not None else "restore never tested"
        yield ok("backup", f"{since_ms // HOUR_MS} hours old, {proven}")
