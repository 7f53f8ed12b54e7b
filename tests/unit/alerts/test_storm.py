"""STORM-1 and STORM-2."""

from __future__ import annotations

import pytest

from bloop.alerts.firing.storm import ALONE_MAX, STORM_MS, hold_until

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("told", "held_until_ms", "expected"),
    [
        ([], None, None),
        ([(NOW, False)] * (ALONE_MAX - 1), None, None),
        ([(NOW - 5, False)] * ALONE_MAX, None, NOW - 5 + STORM_MS),
        ([(NOW - STORM_MS, False)] * ALONE_MAX, None, None),
        ([(NOW, False)] * (ALONE_MAX - 1) + [(NOW - STORM_MS, False)], None, None),
        ([(NOW + 1, False)] * ALONE_MAX, None, None),
        ([(NOW - 9, True)], None, NOW - 9 + STORM_MS),
        ([(NOW - STORM_MS, True)], None, None),
        ([], NOW + 7, NOW + 7),
        ([], NOW - 7, NOW - 7),
        ([], NOW + STORM_MS + 1, None),
    ],
)
def test_what_comes_after_the_first_few_is_held_until_its_minute_is_over(
    told: list[tuple[int, bool]], held_until_ms: int | None, expected: int | None
) -> None:
    assert hold_until(told, held_until_ms, NOW) == expected
