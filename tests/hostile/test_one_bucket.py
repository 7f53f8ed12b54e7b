"""One client address has one rate limit for events, however it spells the path."""

from __future__ import annotations

import json
from collections.abc import Iterator

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


@pytest.mark.parametrize(
    "path", ["/v1/%69ngest", "/v1%2Fingest", "//v1/%69ngest/", "/v1/ingest%0a", "/v1/ingest%0A?x=1"]
)
def test_other_spelling_of_the_path_is_no_second_bucket(strict: BloopServer, path: str):
    raw = json.dumps(event()).encode()
    headers = signed(raw, strict.secret)
    while strict.request("POST", "/v1/ingest", raw, headers).status != 429:
        pass

    statuses = {strict.request("POST", path, raw, headers).status for _ in range(BURST)}

    assert statuses <= {404, 429}
