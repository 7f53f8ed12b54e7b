from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.base.errors import InvalidParameter
from bloop.site.scope import MINUTES_KEPT_MS, RANGES_MS, PageScope, custom_range

NOW = int(datetime(2026, 11, 30, 15, 20, 33, tzinfo=UTC).timestamp()) * 1000
INSTANTS = st.integers(0, 4_000_000_000).map(lambda minutes: minutes // 60 * MINUTE_MS)


def test_no_parameters_mean_everything_of_the_last_day_and_need_no_url() -> None:
    assert PageScope.from_params({}) == PageScope()
    assert PageScope().params() == {}
    assert PageScope().href("/issues") == "/issues"


def test_environment_is_read_and_written_as_env() -> None:
    scope = PageScope.from_params({"environment": "production", "t": "7d", "project": "shop", "page": "3"})

    assert scope.params() == {"project": "shop", "env": "production", "t": "7d"}
    assert scope.href("/", q="is:open", tab="") == "/?project=shop&env=production&t=7d&q=is%3Aopen"


def test_another_project_keeps_the_range_alone() -> None:
    scope = PageScope("shop", "production", "2.4.1", "7d")

    assert scope.in_project("api") == PageScope("api", range="7d")


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.sampled_from(sorted(RANGES_MS)))
def test_a_url_says_the_whole_scope(project: str, environment: str, release: str, time_range: str) -> None:
    scope = PageScope(project.strip(), environment.strip(), release.strip(), time_range)

    assert PageScope.from_params(scope.params()) == scope


@given(INSTANTS, st.integers(1, 366 * 24 * 60))
def test_a_range_of_ones_own_survives_the_url(from_ms: int, minutes: int) -> None:
    scope = PageScope.from_params({"t": custom_range(from_ms, from_ms + minutes * MINUTE_MS)})

    assert PageScope.from_params(scope.params()) == scope
    assert scope.is_custom
    window = scope.window(from_ms + 400 * DAY_MS)
    assert window.from_ms <= from_ms
    assert window.to_ms >= from_ms + minutes * MINUTE_MS


@pytest.mark.parametrize("time_range", sorted(RANGES_MS))
def test_a_range_ends_with_the_unit_that_is_running_and_is_as_long_as_it_says(time_range: str) -> None:
    window = PageScope(range=time_range).window(NOW)

    assert window.to_ms - window.from_ms == RANGES_MS[time_range]
    assert window.to_ms - window.unit_ms <= NOW < window.to_ms
    assert window.from_ms % window.unit_ms == window.to_ms % window.unit_ms == 0
    assert window.is_running
    assert window.unit_ms == (HOUR_MS if time_range == "30d" else MINUTE_MS)


def test_counts_of_minutes_know_no_release() -> None:
    window = PageScope(release="2.4.1", range="1h").window(NOW)

    assert window.unit_ms == HOUR_MS
    assert window.to_ms - window.from_ms == 2 * HOUR_MS, "the hour that is running, and the whole one before"


def test_a_range_from_before_counts_of_minutes_has_whole_hours_around_it() -> None:
    from_ms = NOW - MINUTES_KEPT_MS - HOUR_MS
    window = PageScope.from_params({"t": custom_range(from_ms, from_ms + 90 * MINUTE_MS)}).window(NOW)

    assert (window.from_ms % HOUR_MS, window.to_ms % HOUR_MS) == (0, 0)
    assert window.to_ms - window.from_ms >= 90 * MINUTE_MS
    assert not window.is_running


def test_the_window_before_touches_it() -> None:
    window = PageScope(range="7d").window(NOW)

    assert window.before.to_ms == window.from_ms
    assert window.before.to_ms - window.before.from_ms == 7 * DAY_MS
    assert not window.before.is_running


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2h", "must be one of 1h, 24h, 7d, 30d or FROM..TO"),
        ("2026-01-18..", "must be one of"),
        ("2026-13-01..2026-01-02", "must be one of"),
        ("2026-01-18T09:00", "must be one of"),
        ("2026-01-18..2026-01-17", "ends before it begins"),
        ("2024-01-18..2026-01-17", "spans more than 366 days"),
    ],
)
def test_a_range_that_is_none_is_refused_and_says_what_would_be_one(text: str, reason: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^t: ") as refused:
        PageScope.from_params({"t": text})

    assert reason in str(refused.value)
