"""What `bloop doctor` asks an installation that is in use: are all its processes there, and is there a backup?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import apsw

from bloop.backup import read as query
from bloop.base import clock
from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.cli.checks import Finding, ok, warning, wrong
from bloop.cli.family import KINDS, family
from bloop.db import connection

BACKUP_OLD_MS = 2 * DAY_MS  # a night was missed
ALONE = frozenset({"supervisor"})  # not there where each process is a unit of its own


def processes(settings: Settings) -> Iterator[Finding]:
    """Nothing to say of a bloop that is not running: the port says so."""
    running = {member.name.removesuffix(" worker") for member in family(settings)}
    missing = [kind for kind in KINDS if kind not in running | ALONE]
    if running and missing:
        advice = "look at its log, or start its unit; the others go on meanwhile"
        yield wrong("processes", f"not running: {', '.join(missing)}", advice)
    elif running:
        yield ok("processes", "all there")


def backups(settings: Settings) -> Iterator[Finding]:
    """A backup that worked, not too old, restored on trial; a database of a day ago need not have one."""
    if not settings.database_path.exists():
        return
    now_ms = clock.now_ms()
    try:
        with contextlib.closing(connection.open_reader(settings.database_path)) as db:
            past, proven_at_ms, failing = query.past(db), query.last_proven_at_ms(db), query.failing(db)
    except (BloopError, apsw.Error):
        return  # the check of the database says so
    good_at_ms = past.good_at_ms
    since_ms = now_ms - max(good_at_ms or 0, past.created_at_ms or 0)
    if failing is not None:
        yield warning("backup", f"the last attempt failed: {failing}", "`bloop backup` tries again and says more")
    elif not settings.backup.enabled and (good_at_ms is None or since_ms > BACKUP_OLD_MS):
        yield warning(
            "backup", "backup.enabled is false, and none was made lately", "switch it on, or run `bloop backup`"
        )
    elif since_ms > BACKUP_OLD_MS:
        says = "there is none" if good_at_ms is None else f"the newest is {since_ms // HOUR_MS} hours old"
        yield warning("backup", says, "see that the retention process runs; `bloop backup` makes one now")
    elif good_at_ms is None:
        yield ok("backup", "none yet, the first is made at night")
    else:
        proven = "restored on trial" if proven_at_ms is not None else "never restored on trial"
        yield ok("backup", f"{since_ms // HOUR_MS} hours old, {proven}")
