"""Small things every query file uses."""

from __future__ import annotations

from collections.abc import Sequence

import orjson


def ids_json(ids: Sequence[int]) -> str:
    """A list of row ids as one binding, read back with json_each: the statement stays constant."""
    return orjson.dumps(list(ids)).decode()
