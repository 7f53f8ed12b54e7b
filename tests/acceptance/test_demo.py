"""`bloop demo`: what it stores is booked when it happened, so ledger, counts and pages agree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS, now_ms
from bloop.base.outcomes import Outcome
from tests.acceptance.harness import BloopServer
from tests.waiting import until

EVENTS = 600
DEMO = ("demo", "--events", str(EVENTS), "--issues", "30", "--json")
KEEP = {"BLOOP__RETENTION__RAW_EVENTS_DAYS": "60"}  # the first cleaning must not find the oldest of them
Ledger = Counter[tuple[int, int]]  # project id, minute in ms


def booked(server: BloopServer, outcome: Outcome) -> Ledger:
    with server.reader() as db:
        query = "SELECT project_id, minute_ms, count FROM ledger WHERE outcome = ? AND category = 0"
        return Counter({(project, minute): n for project, minute, n in db.execute(query, (outcome,))})


def happened(server: BloopServer) -> Ledger:
    """The stored events themselves."""
    with server.reader() as db:
        query = (
            "SELECT f.project_id, e.received_at_ms / 60000 * 60000, count(*)"
            " FROM events AS e JOIN fingerprints AS f ON f.id = e.fingerprint_id GROUP BY 1, 2"
        )
        return Counter({(project, minute): n for project, minute, n in db.execute(query)})


def counted(server: BloopServer, query: str) -> Ledger:
    with server.reader() as db:
        return Counter({(project, start): n for project, start, n in db.execute(query)})


def by_hour(minutes: Ledger) -> Ledger:
    hours: Ledger = Counter()
    for (project, minute), n in minutes.items():
        hours[project, minute // HOUR_MS * HOUR_MS] += n
    return hours


@pytest.fixture(params=["beside a running bloop", "alone"])
def server(request: pytest.FixtureRequest, make_server: Callable[..., BloopServer]) -> BloopServer:
    server = make_server(**KEEP).start()
    if request.param == "alone":
        server.stop()
    return server


def test_every_event_is_booked_in_the_minute_in_which_it_happened(server: BloopServer):
    assert json.loads(server.cli(*DEMO).stdout)["events"] == EVENTS

    events = happened(server)
    assert events.total() == EVENTS
    assert booked(server, Outcome.RECEIVED) == booked(server, Outcome.STORED) == events
    assert {outcome for _, outcome in server.ledger()} == {Outcome.RECEIVED, Outcome.STORED}
    hours = "SELECT project_id, hour_ms, sum(event_count) FROM project_hourly_counts GROUP BY 1, 2"
    until(lambda: counted(server, hours) == by_hour(events), "the hours")
    minutes = "SELECT project_id, minute_ms, sum(event_count) FROM minute_counts GROUP BY 1, 2"
    assert counted(server, minutes) == events


def test_status_ledger_and_numbers_agree_with_the_events(make_server: Callable[..., BloopServer]):
    server = make_server(**KEEP).start()
    for _ in range(2):
        server.cli(*DEMO)

    cookie = {"Cookie": f"bloop_session={server.session()}"}
    before_ms = now_ms()
    records = json.loads(server.cli("status", "--json").stdout)["records"]
    buckets = server.request("GET", "/v1/ledger?hours=24", headers=cookie).json["buckets"]
    stats = server.request("GET", "/v1/stats", headers=cookie).json
    events = happened(server)

    assert events.total() == 2 * EVENTS
    lengths = {"minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS}
    for name, length_ms in lengths.items():
        # The clock may reach the next minute between two of these commands.
        within = {
            sum(n for (_, minute), n in events.items() if minute >= (at_ms - length_ms) // MINUTE_MS * MINUTE_MS)
            for at_ms in (before_ms, before_ms + MINUTE_MS)
        }
        assert records[name].get("received", 0) == records[name].get("stored", 0)
        assert records[name].get("stored", 0) in within, name
        if name == "day":
            assert stats["total_events_24h"] in within
    assert [bucket.get("received") for bucket in buckets] == [bucket.get("stored") for bucket in buckets]
    project_hours = by_hour(events)
    for bucket in buckets:
        assert bucket["stored"] == sum(n for (_, hour), n in project_hours.items() if hour == bucket["start"])
