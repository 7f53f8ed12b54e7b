"""A stopped writer, a full disk: every event answered `accepted` is stored, all others are counted."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable

from bloop.base.outcomes import REFUSALS, Outcome
from bloop.ring import spill
from tests.acceptance.harness import BloopServer, event
from tests.noise import noise
from tests.waiting import until

Make = Callable[..., BloopServer]

STANDSTILL_S = 10.0
PADDING = noise(1500)


def send_batch(server: BloopServer, prefix: str, number: int) -> tuple[list[str], int, float]:
    """(ids in the order sent, how many were accepted, seconds until the answer)."""
    ids = [f"{prefix}-{number}-{n}" for n in range(50)]
    before = time.monotonic()
    answer = server.send(*(event(request_id, metadata={"padding": PADDING}) for request_id in ids))
    assert answer.status == 200
    assert answer.json["accepted"] + answer.json["dropped"] == 50
    return ids, answer.json["accepted"], time.monotonic() - before


def test_a_writer_stopped_for_ten_seconds_loses_no_accepted_event(make_server: Make):
    server = make_server(BLOOP__INGEST__SPILL_BYTES_MAX=str(4 * 1024 * 1024)).start()
    (writer,) = server.pids("writer")
    sent, accepted, slowest_s, batches = set(), 0, 0.0, 0
    os.kill(writer, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + STANDSTILL_S
        while time.monotonic() < deadline:
            ids, taken, answer_s = send_batch(server, "stop", batches)
            sent.update(ids)
            accepted, slowest_s, batches = accepted + taken, max(slowest_s, answer_s), batches + 1
        lanes = server.ring_stat()["lanes"]
        not_ready = until(lambda: server.status("GET", "/ready") == 503, "/ready to notice", 15)
    finally:
        os.kill(writer, signal.SIGCONT)

    stored = until(lambda: len(ids) == accepted and ids if (ids := server.stored_ids()) else None, "the rest", 30)
    assert not_ready
    assert slowest_s < 2.0  # ingest does not wait for the writer
    assert len(set(stored)) == len(stored)
    assert set(stored) <= sent
    assert sum(lane["spilled"] for lane in lanes) > 100  # the lanes did run over, and so did their spill
    assert 0 < accepted < len(sent)
    until(lambda: server.ledger().get((1, Outcome.RING_FULL)) == len(sent) - accepted, "the drops in the ledger")
    until(lambda: server.status("GET", "/ready") == 200, "/ready to recover")
    until(lambda: spill_bytes(server) == 0, "the files to go")


def test_a_burst_past_the_lanes_is_stored_to_the_last_event_also_across_a_stop(make_server: Make):
    server = make_server(BLOOP__INGEST__CHANNEL_CAPACITY="512").start()
    (writer,) = server.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    try:
        answers = [send_batch(server, "burst", number) for number in range(40)]
        waiting = server.ring_stat()
    finally:
        os.kill(writer, signal.SIGCONT)
    assert server.stop() == 0

    sent = [request_id for ids, _, _ in answers for request_id in ids]
    assert [accepted for _, accepted, _ in answers] == [50] * 40
    assert waiting["spill_records"] > 100
    assert waiting["pending_records"] >= waiting["spill_records"]
    assert sorted(server.stored_ids()) == sorted(sent)
    assert spill_bytes(server) == 0
    assert server.leftovers() == []


def test_workers_and_capacity_may_change_while_records_wait(make_server: Make):
    server = make_server().start()
    (writer,) = server.pids("writer")
    os.kill(writer, signal.SIGSTOP)
    _, accepted, _ = send_batch(server, "before", 0)
    server.kill_supervisor()

    server.env |= {"BLOOP__SERVER__WORKERS": "1", "BLOOP__INGEST__CHANNEL_CAPACITY": "768"}
    server.start()

    assert accepted == 50
    until(lambda: len(server.stored_ids()) == 50, "the records of the old ring")
    stat = server.ring_stat()
    assert (len(stat["lanes"]), stat["capacity_bytes"]) == (3, 3 * 512 * 1024)


def test_a_full_disk_is_reported_and_storing_recovers(server: BloopServer):
    (writer,) = server.pids("writer")
    send_batch(server, "before", 0)
    until(lambda: len(server.stored_ids()) == 50, "the first batch")
    # Python ignores SIGXFSZ, so a write past the limit is an error to SQLite, as on a full disk.
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        _, accepted, _ = send_batch(server, "full", 0)
        health = until(
            lambda: health if (health := server.request("GET", "/health").json)["status"] == "degraded" else None,
            "/health to say so",
        )
        is_ready = server.status("GET", "/ready") == 200
        stored_meanwhile = len(server.stored_ids())
    finally:
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    assert (accepted, stored_meanwhile, is_ready) == (50, 50, False)
    assert health["reasons"]
    until(lambda: len(server.stored_ids()) == 100, "the batch that waited")
    until(lambda: server.status("GET", "/ready") == 200, "/ready to recover")
    assert server.pids("writer") == [writer]  # it never ended
    until(lambda: balanced(server.ledger()), "the ledger to balance")


def spill_bytes(server: BloopServer) -> int:
    return sum(file.path.stat().st_size for file in spill.files(server.settings.spill_folder))


def balanced(ledger: dict[tuple[int, int], int]) -> bool:
    settled = sum(ledger.get((1, outcome), 0) for outcome in (Outcome.STORED, *REFUSALS))
    return ledger.get((1, Outcome.RECEIVED), 0) == settled == 100
