"""Fingerprint v1: which issue an event belongs to. Released, so it is never edited; the next one is `v2.py`.

F1  The same inputs give the same sixteen hex digits on every machine and in every release of bloop;
    tests/vectors/fingerprints.json holds values other implementations must reach too.
F2  An absent route or stack counts like an empty one.
"""

from __future__ import annotations

import xxhash

from bloop.grouping.normalize import normalize_message, top_frame
from bloop.records.event import Event

ALGORITHM = "v1"


def compute(source: str, error_type: str, route: str | None, message: str, stack: str | None) -> str:
    """XXH3 (64 bit, seed 0) over source, type, route, normalised message and top frame, joined by colons."""
    key = f"{source}:{error_type}:{route or ''}:{normalize_message(message)}:{top_frame(stack, error_type)}"
    return xxhash.xxh3_64_hexdigest(key.encode())


def culprit(event: Event) -> str | None:
    """The frame people are shown as the place it happened: the one the fingerprint saw, whoever chose it."""
    return top_frame(event.stack, event.error_type) or None
