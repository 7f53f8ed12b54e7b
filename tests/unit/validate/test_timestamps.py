from __future__ import annotations

import pytest

from bloop.validate.timestamps import to_ms

AT_MS = 1_700_000_000_123


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (AT_MS // 1000, AT_MS // 1000 * 1000),
        (AT_MS, AT_MS),
        (AT_MS * 1000 + 999, AT_MS),
        (AT_MS * 1_000_000 + 999_999, AT_MS),
        (0, 0),
        (-5, -5000),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
        (99_999_999_999_999, 99_999_999_999_999),
        (100_000_000_000_000, 100_000_000_000),
        (99_999_999_999_999_999, 99_999_999_999_999),
        (100_000_000_000_000_000, 100_000_000_000),
        (2**63 - 1, 9_223_372_036_854),
        (-(2**63), -9_223_372_036_855),
    ],
)
def test_unit_is_told_by_size(value, ms):
    assert to_ms(value) == ms
