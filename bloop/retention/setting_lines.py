"""Storage on the overview of the settings: the room left, and how long data is kept."""

from __future__ import annotations

from collections.abc import Iterator

from bloop.base.clock import DAY_MS
from bloop.db.engine import Db
from bloop.retention import disk
from bloop.retention.disk import Sizes, UsedSpace
from bloop.retention.pages import DAYS_LEFT_FEW, DAYS_LEFT_MANY
from bloop.retention.policy import Policy, load_policy
from bloop.retention.sizes import samples_since
from bloop.site.deps import Deps
from bloop.site.filters import file_size
from bloop.site.settings_nav import STORAGE, LineState, SettingLine, SettingsGroup, SettingsRequest, plural

SERVER = SettingsGroup.SERVER


def setting_lines(deps: Deps, db: Db, request: SettingsRequest) -> Iterator[SettingLine]:
    if not request.principal.is_admin:
        return
    settings, minimum = deps.settings, deps.settings.database.disk_free_bytes_min
    samples = samples_since(db, request.now_ms - disk.GROWTH_DAYS * DAY_MS)
    growth = disk.growth_per_day([UsedSpace(s.sampled_at_ms, s.database_bytes - s.reusable_bytes) for s in samples])
    now = disk.sizes(db, settings.database_path)
    yield storage_line(now, disk.days_left(now, growth, minimum), minimum)
    policy = load_policy(db, settings.retention)
    yield SettingLine(SERVER, 40, "clock", "Retention", retention_words(policy), f"{STORAGE.href}#retention")


def storage_line(now: Sizes, days_left: int | None, free_bytes_min: int) -> SettingLine:
    used, free = file_size(now.database_bytes + now.wal_bytes), now.disk_free_bytes
    if free is not None and free < free_bytes_min:
        value, state = f"{used}, the disk is full: {file_size(free)} free", LineState.BAD
    else:
        room = "" if free is None else f", {file_size(free)} free"
        is_soon = days_left is not None and days_left < DAYS_LEFT_FEW
        is_known = days_left is not None and days_left <= DAYS_LEFT_MANY
        value = f"{used}{room}" + (f", full in about {plural(days_left or 0, 'day')}" if is_known else "")
        state = LineState.WARN if is_soon else LineState.NORMAL
    return SettingLine(SERVER, 30, "disk", STORAGE.label, value, STORAGE.href, state)


def retention_words(policy: Policy) -> str:
    """`Events 7 days, hourly counts 90 days, issues forever; 1 project differs`."""
    issues = plural(policy.issues_days, "day") if policy.issues_days else "forever"
    differing = len({*policy.overrides, *policy.issue_overrides})
    others = f"; {plural(differing, 'project')} {'differs' if differing == 1 else 'differ'}" if differing else ""
    events, hours = plural(policy.raw_events_days, "day"), plural(policy.hourly_counts_days, "day")
    return f"Events {events}, hourly counts {hours}, issues {issues}{others}"
