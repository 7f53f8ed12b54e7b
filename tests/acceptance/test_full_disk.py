"""A disk that fills up under a real bloop: it stops in time, reports it, frees space, recovers and loses nothing.

On a file system of a few dozen megabytes where this user may mount one. Where not, a limit on the size of the writer's
files takes its place: storing then ends with an error of SQLite's instead of in good time, and everything else holds.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bloop.base.clock import DAY_MS, now_ms
from bloop.base.outcomes import REFUSALS, Outcome
from bloop.db import connection
from bloop.issues.events import store as events
from bloop.retention import store as retention
from bloop.retention.disk import free_bytes
from tests.acceptance.harness import BloopServer, event
from tests.noise import noise
from tests.seed import Seed
from tests.stored import request_ids
from tests.waiting import until

MIB = 1024 * 1024
DISK_BYTES = 40 * MIB
FREE_BYTES_MIN = 10 * MIB
OLD_EVENTS = 2000
BATCHES_MAX = 300
STACK = noise(8100)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, if that is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "bloop-test", str(folder)]
    with contextlib.suppress(OSError):
        subprocess.run(mount, capture_output=True, check=False)
    yield folder
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def server(small_disk: Path, tmp_path: Path) -> Iterator[BloopServer]:
    """With 18 MB of events of last month, which are to be kept for now."""
    path = small_disk / "bloop.db"
    fill(tmp_path / "filled.db")  # elsewhere: its log would not fit beside it
    shutil.move(tmp_path / "filled.db", path)
    server = BloopServer(
        tmp_path / "server",
        BLOOP__DATABASE__PATH=str(path),
        BLOOP__DATABASE__DISK_FREE_BYTES_MIN=str(FREE_BYTES_MIN),
        BLOOP__INGEST__MAX_STACK_BYTES="9000",
    )
    server.database_path = path
    yield server
    server.remove_traces()


def fill(path: Path) -> None:
    with closing(Seed(path)) as seed:
        issue = seed.issue(seed.project("old"), "f00d", event_count=OLD_EVENTS)
        at_ms = now_ms() - 30 * DAY_MS
        with connection.immediate(seed.db):
            for _ in range(OLD_EVENTS):
                seed.event(issue, received_at_ms=at_ms, timestamp_ms=at_ms, stack=STACK)
            events.mark_settled(seed.db)
            retention.save_policy(seed.db, raw_events_days=365)


class Sender:
    """Batches of large events, until `is_enough`."""

    def __init__(self, server: BloopServer) -> None:
        self._server = server
        self.sent: set[str] = set()
        self.accepted = 0

    def send(self, is_enough: Callable[[], bool], batches_max: int = BATCHES_MAX) -> bool:
        for number in range(batches_max):
            if is_enough():
                return True
            ids = [f"{len(self.sent)}-{number}-{n}" for n in range(50)]
            answer = self._server.send(*(event(request_id, stack=STACK) for request_id in ids))
            assert answer.status == 200
            self.sent.update(ids)
            self.accepted += answer.json["accepted"]
        return is_enough()


def stored_ids(server: BloopServer) -> list[str]:
    return [request_id for request_id in server.stored_ids() if request_id]


def balances(server: BloopServer, sent: int) -> bool:
    ledger = server.ledger()
    (project,) = {project for project, outcome in ledger if outcome == Outcome.RECEIVED}
    settled = sum(ledger.get((project, outcome), 0) for outcome in (Outcome.STORED, *REFUSALS))
    return ledger[project, Outcome.RECEIVED] == settled == sent


def test_storing_stops_before_the_disk_is_full_reports_it_and_recovers(server: BloopServer, small_disk: Path) -> None:
    server.start()
    is_small = os.path.ismount(small_disk)
    (writer,) = server.pids("writer")
    if not is_small:
        limit = server.database_path.stat().st_size + 8 * MIB
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    sender = Sender(server)

    assert sender.send(lambda: server.status("GET", "/ready") == 503)
    health = server.request("GET", "/health").json
    stored = len(stored_ids(server))
    sender.send(lambda: False, batches_max=4)  # into the buffer, or refused and counted
    assert len(stored_ids(server)) <= stored + 2000  # being stored at that moment
    assert server.request("GET", "/auth/login").status == 200
    left = free_bytes(server.database_path)

    assert health["status"] == "degraded"
    if is_small:
        assert "disk_full" in health["reasons"]
        assert left is not None
        assert left > FREE_BYTES_MIN // 4  # in good time: there is room for deleting

    server.cli("retention", "set", "--events", "7")
    server.cli("retention", "purge", "--yes")

    until(lambda: server.status("GET", "/ready") == 200, "storing to continue by itself", 30)
    until(lambda: len(stored_ids(server)) == sender.accepted, "the rest", 30)
    assert set(stored_ids(server)) <= sender.sent
    assert len(set(stored_ids(server))) == sender.accepted
    until(lambda: balances(server, len(sender.sent)), "the ledger to balance")
    assert server.pids("writer") == [writer]
    with server.reader() as db:
        assert db.execute("PRAGMA integrity_check").get == "ok"
        assert request_ids(db).count(None) == 5
    assert server.stop() == 0
    assert "Traceback" not in server.log
