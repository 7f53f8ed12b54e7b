"""One client address has one rate limit for events, however it spells the path."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.harness import BloopServer, event, signed

BURST = 5


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BloopServer]:
    """One ingest worker that takes BURST events at once and then one in a thousand seconds."""
    limits = {"BLOOP__RATE_LIMIT__PER_SECOND": "0.001", "BLOOP__RATE_LIMIT__BURST_SIZE": str(BURST)}
    folder = tmp_path_factory.mktemp("strict")
    server = BloopServer(folder, quiet=True, **limits, BLOOP__SERVER__WORKERS="1")
    try:
        yield server.start()
    finally:
        server.remove_traces()


SPELLINGS = ["/v1/%69ngest", "/v1%2Fingest", "//v1/%69ngest/", "/v1/ingest%0a", "/v1/ingest%0A?x=1"]


@pytest.mark.parametrize("number", range(len(SPELLINGS)), ids=SPELLINGS)
def test_other_spelling_of_the_path_is_no_second_bucket(strict: BloopServer, number: int):
    raw = json.dumps(event()).encode()

    def send(path: str) -> int:
        source = (f"127.0.9.{number + 1}", 0)  # every case has an address of its own, and so its own buckets
        with closing(http.client.HTTPConnection("127.0.0.1", strict.port, timeout=10, source_address=source)) as client:
            client.request("POST", path, raw, signed(raw, strict.secret))
            return client.getresponse().status

    while send("/v1/ingest") != 429:
        pass

    assert {send(SPELLINGS[number]) for _ in range(BURST)} <= {404, 429}
