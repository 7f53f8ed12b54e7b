"""A project's key is public. Whoever has it sends names that never repeat, and the disk must not be theirs.

Ten seconds of batches through HTTP, each event with a fingerprint, release, route, environment, source and user drawn
from 30,000. Before there were limits each of them made rows for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bloop.base.limits import OVERFLOW_NAME
from tests.acceptance.harness import BloopServer, event
from tests.hostile.cardinality import attack, counts
from tests.waiting import until

MIB = 1024 * 1024


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., BloopServer]]:
    servers: list[BloopServer] = []

    def make(**limits: int) -> BloopServer:
        variables = {f"BLOOP__LIMITS__{name.upper()}": str(value) for name, value in limits.items()}
        servers.append(BloopServer(tmp_path / "a", quiet=True, BLOOP__INGEST__SPILL_BYTES_MAX="0", **variables))
        return servers[-1].start()

    yield make
    for server in servers:
        server.remove_traces()


def ledger(server: BloopServer, token: str) -> Any:
    return json.loads(server.request("GET", "/v1/ledger", headers={"Authorization": f"Bearer {token}"}).body)


def size_bytes(server: BloopServer) -> int:
    """Of the database file after a clean stop, which empties the log into it."""
    assert server.stop() == 0
    return server.database_path.stat().st_size


def test_names_that_never_repeat_make_no_more_rows_than_the_limits(make_server: Callable[..., BloopServer]) -> None:
    limits = {
        "new_issues_per_hour": 500,
        "releases": 1000,
        "routes": 1000,
        "environments": 50,
        "sources": 50,
        "combinations": 300,
    }
    server = make_server(**limits)
    empty_bytes = server.database_path.stat().st_size

    answers = attack(server)

    assert answers["accepted"] > 5000, "an attack that is no attack shows nothing"
    (issues,) = counts(server, "SELECT count(*) FROM issues")
    hours = counts(server, "SELECT issue_count FROM new_issue_counts")
    assert max(hours) <= 500
    assert issues <= sum(hours) + 1
    for column, table, limit in (
        ("release", "releases", "releases"),
        ("environment", "releases", "environments"),
        ("route", "route_counts", "routes"),
        ("source", "project_hourly_counts", "sources"),
        ("release", "aggregates", "releases"),
        ("environment", "minute_counts", "environments"),
    ):
        names = set(counts(server, f"SELECT DISTINCT {column} FROM {table}"))
        assert OVERFLOW_NAME in names
        assert len(names) <= limits[limit] + 1
    (combinations,) = counts(server, "SELECT count(*) FROM aggregates")
    assert combinations <= 300 + issues

    booked = ledger(server, server.token())
    assert set(booked["overflowed"]) == set(limits)
    assert booked["overflowed"]["new_issues_per_hour"] > answers["accepted"] * 0.8
    assert booked["in_flight"] == 0
    assert json.loads(server.request("GET", "/health").body)["reasons"] == ["limit_met"]

    (record_bytes,) = counts(server, "SELECT sum(byte_count) FROM day_bytes")
    grown = size_bytes(server) - empty_bytes
    per_event = (grown - record_bytes) / answers["accepted"]
    assert per_event < 600, "what is not its record is shared with others: 2,000 bytes an event without limits"
    print(
        f"\n{answers['accepted']} events, {record_bytes / MIB:.1f} MiB of records: the database grew by"
        f" {grown / MIB:.1f} MiB, {per_event:.0f} B an event beside its record"
    )


def test_bytes_of_a_day_are_refused_where_they_come_in(make_server: Callable[..., BloopServer]) -> None:
    limit = 2 * MIB
    server = make_server(bytes_per_day=limit)

    answers = attack(server)

    (stored_bytes,) = counts(server, "SELECT max(byte_count) FROM day_bytes")
    buffer_bytes = server.settings.lane_bytes * server.settings.lane_count
    assert limit <= stored_bytes <= limit + buffer_bytes, "what was in the buffer when the limit was met, and no more"
    assert answers["accepted"] < answers["sent"]
    token = server.token()
    refused = answers["sent"] - answers["accepted"]

    def is_booked() -> bool:
        totals = ledger(server, token)["totals"]
        return bool(totals["over_limit"] and totals["over_limit"] + totals["ring_full"] == refused)

    until(is_booked, "every refusal in the ledger")
    assert ledger(server, token)["in_flight"] == 0
    assert server.send(event("one more")).json == {"status": "dropped"}
