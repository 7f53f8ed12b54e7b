"""The parts of bloop, each with its state, its present value and its problems. Pure.

CHECK-1  A check is green only if its value was read and is right: without a value it is grey, with a problem it is not
    green. Every problem belongs to exactly one check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bloop.base.clock import DAY_MS
from bloop.base.reasons import Reason
from bloop.health.contexts import CheckState, SystemCheck
from bloop.health.model import Vitals
from bloop.health.problems import LIMIT_NEAR, RING_PRESSURE, make_problem
from bloop.health.read import SystemRows
from bloop.processes.read import ALERTS, RETENTION
from bloop.ring.segment import RingStat
from bloop.site.filters import file_size, relative
from bloop.site.settings_nav import plural

BACKUP_OLD_MS = 2 * DAY_MS  # a night was missed
UNKNOWN = "Not known: the database isn't responding."


class SystemValues(NamedTuple):
    """What the page read; None where it was unavailable."""

    now_ms: int
    vitals: Vitals
    rows: SystemRows | None
    database_ms: float | None  # that the database took to answer
    ring: RingStat | None
    database_bytes: int | None
    wal_bytes: int | None
    disk_bytes: int | None  # of the file system of the database, free or not
    backups_enabled: bool


class CheckValue(NamedTuple):
    """What a check found besides problems: `state` is GOOD where nothing speaks against it."""

    state: CheckState
    value: str


def make_checks(problems: Sequence[str], values: SystemValues) -> tuple[SystemCheck, ...]:
    """All checks, failing ones first, then those that need attention."""
    made = [_make_check(part, problems, values) for part in PARTS]
    order = (CheckState.BAD, CheckState.WARN, CheckState.UNKNOWN, CheckState.GOOD)
    return tuple(sorted(made, key=lambda check: order.index(check.state)))


def worst_state(checks: Sequence[SystemCheck]) -> CheckState:
    """That of the first check."""
    return checks[0].state


class _Part(NamedTuple):
    """`names` are the problems that belong to it."""

    anchor: str
    title: str
    names: tuple[str, ...]
    value: Callable[[SystemValues], CheckValue]


def _make_check(part: _Part, problems: Sequence[str], values: SystemValues) -> SystemCheck:
    found = tuple(make_problem(name, values.vitals) for name in problems if name in part.names)
    state, value = part.value(values)
    if any(problem.is_severe for problem in found):
        state = CheckState.BAD
    elif found:
        state = CheckState.WARN
    return SystemCheck(part.anchor, part.title, state, value, found)


def _good(value: str) -> CheckValue:
    return CheckValue(CheckState.GOOD, value)


def _unknown(value: str) -> CheckValue:
    return CheckValue(CheckState.UNKNOWN, value)


def _writer(values: SystemValues) -> CheckValue:
    seen_ms = values.vitals.writer_seen_ms
    if not seen_ms:
        return _unknown("No heartbeat yet.")
    return _good(f"Last heartbeat {max(0, values.now_ms - seen_ms) / 1000:.1f} s ago.")


def _buffer(values: SystemValues) -> CheckValue:
    ring = values.ring
    if ring is None:
        return _unknown("Does not exist.")
    on_disk = f", {ring.spill_records:,} of them on disk" if ring.spill_records else ""
    return _good(f"{ring.fill:.0%} full, {plural(ring.pending_records, 'record')} waiting{on_disk}.")


def _database(values: SystemValues) -> CheckValue:
    if values.database_ms is None or values.database_bytes is None:
        return _unknown("Does not respond.")
    size = f"{file_size(values.database_bytes)} and {file_size(values.wal_bytes or 0)} WAL"
    took = f"{values.database_ms:.1f}" if values.database_ms >= 0.1 else "less than 0.1"
    return _good(f"Responds in {took} ms, {size}.")


def _disk(values: SystemValues) -> CheckValue:
    free = values.vitals.disk_free_bytes
    if free is None:
        return _unknown("The system does not report the free space.")
    total = f" of {file_size(values.disk_bytes)}" if values.disk_bytes else ""
    return _good(f"{file_size(free)}{total} free.")


def _alerts(values: SystemValues) -> CheckValue:
    seen = _seen(values, ALERTS)
    if values.rows is None or seen is None:
        return _unknown(UNKNOWN if values.rows is None else "The process has not reported yet.")
    deliveries = values.rows.deliveries
    return _good(f"{seen} Messages: {deliveries['waiting']:,} waiting, {deliveries['failed']:,} failed.")


def _retention(values: SystemValues) -> CheckValue:
    seen = _seen(values, RETENTION)
    if values.rows is None or seen is None:
        return _unknown(UNKNOWN if values.rows is None else "The process has not reported yet.")
    return _good(seen)


def _backup(values: SystemValues) -> CheckValue:
    if values.rows is None:
        return _unknown(UNKNOWN)
    backup = values.rows.backup
    if backup.good_at_ms is None:
        return _unknown("None yet." if values.backups_enabled else "None, and nightly backups are off.")
    age = f"Last one {relative(backup.good_at_ms, values.now_ms)}"
    tested = "never" if backup.proven_at_ms is None else relative(backup.proven_at_ms, values.now_ms)
    is_old = values.now_ms - backup.good_at_ms > BACKUP_OLD_MS
    return CheckValue(CheckState.WARN if is_old else CheckState.GOOD, f"{age}, restore tested {tested}.")


def _limits(values: SystemValues) -> CheckValue:
    if values.rows is None:
        return _unknown(UNKNOWN)
    near = len({usage.project_name for usage in values.vitals.limits})
    return _good(f"{plural(near, 'project')} above 80% of a limit." if near else "No project is above 80% of a limit.")


def _processes(values: SystemValues) -> CheckValue:
    if values.rows is None or values.ring is None:
        return _unknown("Not known: the database or the buffer isn't responding.")
    background = {process.name for process in values.rows.processes if process.is_alive}
    running = ["dashboard", *(["writer"] if values.ring.consumer_claimed else []), *sorted(background)]
    accepting = sum(lane.claimed for lane in values.ring.lanes)
    missing = {"writer", ALERTS, RETENTION} - set(running)
    accept = "1 process accepts" if accepting == 1 else f"{accepting:,} processes accept"
    text = f"{', '.join(running)}; {accept} events.".capitalize()
    return CheckValue(CheckState.UNKNOWN if missing or not accepting else CheckState.GOOD, text)


def _seen(values: SystemValues, name: str) -> str | None:
    """`Last report 3 s ago.`; None for a process that never reported."""
    rows = values.rows.processes if values.rows else ()
    seen_ms = next((process.seen_at_ms for process in rows if process.name == name), None)
    if seen_ms is None:
        return None
    age_s = max(0, values.now_ms - seen_ms) / 1000
    return f"Last report {age_s:.0f} s ago." if age_s < 120 else f"Last report {relative(seen_ms, values.now_ms)}."


PARTS = (
    _Part("writer", "Writer", (Reason.WRITER_STALE, Reason.WRITER_BUSY), _writer),
    _Part("buffer", "Buffer", (Reason.RING_MISSING, RING_PRESSURE), _buffer),
    _Part("database", "Database", (Reason.DB_UNREACHABLE, Reason.DB_DAMAGED), _database),
    _Part("disk", "Disk", (Reason.DISK_FULL,), _disk),
    _Part("processes", "Processes", (), _processes),
    _Part("alerts", "Alerts", (Reason.ALERTS_STALE, Reason.DELIVERIES_FAILING), _alerts),
    _Part("retention", "Retention", (Reason.RETENTION_STALE,), _retention),
    _Part("backup", "Backup", (Reason.BACKUP_FAILING,), _backup),
    _Part("limits", "Project limits", (Reason.LIMIT_MET, LIMIT_NEAR), _limits),
)
