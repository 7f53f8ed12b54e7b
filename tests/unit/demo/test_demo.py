from __future__ import annotations

import re
from collections import Counter
from typing import Any

import orjson
import pytest

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.base.config import Ingest
from bloop.demo.faults import FAULTS
from bloop.demo.month import SPAN_DAYS, demo_changes, demo_events
from bloop.grouping import fingerprint_v1 as v1
from bloop.grouping.stacks.parse import parse
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.records.event import Event

NOW_MS = 1_768_739_400_000  # 2026-01-18 12:30 UTC


def month(issues: int = 80, events: int = 3000, seed: int = 1) -> list[tuple[str, dict[str, Any], int]]:
    return list(demo_events(NOW_MS, issues, events, seed))


def parsed(events: list[tuple[str, dict[str, Any], int]]) -> list[tuple[str, Event]]:
    limits = Limits.of(Ingest())
    return [(slug, parse_event(orjson.loads(orjson.dumps(body)), limits, at_ms)[0]) for slug, body, at_ms in events]


def fingerprint(event: Event) -> str:
    return v1.compute(event.source, event.error_type, event.route, event.message, event.stack)


def test_the_same_arguments_give_the_same_events_and_another_seed_others() -> None:
    assert month() == month()
    assert month() != month(seed=2)


@pytest.mark.parametrize(("issues", "events"), [(1, 1), (5, 5), (18, 400), (80, 3000), (2000, 2500)])
def test_there_are_as_many_events_and_issues_as_asked_for(issues: int, events: int) -> None:
    found = parsed(month(issues, events))

    assert len(found) == events
    assert len({(slug, fingerprint(event)) for slug, event in found}) == issues


def test_events_come_in_order_of_receipt_within_the_span() -> None:
    times = [at_ms for _, _, at_ms in month()]

    assert times == sorted(times)
    assert times[0] >= NOW_MS - SPAN_DAYS * DAY_MS
    assert times[-1] <= NOW_MS


def test_every_told_fault_has_a_stack_that_can_be_read() -> None:
    stacks = {event.error_type: event.stack for _, event in parsed(month(len(FAULTS), 600))}

    for error_type, stack in stacks.items():
        assert stack is not None, error_type
        frames = [frame for section in parse(stack).sections for frame in section.frames]
        assert any(frame.in_app for frame in frames), error_type
        assert len(frames) >= 2, error_type


def test_the_provider_failed_for_a_while_this_morning() -> None:
    hours = Counter(
        (NOW_MS - at_ms) // HOUR_MS
        for _, body, at_ms in month(40, 8000)
        if body["error_type"] == "PaymentGatewayTimeout"
    )

    assert {hour for hour, _ in hours.most_common(2)} <= {4, 5, 6}
    assert hours.most_common(1)[0][1] > 20 * hours[12]


def test_the_fixed_crash_came_back_with_the_newest_release() -> None:
    fixed = next(change for change in demo_changes(NOW_MS) if change.error_type == "TypeError")
    times = [
        (at_ms, body["release"])
        for slug, body, at_ms in month(40, 8000)
        if slug == "web-shop" and body["error_type"] == "TypeError" and "'price'" in body["message"]
    ]

    after = [(at_ms, release) for at_ms, release in times if at_ms > fixed.at_ms]
    assert [at_ms for at_ms, _ in times if at_ms < fixed.at_ms]
    assert min(at_ms for at_ms, _ in after) > NOW_MS - 2 * DAY_MS
    assert {release for _, release in after} == {"2026.47.0"}


def test_every_change_is_about_an_issue_that_happened_before_it() -> None:
    events = month(len(FAULTS), 3000)

    for change in demo_changes(NOW_MS):
        assert change.at_ms < NOW_MS
        assert any(
            slug == change.project_slug
            and body["error_type"] == change.error_type
            and body["message"].startswith(change.message_start)
            and at_ms < change.at_ms
            for slug, body, at_ms in events
        ), change


def test_nothing_names_a_real_host_or_address() -> None:
    for _, body, _ in month(200, 1000):
        text = " ".join(str(body.get(name, "")) for name in ("message", "stack"))
        for host in re.findall(r"https?://([^/\s)]+)", text):
            assert host.endswith(".example"), host
        for address in re.findall(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", text):
            assert address.startswith(("203.0.113.", "10.")), address


def test_nights_are_quieter_than_days() -> None:
    hours = Counter(at_ms // HOUR_MS % 24 for _, body, at_ms in month(80, 20_000))

    assert sum(hours[hour] for hour in (1, 2, 3, 4)) < sum(hours[hour] for hour in (10, 11, 12, 13)) / 4


def test_client_clocks_run_before_the_receipt_by_at_most_some_hours() -> None:
    for _, body, at_ms in month():
        assert 0 < at_ms - body["timestamp"] < 9 * HOUR_MS + MINUTE_MS
