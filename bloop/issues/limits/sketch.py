"""How many distinct users there are, estimated in 4 KiB: a HyperLogLog of 64-bit user keys. Pure.

SKETCH-1  A sketch depends on the set of keys alone: neither their order nor how often they come changes it, and merging
    the sketches of parts gives the sketch of the whole.
SKETCH-2  The standard error of an estimate is 1.04 / √4096 = 1.6 %, at every size.

The first 12 bits of a key choose a register, which keeps the largest number of leading zeros, plus one, that the other
52 bits had. User keys are XXH3-128 cut in half (records/event_record.py), so they need no hashing. The estimate is
Otmar Ertl's ("New cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6): it needs no tables
against bias, where the original has to switch between formulas just above 10,000.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

INDEX_BITS = 12
REGISTERS = 1 << INDEX_BITS
_RANK_BITS = 64 - INDEX_BITS
_RANK_MASK = (1 << _RANK_BITS) - 1
_KEY_MASK = (1 << 64) - 1
_ALPHA = 1 / (2 * math.log(2))


class Sketch:
    """The registers, a byte each."""

    def __init__(self, registers: bytes = bytes(REGISTERS)) -> None:
        assert len(registers) == REGISTERS
        self._registers = bytearray(registers)

    def add(self, keys: Iterable[int]) -> bool:
        """Add signed 64-bit keys; whether any of them changed the sketch."""
        registers, has_changed = self._registers, False
        for key in keys:
            key &= _KEY_MASK
            index, rank = key >> _RANK_BITS, _RANK_BITS + 1 - (key & _RANK_MASK).bit_length()
            if rank > registers[index]:
                registers[index], has_changed = rank, True
        return has_changed

    def merge(self, other: Sketch) -> None:
        """Become the sketch of both sets."""
        self._registers = bytearray(map(max, self._registers, other._registers))

    def estimate(self) -> int:
        """The number of distinct keys, rounded."""
        counts = [self._registers.count(rank) for rank in range(_RANK_BITS + 2)]
        total = REGISTERS * _tau(1 - counts[-1] / REGISTERS)
        for count in reversed(counts[1:-1]):
            total = (total + count) / 2
        total += REGISTERS * _sigma(counts[0] / REGISTERS)
        return round(_ALPHA * REGISTERS * REGISTERS / total)

    def __bytes__(self) -> bytes:
        return bytes(self._registers)


def _sigma(x: float) -> float:
    """x + Σ x^(2^k) · 2^(k-1): the part of registers that are still empty."""
    if x == 1:
        return math.inf
    total, previous, factor = x, -1.0, 1.0
    while total != previous:
        x *= x
        previous = total
        total += x * factor
        factor += factor
    return total


def _tau(x: float) -> float:
    """⅓ (1 - x - Σ (1 - x^(2^-k))² · 2^-k): the part of registers that cannot grow."""
    if x in (0, 1):
        return 0
    total, previous, factor = 1 - x, -1.0, 1.0
    while total != previous:
        x = math.sqrt(x)
        previous = total
        factor /= 2
        total -= (1 - x) ** 2 * factor
    return total / 3
