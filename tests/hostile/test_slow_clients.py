"""Slow clients cost connections, never threads: health, pages and ingest answer as if they were not there."""

from __future__ import annotations

import pytest

from tests.acceptance.harness import BloopServer
from tests.hostile.latency import measure, worst_ratio
from tests.hostile.ordinary import SETTLE_S, long_answer, ordinary_requests
from tests.hostile.slow_clients import Kind, attacking, connector, plan_of
from tests.waiting import fastest

SECONDS = 2.0
WORSE_MAX = 2.0


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.HALF_HEADS])
def test_fifty_slow_clients_delay_nobody(server: BloopServer, kind: Kind):
    assert times_slower(server, kind, 50) <= WORSE_MAX


def test_a_thousand_half_heads_delay_nobody(server: BloopServer):
    assert times_slower(server, Kind.HALF_HEADS, 1000) <= WORSE_MAX


def times_slower(server: BloopServer, kind: Kind, count: int) -> float:
    """The worst 99th percentile under attack, in terms of the one just before."""
    requests, plan = ordinary_requests(server), plan_of(kind, long_answer(server))
    measure(requests, 0.5)

    def attempt() -> float:
        before = measure(requests, SECONDS)
        with attacking(plan, count, connector(server.port)):
            measure(requests, SETTLE_S)
            return worst_ratio(before, measure(requests, SECONDS))

    return fastest(attempt, within_s=WORSE_MAX)
