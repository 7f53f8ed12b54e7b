"""bloop's reports about itself under load: /metrics compared with the ledger, and bloop's own errors."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import closing

import apsw
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bloop.base.outcomes import Outcome
from bloop.cli.checks import Verdict
from bloop.cli.checks_online import metrics_are_private
from tests.acceptance.harness import BloopServer, event, signed
from tests.stored import stored_events
from tests.waiting import until

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(server: BloopServer) -> Series:
    answer = server.request("GET", "/metrics")
    assert answer.status == 200, answer
    families = text_string_to_metric_families(answer.body.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def count_of(series: Series, name: str, **labels: str) -> float:
    return series.get((name, tuple(sorted(labels.items()))), 0.0)


def requests_of(series: Series, **labels: str) -> float:
    selected = set(labels.items())
    return sum(v for (name, own), v in series.items() if name == "bloop_http_requests_total" and selected <= set(own))


def test_metrics_agree_with_the_ledger_under_traffic(shared_server: BloopServer):
    server = shared_server

    def send(worker: int) -> None:
        for n in range(40):
            server.send(event(f"{worker}-{n}"))
        server.send(*(event(f"{worker}-b{n}") for n in range(10)), {"broken": True})
        server.request("POST", "/v1/ingest", b"{}", signed(b"{}", "wrong key"))
        server.request("POST", "/v1/ingest/", b"not json", signed(b"not json", server.secret))

    senders = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for sender in senders:
        sender.start()
    scrapes = [scrape(server) for _ in range(3)]  # while it works
    for sender in senders:
        sender.join()

    def settled() -> Series | None:
        series = scrape(server)
        answered = requests_of(series, server="ingest", method="POST")
        return (
            series
            if count_of(series, "bloop_events_total", outcome="stored", project="default") == 200 and answered == 4 * 43
            else None
        )

    series = until(settled, "everything to be stored and counted")
    names = {"default": 1, "(none)": 0}
    ledger = {(names[p], Outcome[o.upper()]): v for p, o, v in _events(series) if v}
    assert ledger == server.ledger()
    assert count_of(series, "bloop_events_total", outcome="invalid", project="default") == 8
    assert requests_of(series, server="ingest", route="/v1/ingest", code="200") == 160
    assert requests_of(series, server="ingest", route="/v1/ingest", code="401") == 4
    assert requests_of(series, server="ingest", route="/v1/ingest", code="400") == 4
    assert requests_of(series, server="ingest", route="/v1/ingest/batch", code="200") == 4
    assert requests_of(series, server="dashboard", route="/metrics", code="200") >= 3
    assert count_of(series, "bloop_accept_to_visible_seconds_count") == 200
    assert 0 < count_of(series, "bloop_accept_to_visible_seconds_sum") < 200 * 60
    assert count_of(series, "bloop_flush_duration_seconds_count") >= 1
    assert count_of(series, "bloop_ring_records") == count_of(series, "bloop_ring_oldest_seconds") == 0
    assert count_of(series, "bloop_ring_producers") == 3
    for process in ("dashboard", "writer", "alerts", "retention"):
        assert count_of(series, "bloop_process_up", process=process) == 1
    for before, after in zip(scrapes, [*scrapes[1:], series], strict=True):
        assert all(after[key] >= value for key, value in before.items() if key[0].endswith(("_total", "_bucket")))


def _events(series: Series) -> list[tuple[str, str, int]]:
    rows = [(dict(own), value) for (name, own), value in series.items() if name == "bloop_events_total"]
    return [(own["project"], own["outcome"], int(value)) for own, value in rows]


@pytest.mark.faults
def test_waiting_records_get_older_while_the_writer_is_stopped(shared_server: BloopServer):
    server = shared_server
    (writer,) = server.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    try:
        before = count_of(scrape(server), "bloop_events_total", outcome="stored", project="default")
        server.send(event("waiting"))
        until(lambda: count_of(scrape(server), "bloop_ring_oldest_seconds") > 0.3, "the age to grow")
        series = scrape(server)
        assert count_of(series, "bloop_ring_records") == 1
        assert count_of(series, "bloop_events_total", outcome="stored", project="default") == before
    finally:
        os.kill(writer, signal.SIGCONT)
    until(lambda: count_of(scrape(server), "bloop_ring_records") == 0, "it to be stored")


@pytest.mark.faults
def test_counts_outlive_the_workers_that_made_them(server: BloopServer):
    for n in range(20):
        server.send(event(str(n)))
    until(lambda: requests_of(scrape(server), server="ingest", method="POST") == 20, "the workers to report")

    for pid in server.pids("ingest-worker"):
        os.kill(pid, signal.SIGKILL)
    until(lambda: server.status("OPTIONS", "/v1/ingest/batch") == 204, "the next ones")

    batch = {"route": "/v1/ingest/batch", "code": "204"}
    until(lambda: requests_of(series := scrape(server), **batch) and series, "them to report")
    assert requests_of(scrape(server), server="ingest", code="200") == 20


def test_only_this_machine_reads_metrics_without_a_token(shared_server: BloopServer):
    server = shared_server

    def status(**headers: str) -> int:
        return server.request("GET", "/metrics", headers=headers).status

    assert status() == 200
    assert status(Host=f"localhost:{server.port}") == 200
    assert status(Host="errors.example.com") == 401
    assert status(**{"X-Forwarded-For": "127.0.0.1"}) == 401
    with closing(http.client.HTTPConnection("localhost")) as client:  # as a proxy that routes by path comes
        client.sock = socket.socket(socket.AF_UNIX)
        client.sock.connect(str(server.settings.dashboard_path))
        client.request("GET", "/metrics")
        assert client.getresponse().status == 401
    token = server.token(scopes="metrics:read")
    assert status(Host="errors.example.com", Authorization=f"Bearer {token}") == 200
    assert status(Authorization=f"Bearer {server.token()}") == 403
    (finding,) = metrics_are_private(f"http://127.0.0.1:{server.port}")
    assert finding.verdict is Verdict.WRONG, (
        "a proxy that says nothing of itself makes everybody look like this machine"
    )


# Own errors


def own_events(server: BloopServer) -> list[tuple[str, str | None, str | None]]:
    with server.reader() as db:
        events = [event for event in stored_events(db) if event.project_public_id == "bloop-itself"]
    return [(event.error_type, event.route, event.metadata) for event in events]


@pytest.fixture
def operator(server: BloopServer) -> Callable[[str], int]:
    """Ask for a page as the operator."""
    token = server.cli("login-link").stdout.strip().rpartition("=")[2]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = server.request("POST", "/auth/login", f"token={token}".encode(), form)
    assert answer.status == 303, answer
    cookie = answer.headers["set-cookie"].partition(";")[0]
    return lambda path: server.request("GET", path, headers={"Cookie": cookie}).status


@pytest.mark.faults
def test_an_error_in_a_page_is_an_issue_of_bloop_itself_and_a_dead_database_is_none(
    server: BloopServer, operator: Callable[[str], int]
):
    with closing(apsw.Connection(str(server.database_path))) as db:
        db.set_busy_timeout(5000)
        db.execute("ALTER TABLE passkeys RENAME TO not_there")

    assert operator("/settings/account?token=secret") == 500

    ((error_type, route, metadata),) = until(lambda: own_events(server), "the event of bloop's own")
    assert (error_type, route) == ("SQLError", "GET /settings/account")
    assert '"process":"dashboard"' in metadata
    assert "secret" not in repr(own_events(server))
    ledger = server.ledger()
    own = max(project for project, _ in ledger)
    assert (ledger[own, Outcome.RECEIVED], ledger[own, Outcome.STORED]) == (1, 1)
    assert operator("/settings/account") == 500
    with server.reader() as db:
        assert db.execute("SELECT slug, name FROM projects WHERE id = ?", (own,)).fetchall() == [
            ("bloop", "bloop itself")
        ]

    before = server.log.count("Traceback")
    server.database_path.rename(server.folder / "gone.db")
    for suffix in ("-wal", "-shm"):
        (server.folder / f"bloop.db{suffix}").unlink(missing_ok=True)
    server.database_path.write_bytes(b"no database at all" * 1000)
    for pid in server.pids("dashboard-worker"):  # the next one opens the new file
        os.kill(pid, signal.SIGKILL)
    until(lambda: server.status("GET", "/health") == 200, "the next dashboard")
    answers = [server.status("GET", "/v1/errors?limit=1") for _ in range(20)]
    server.request("GET", "/v1/errors", headers={"Authorization": "Bearer bloop_tk_x"})

    assert {status // 100 for status in answers} <= {4, 5}
    assert server.log.count("Traceback") - before <= 30, "an error led to others"
    assert server.log.count("not recorded") <= 1
