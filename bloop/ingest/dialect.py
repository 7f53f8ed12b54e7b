"""A dialect: its routes, its credential strategy, a pure parser, and the answer.

Everything else (rate limit, order of checks, counting, pushing, notes about refusals, CORS, metrics) is the same for
all and lies in `admit.py` and `app.py`. `dialects/native.py` is the example; `registry.py` is the list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bloop.base.meters import Route
from bloop.ingest.credentials import CredentialStrategy
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.limits import Limits
from bloop.ingest.parsed import Accept, Parsed, Reject

Parser = Callable[[bytes, Limits, int, Mapping[str, str]], Parsed]  # body, bounds, received_at_ms, from the path
Answer = Callable[[Sequence[Accept | Reject], int], bytes]  # what was parsed, how many of it found no room → JSON


class Endpoint(NamedTuple):
    """One route of a dialect."""

    route: Route
    category: int  # what a request counts as that is refused before its records are known
    bytes_max: Callable[[Limits], int]  # of the body
    parse: Parser
    answer: Answer


class Dialect(NamedTuple):
    """A way of sending."""

    name: str
    credential: Callable[[ProjectKeys], CredentialStrategy]
    endpoints: tuple[Endpoint, ...]
