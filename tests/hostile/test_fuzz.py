"""A short run of the fuzzer: `python -m tests.hostile.fuzz --requests 150000` is the long one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import BloopServer
from tests.hostile.fuzz import fuzz, make_server
from tests.hostile.raw import Keys, RawRequests

pytestmark = pytest.mark.xdist_group("processes")  # it starts a bloop: not beside the acceptance tests


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BloopServer]:
    made = make_server(tmp_path)
    yield made.start()
    made.remove_traces()


def test_nothing_that_nobody_should_send_breaks_bloop(server: BloopServer):
    report = fuzz(server, 2000, seed=1)

    assert report.sent == 2000
    assert report.findings == {}, "\n".join(report.lines())
    assert {200, 400, 401, 404, 413} <= report.statuses.keys(), "requests get as far as each of these"


def test_a_seed_gives_the_same_requests():
    keys = Keys("s", "k", "t", "c", "planted", "http://localhost")
    first, second, other = RawRequests(1, keys), RawRequests(1, keys), RawRequests(2, keys)

    made = [first.make() for _ in range(200)]

    assert made == [second.make() for _ in range(200)]
    assert made != [other.make() for _ in range(200)]
    assert sum(b"planted" in request.wire for request in made) > 50
