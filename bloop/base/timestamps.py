"""One rule for Unix times of unknown unit: SDKs and documents disagree about seconds and milliseconds."""

from __future__ import annotations


def to_ms(value: int) -> int:
    """`value` in milliseconds; its size shows its unit.

    The ranges do not overlap in practice: as seconds, 1e11 is the year 5138; as milliseconds it is March 1973.
    """
    size = abs(value)
    if size < 100_000_000_000:
        return value * 1000
    if size < 100_000_000_000_000:
        return value
    if size < 100_000_000_000_000_000:
        return value // 1000
    return value // 1_000_000
