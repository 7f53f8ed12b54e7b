"""One month of a small company's errors as events: five applications, their releases, their incidents. Pure.

DEMO-1  The same arguments give the same events, in order of receipt, none after `now_ms`.
DEMO-2  There are exactly `events` of them, and every one of the `issues` occurs at least once.
DEMO-3  Nothing in them is real: hosts are `.example`, addresses are from the documentation ranges, people are numbers.

The story: traffic follows day and week; a payment provider fails for forty minutes this morning; a crash that was fixed
two weeks ago is back since the release of the day before yesterday; a new release brings new faults. The faults are
in faults.py. `demo_changes` are the status changes that people made, to be stored in between.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.demo.faults import APPS, FAULTS, App, Fault, FaultShape, invented
from bloop.issues.status.model import Status
from bloop.issues.status.mutes import Mute
from bloop.issues.status.regression import Resolution

SPAN_DAYS = 30
SPAN_HOURS = SPAN_DAYS * 24
USERS = 4000
SPIKE_STARTS_H, SPIKE_ENDS_H = 6.0, 5.33  # hours ago
FIXED_DAYS_AGO, BACK_DAYS_AGO = 14.0, 1.7

PROJECTS = tuple((app.slug, app.name) for app in APPS)


class DemoChange(NamedTuple):
    """A status change of all issues of `error_type` whose message starts so. Store it between the events."""

    at_ms: int
    project_slug: str
    error_type: str
    message_start: str
    status: Status
    resolution: Resolution
    mute: Mute


def demo_events(now_ms: int, issues: int, events: int, seed: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    """(project slug, body of POST /v1/ingest, received_at_ms), in order of receipt over the last SPAN_DAYS days."""
    assert 0 < issues <= events
    rng = random.Random(seed)  # noqa: S311  (a repeatable sequence is the point)
    faults = _faults(issues, rng)
    first_hour = now_ms // HOUR_MS - SPAN_HOURS + 1
    for hour, happening in enumerate(_timetable(faults, events, now_ms, first_hour, rng)):
        starts_ms = (first_hour + hour) * HOUR_MS
        length_ms = min(HOUR_MS, now_ms - starts_ms)
        times = sorted(starts_ms + rng.randrange(max(1, length_ms)) for _ in happening)
        rng.shuffle(happening)
        for index, received_at_ms in zip(happening, times, strict=True):
            fault = faults[index]
            yield fault.app.slug, _event(fault, received_at_ms, now_ms, rng), received_at_ms


def demo_changes(now_ms: int) -> list[DemoChange]:
    """The status changes that people made in this month, oldest first."""
    changes = [_change(fault, fault.changed_to, now_ms) for fault in FAULTS if fault.changed_to]
    return sorted(changes, key=attrgetter("at_ms"))


def _change(fault: Fault, status: Status, now_ms: int) -> DemoChange:
    at_ms = now_ms - round(fault.changed_days_ago * DAY_MS)
    mute = Mute(until_ms=at_ms + round(fault.muted_for_days * DAY_MS)) if fault.muted_for_days else fault.mute
    start = fault.message.partition("{")[0]
    return DemoChange(at_ms, fault.app.slug, fault.error_type, start, status, fault.fixed_in, mute)


def _faults(issues: int, rng: random.Random) -> list[Fault]:
    """The faults of the story first, then generated ones."""
    extra = (invented(number, rng) for number in range(max(0, issues - len(FAULTS))))
    return [*FAULTS[:issues], *extra]


def _timetable(faults: list[Fault], events: int, now_ms: int, first_hour: int, rng: random.Random) -> list[list[int]]:
    """For every hour, the indexes of the faults that happen in it, once per event."""
    total = sum(fault.weight for fault in faults)
    spare = events - len(faults)
    counts = [1 + int(spare * fault.weight / total) for fault in faults]
    counts[0] += events - sum(counts)
    hours: list[list[int]] = [[] for _ in range(SPAN_HOURS)]
    rhythm = [_rhythm(first_hour + hour) for hour in range(SPAN_HOURS)]
    rhythm[-1] *= (now_ms % HOUR_MS) / HOUR_MS
    for index, fault in enumerate(faults):
        weights = [level * _intensity(fault, (SPAN_HOURS - 1 - hour) + 0.5) for hour, level in enumerate(rhythm)]
        if not any(weights):
            weights[-2] = 1.0
        for hour in rng.choices(range(SPAN_HOURS), weights, k=counts[index]):
            hours[hour].append(index)
    return hours


def _rhythm(hour: int) -> float:
    """How busy the hour is: quiet at night, two peaks a day, half on weekends. `hour` counts from the epoch."""
    of_day, day = hour % 24, hour // 24
    level = (0.12, 0.08, 0.06, 0.06, 0.08, 0.14, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0)[of_day] if of_day < 12 else 0.0
    if of_day >= 12:
        level = (0.92, 0.88, 0.92, 0.95, 0.9, 0.8, 0.78, 0.85, 0.8, 0.6, 0.35, 0.2)[of_day - 12]
    weekend = (day + 3) % 7 >= 5  # day 0 was a Thursday
    return level * (0.55 if weekend else 1.0)


def _intensity(fault: Fault, hours_ago: float) -> float:
    """How likely the fault is that long ago, apart from the rhythm of the day."""
    days_ago = hours_ago / 24
    if not fault.until_days_ago <= days_ago <= fault.since_days_ago:
        return 0.0
    if fault.shape is FaultShape.SPIKE:
        return 400.0 if SPIKE_ENDS_H - 0.5 <= hours_ago <= SPIKE_STARTS_H + 0.5 else 0.4
    if fault.shape is FaultShape.REGRESSED:
        return 0.0 if BACK_DAYS_AGO < days_ago < FIXED_DAYS_AGO else (3.0 if days_ago <= BACK_DAYS_AGO else 1.0)
    if fault.shape is FaultShape.FADING:
        return max(0.02, days_ago / SPAN_DAYS) ** 2
    if fault.shape is FaultShape.RISING:
        return max(0.02, 1 - days_ago / SPAN_DAYS) ** 3
    return 1.0


def _event(fault: Fault, received_at_ms: int, now_ms: int, rng: random.Random) -> dict[str, Any]:
    app = fault.app
    release, build = _release(app, (now_ms - received_at_ms) / DAY_MS, rng, fault.fixed_in.release)
    words = _words(rng)
    message = fault.message.format_map(words)
    environment = rng.choices(app.environments, app.environment_weights)[0]
    person = int(min(rng.paretovariate(0.6), USERS))
    event: dict[str, Any] = {
        "timestamp": received_at_ms - _delay_ms(app, rng),
        "source": app.source,
        "environment": environment,
        "release": release,
        "level": fault.level,
        "error_type": fault.error_type,
        "message": message,
        "metadata": {n: v.format_map(words) if isinstance(v, str) else v for n, v in fault.metadata.items()},
    }
    if fault.stack:
        event["stack"] = fault.stack.format_map(words | {"header": f"{fault.error_type}: {message}"})
    if build:
        event |= {"app_version": release, "build_number": build}
        event["device_id_hash"] = _hash(app.slug, "device", person)
    if fault.route:
        event["route_or_procedure"] = fault.route
    if fault.screen:
        event["screen"] = fault.screen
    if fault.http_status:
        event["http_status"] = fault.http_status
        event["request_id"] = f"req_{words['uuid'][:13]}"
    if not fault.anonymous:
        event["user_id_hash"] = _hash("user", person)
    return event


def _release(app: App, days_ago: float, rng: random.Random, fixed_in: str | None) -> tuple[str, str]:
    """A release in use `days_ago`, before the fix; phones update over days, servers and pages at once."""
    out = [release for release in app.releases if release.days_ago >= days_ago] or [app.releases[0]]
    names = [release.name for release in out]
    out = out[: names.index(fixed_in)] if fixed_in in names else out
    lag = min(int(rng.expovariate(1.1)), len(out) - 1) if app.updates_slowly else 0
    chosen = out[-1 - lag]
    return chosen.name, chosen.build


def _delay_ms(app: App, rng: random.Random) -> int:
    """The delay from fault to receipt: short, or as long as a phone had no network."""
    if app.updates_slowly and rng.random() < 0.04:
        return rng.randrange(5 * MINUTE_MS, 9 * HOUR_MS)
    return rng.randrange(80, 2500)


def _words(rng: random.Random) -> dict[str, str]:
    """The words that vary from one occurrence to the next."""
    return {
        "id": str(rng.randrange(10_000, 99_999)),
        "small": str(rng.randrange(1, 40)),
        "ms": str(rng.randrange(1_000, 30_000)),
        "ip": f"203.0.113.{rng.randrange(1, 255)}",
        "hex": f"{rng.getrandbits(40):010x}",
        "uuid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "sku": f"{rng.choice('ABCDEFGH')}{rng.randrange(100, 999)}-{rng.choice(('S', 'M', 'L', 'XL'))}",
        "device": rng.choice(("iPhone16,2", "iPhone14,7", "iPad14,3")),
        "phone": rng.choice(("Pixel 8", "SM-S918B", "Xiaomi 13T", "moto g84")),
        "browser": rng.choice(("Chrome 142", "Safari 26.1", "Firefox 145", "Edge 142")),
    }


def _hash(*parts: object) -> str:
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:16]
