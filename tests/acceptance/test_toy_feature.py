"""A kind of record, a dialect and a feature of the test's own, in a real bloop (tests/toy): what the spine promises
holds for them too, and nothing of it had to be changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.base.clock import now_ms
from bloop.base.outcomes import Category, Outcome
from bloop.db import connection
from bloop.projects.write_keys.store import WriteKeyKind, create_write_key
from bloop.retention.prune import delete_old
from tests.acceptance.harness import Answer, BloopServer
from tests.toy import pings
from tests.waiting import until

ROOT = Path(__file__).parents[2]
BATCHES, JOBS, KILLS = 120, 10, 6
PROJECT = 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BloopServer]:
    made = BloopServer(tmp_path, quiet=True)
    made.command = [sys.executable, "-m", "tests.toy.serve", "--quiet"]
    made.env["PYTHONPATH"] = str(ROOT)
    try:
        yield made.start()
    finally:
        made.remove_traces()


def make_key(server: BloopServer, project_id: int = PROJECT) -> str:
    with contextlib.closing(connection.open_control(server.database_path)) as db, connection.immediate(db):
        _, key = create_write_key(db, project_id, WriteKeyKind.CAPTURE, now_ms=now_ms())
    server.stop()  # keys are loaded at start, or when the generation says so
    server.start()
    return key


def ping(server: BloopServer, key: str, *jobs: object) -> Answer:
    headers = {"X-Ping-Key": key, "Content-Type": "application/json"}
    return server.request("POST", pings.PATH, json.dumps(jobs).encode(), headers)


def rows(server: BloopServer, statement: str, *bindings: object) -> list[tuple[object, ...]]:
    with server.reader() as db:
        return list(db.execute(statement, bindings))


def ledger(server: BloopServer) -> dict[int, int]:
    lines = rows(
        server,
        "SELECT outcome, count FROM ledger_totals WHERE project_id = ? AND category = ?",
        PROJECT,
        Category.SESSION,
    )
    return dict(lines)  # type: ignore[arg-type]


@pytest.mark.faults
def test_a_toy_kind_survives_killed_writers_and_balances_in_the_ledger(server: BloopServer):
    key, accepted = make_key(server), []
    for batch in range(BATCHES):
        jobs = [f"job-{batch}-{n}" for n in range(JOBS)]
        assert ping(server, key, *jobs).json == {"accepted": JOBS}
        accepted += jobs
        if batch % (BATCHES // KILLS) == BATCHES // KILLS - 1:
            (writer,) = server.pids("writer")
            os.kill(writer, signal.SIGKILL)
            until(lambda killed=writer: server.pids("writer") not in ([], [killed]), "another writer")

    until(lambda: len(rows(server, "SELECT 1 FROM pings")) >= len(accepted), "every ping to be stored")
    until(lambda: ledger(server).get(Outcome.RECEIVED, 0) >= len(accepted), "the lanes' counts to be in the ledger")

    assert Counter(job for (job,) in rows(server, "SELECT job FROM pings")) == Counter(accepted)
    assert rows(server, "SELECT sum(pings) FROM ping_minutes") == [(len(accepted),)]
    assert ledger(server) == {Outcome.RECEIVED: len(accepted), Outcome.STORED: len(accepted)}
    page = server.request("GET", "/toy").body.decode()
    assert sum(int(count) for count in re.findall(r": (\d+)</li>", page)) == len(accepted)


def test_a_toy_dialect_refuses_as_every_dialect_does(server: BloopServer):
    key = make_key(server)

    assert ping(server, "bloop_ck_nobody", "job").status == 401
    assert ping(server, key, "good", 7).json == {"accepted": 1}
    until(lambda: ledger(server).get(Outcome.STORED) == 1, "the good one to be stored")
    until(lambda: ledger(server).get(Outcome.RECEIVED) == 2, "both to be counted")

    assert ledger(server) == {Outcome.RECEIVED: 2, Outcome.STORED: 1, Outcome.INVALID: 1}


def test_retention_and_purge_know_a_toy_feature_by_its_tables(server: BloopServer):
    server.cli("project", "create", "Shop")
    ((shop,),) = rows(server, "SELECT id FROM projects WHERE slug = 'shop'")
    key, table = make_key(server, int(str(shop))), pings.TABLES[0]
    ping(server, key, "old", "new")
    until(lambda: len(rows(server, "SELECT 1 FROM pings")) == 2, "both to be stored")
    with contextlib.closing(connection.open_control(server.database_path)) as db:
        db.execute("UPDATE pings SET received_at_ms = 1 WHERE job = 'old'")

        assert delete_old(db, table, before_ms=2, rows_max=10) == 1

    assert rows(server, "SELECT job FROM pings") == [("new",)]
    cookie = {"Cookie": f"bloop_session={server.session()}", "Origin": server.settings.auth.rp_origin}
    assert server.request("DELETE", "/v1/projects/shop", headers=cookie).status == 200
    until(lambda: rows(server, "SELECT job FROM pings") == [], "the purge")
    assert rows(server, "SELECT * FROM ping_minutes") == []
