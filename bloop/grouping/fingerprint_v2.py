"""Fingerprint v2: which issue an event belongs to, by the place and the words of an error.

The formula is v1's; its parts are other ones: the message without ids, numbers and literals (generalize.py), the route
without ids and query, and the application's own call as the parser of stacks reads it (place.py). Of a stack in a form
the parser does not know, the first line that is no header stands, generalized like a message.

FINGERPRINT2-1  The same inputs give the same sixteen hex digits on every machine; tests/vectors/grouping.json holds
    values that other implementations must reach too.
FINGERPRINT2-2  An absent route or stack counts like an empty one.
"""

from __future__ import annotations

from functools import lru_cache

import xxhash

from bloop.grouping.generalize import generalize_message, generalize_route
from bloop.grouping.normalize import top_frame
from bloop.grouping.place import place_of
from bloop.grouping.stacks.parse import parse

ALGORITHM = "v2"
CACHED_STACKS_MAX = 512
CACHED_STACK_CHARS_MAX = 8192


def compute(source: str, error_type: str, route: str | None, message: str, stack: str | None) -> str:
    """XXH3 (64 bit, seed 0) over source, type, route, message and place, joined by colons."""
    return xxhash.xxh3_64_hexdigest(hashed_text(source, error_type, route, message, stack).encode("utf-8", "replace"))


def hashed_text(source: str, error_type: str, route: str | None, message: str, stack: str | None) -> str:
    """What is hashed, for the page that says why an event is here."""
    place = _place(stack) or generalize_message(top_frame(stack, error_type)) if stack else ""
    return ":".join((source, error_type, generalize_route(route or ""), generalize_message(message), place))


def _place(stack: str) -> str:
    return _cached_place(stack) if len(stack) <= CACHED_STACK_CHARS_MAX else place_of(parse(stack))


@lru_cache(CACHED_STACKS_MAX)
def _cached_place(stack: str) -> str:
    return place_of(parse(stack))
