"""Backups of a bloop under load, and the data that a restore brings back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

from bloop.backup import folder as folders
from bloop.backup.verify import verify
from bloop.base.outcomes import Outcome
from tests.acceptance.harness import BloopServer, event
from tests.acceptance.load import Client
from tests.stored import request_ids
from tests.waiting import lives_on, until

Make = Callable[..., BloopServer]
PATH = "/v1/admin/backups"
WITHIN_S = 30.0


def operator(server: BloopServer) -> dict[str, str]:
    """The headers of a session of the operator."""
    return {"Cookie": f"bloop_session={server.session()}", "Sec-Fetch-Site": "same-origin"}


def request_backup(server: BloopServer, headers: dict[str, str]) -> int:
    answer = server.request("POST", PATH, headers=headers)
    assert answer.status == 202, answer
    return int(answer.json["id"])


def runs(server: BloopServer, headers: dict[str, str]) -> dict[int, dict[str, Any]]:
    answer = server.request("GET", PATH, headers=headers)
    assert answer.status == 200, answer
    return {run["id"]: run for run in answer.json["runs"]}


def await_backup(server: BloopServer, headers: dict[str, str], run_id: int) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        run = runs(server, headers)[run_id]
        return run if run["state"] not in ("waiting", "running") else None

    return until(ended, "the backup", WITHIN_S)


def read_api(server: BloopServer, token: str) -> list[Any]:
    """What a client of the API sees, down to the samples."""
    bearer = {"Authorization": f"Bearer {token}"}
    listed = server.errors(token)
    issues = [server.request("GET", f"/v1/errors/{row['fingerprint']}", headers=bearer).json for row in listed]
    return [listed, issues, server.request("GET", "/v1/stats", headers=bearer).json]


def unpacked(path: Path, target: Path) -> sqlite3.Connection:
    with path.open("rb") as packed, target.open("wb") as out:
        zstandard.ZstdDecompressor().copy_stream(packed, out)
    return sqlite3.connect(target)


def balance(server: BloopServer) -> int:
    """Received and not accounted for."""
    totals: dict[int, int] = {}
    for (_, outcome), count in server.ledger().items():
        totals[outcome] = totals.get(outcome, 0) + count
    return totals.pop(Outcome.RECEIVED, 0) - sum(totals.values())


def test_a_backup_made_while_events_arrive_is_of_one_moment(server: BloopServer, tmp_path: Path) -> None:
    clients = [Client(server, f"c{number}") for number in range(3)]
    for client in clients:
        client.start()
    until(lambda: len(server.stored_ids()) > 100, "the first events")

    answers = [json.loads(server.cli("backup", "--json").stdout) for _ in range(3)]

    sent = [client.stop() for client in clients]
    accepted = {request_id for client in sent for request_id in client.accepted}
    assert not any(client.dropped or client.refused or client.unanswered for client in sent)
    counts = []
    for number, answer in enumerate(answers):
        with contextlib.closing(unpacked(Path(answer["file"]), tmp_path / f"{number}.db")) as db:
            ids = request_ids(db)
            (stored,) = db.execute(
                "SELECT sum(count) FROM ledger_totals WHERE outcome = ?", (Outcome.STORED,)
            ).fetchone()
        assert len(ids) == len(set(ids)) == stored == answer["rows"]["events"]
        assert set(ids) <= accepted
        counts.append(len(ids))
    assert 100 < counts[0] < counts[1] < counts[2]
    until(lambda: set(server.stored_ids()) == accepted, "every accepted event to be stored")


def test_a_restore_brings_back_all_that_was_backed_up(server: BloopServer) -> None:
    for number in range(30):
        server.send(event(f"before-{number}", error_type=f"Error{number % 5}", message="kept"))
    until(lambda: len(server.stored_ids()) == 30, "the events")
    token, headers = server.token(), operator(server)
    before = read_api(server, token)
    run = await_backup(server, headers, request_backup(server, headers))
    assert run["state"] == "done", run
    assert run["proven_at_ms"] >= run["started_at_ms"]
    server.send(event("after", error_type="Later", message="gone"))
    until(lambda: len(server.stored_ids()) == 31, "the event after the backup")

    refused = server.cli("restore", run["file"], "--yes", check=False)
    assert refused.returncode == 1
    assert "already runs on this data" in refused.stderr
    assert server.stop() == 0
    done = server.cli("restore", run["file"], "--yes")
    server.start()

    assert "now holds 1 projects, 5 issues and 30 events" in done.stdout
    assert read_api(server, token) == before
    assert server.request("GET", PATH, headers=headers).status == 401  # everybody signs in again
    again = operator(server)
    (restored_from,) = runs(server, again).values()
    assert (restored_from["state"], restored_from["file"]) == ("done", run["file"])
    server.send(event("new"))
    until(lambda: "new" in server.stored_ids(), "storing to continue")
    until(lambda: balance(server) == 0, "the accounts to settle")


def test_records_that_waited_in_the_ring_are_stored_into_the_restored_database(server: BloopServer) -> None:
    server.send(event("before"))
    until(lambda: server.stored_ids() == ["before"], "the first event")
    file = server.cli("backup").stdout.strip()
    server.send(event("lost"))
    until(lambda: "lost" in server.stored_ids(), "the event that is not in the backup")
    until(lambda: server.ring_stat()["pending_records"] == 0, "the ring to be empty")
    (writer,) = server.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    assert server.send(event("waits")).json == {"status": "accepted"}
    server.kill_supervisor()
    until(lambda: not server.family(), "its processes to end")

    done = server.cli("restore", file, "--yes")
    server.start()

    assert "1 records accepted since then wait" in done.stdout
    until(lambda: sorted(server.stored_ids()) == ["before", "waits"], "the waiting record")
    assert server.stop() == 0  # at the latest then a lane's accounts are settled
    assert balance(server) == 0
    assert server.ledger()[1, Outcome.INTERRUPTED] == 1  # received after the backup, stored in the replaced database


def test_a_kill_in_the_middle_leaves_no_file_that_counts_as_a_backup(server: BloopServer) -> None:
    for number in range(40):
        server.send(*[event(f"{number}-{index}", metadata={"pad": os.urandom(1500).hex()}) for index in range(40)])
    until(lambda: len(server.stored_ids()) == 1600, "the events")
    headers, folder = operator(server), server.settings.backup_dir
    for delay_s in (0.0, 0.02, 0.05):
        (retention,) = server.pids("retention")
        run_id = request_backup(server, headers)
        until(lambda run_id=run_id: runs(server, headers)[run_id]["state"] != "waiting", "it to begin", WITHIN_S)
        assert lives_on(retention, delay_s)  # until somewhere in the middle, or just after
        os.kill(retention, signal.SIGKILL)
        until(lambda old=retention: server.pids("retention") not in ([], [old]), "its successor", WITHIN_S)
        await_backup(server, headers, run_id)  # a request now would join the run that still counts as running

    last = await_backup(server, headers, request_backup(server, headers))

    assert last["state"] == "done", last
    ended = [run["state"] for run in runs(server, headers).values()]
    assert set(ended) <= {"done", "interrupted"}
    listed = folders.entries(folder)
    assert last["file"] in [entry.path.name for entry in listed]
    for entry in listed:
        assert verify(entry.path).rows["events"] == 1600
    left = {path.name for path in folder.iterdir()}
    assert len(left) == 2 * len(listed), left
