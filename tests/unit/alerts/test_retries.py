"""The table in bloop/alerts/deliveries/retries.py."""

from __future__ import annotations

import pytest

from bloop.alerts.deliveries.retries import TRIES_MAX, wait_ms


def test_ten_tries_are_spread_over_two_and_a_half_hours() -> None:
    waits = [wait_ms(tries, None, 0.0) for tries in range(1, TRIES_MAX)]

    assert [round(wait / 1000) for wait in waits if wait] == [5, 12, 31, 78, 195, 488, 1221, 3052, 3600]
    assert wait_ms(TRIES_MAX, None, 0.0) is None
    assert wait_ms(TRIES_MAX + 5, 60.0, 0.0) is None


def test_jitter_shortens_by_a_quarter_at_most() -> None:
    assert wait_ms(1, None, 1.0) == 3750
    assert wait_ms(9, None, 1.0) == 2_700_000


@pytest.mark.parametrize(
    ("retry_after_s", "expected"), [(0.0, 5000), (1.0, 5000), (60.0, 60_000), (3600.0, 3_600_000), (1e9, 3_600_000)]
)
def test_a_receiver_that_asks_for_more_time_gets_it_up_to_an_hour(retry_after_s: float, expected: int) -> None:
    assert wait_ms(1, retry_after_s, 0.0) == expected
