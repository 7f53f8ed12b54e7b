"""Text that compressing does not make shorter, for tests that fill lanes, spills and disks."""

from __future__ import annotations

import base64
import random


def noise(chars: int, seed: int = 1) -> str:
    """The same every time; without quotes and backslashes."""
    return base64.b85encode(random.Random(seed).randbytes(chars)).decode()[:chars].translate({34: "q", 92: "b"})
