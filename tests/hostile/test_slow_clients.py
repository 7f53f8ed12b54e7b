"""Slow clients cost connections, never threads: health, pages and ingest answer as if they were not there."""

from __future__ import annotations

import pytest

from tests.acceptance.harness import BloopServer
from tests.hostile.ordinary import long_answer, ordinary_requests
from tests.hostile.slow_clients import WORSE_MAX, Kind, connector, plan_of, times_slower


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.HALF_HEADS])
def test_fifty_slow_clients_delay_nobody(server: BloopServer, kind: Kind):
    plan = plan_of(kind, long_answer(server))

    assert times_slower(ordinary_requests(server), plan, 50, connector(server.port)) <= WORSE_MAX


def test_a_thousand_half_heads_delay_nobody(server: BloopServer, many_descriptors: None):
    plan = plan_of(Kind.HALF_HEADS, "")

    assert times_slower(ordinary_requests(server), plan, 1000, connector(server.port)) <= WORSE_MAX
