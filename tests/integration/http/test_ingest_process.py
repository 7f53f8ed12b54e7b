"""The ingest worker as a process: signals, restarts, several workers on one socket."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from tests.integration.http.conftest import Gunicorn, Start
from tests.integration.http.wire import Response, get_bytes, post_bytes
from tests.waiting import until


def test_sigterm_finishes_requests_in_flight_and_closes_idle_connections(start_ingest: Start, tmp_path: Path):
    server = start_ingest()
    began = tmp_path / "began"
    with server.wire() as idle, server.wire() as halfway, server.wire() as busy, server.wire() as deaf:
        assert idle.get("/v1/echo").status == 200
        deaf.send(get_bytes("/v1/big?16000000"))
        assert deaf.receive()
        halfway.send(post_bytes("/v1/echo", b"0123456789")[:-1])
        busy.send(get_bytes(f"/v1/in-flight?{began}"))
        until(began.exists, "the request to be in flight")

        server.send_signal(signal.SIGTERM)

        answer = busy.response()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert idle.is_closed()
        halfway.send(b"9")
        assert halfway.response().json()["body_bytes"] == 10
        assert len(deaf.response().body) == 16_000_000
        assert server.wait() == 0
    with pytest.raises(ConnectionRefusedError):
        server.wire()


def test_client_that_just_connected_is_answered_before_a_stop(start_ingest: Start):
    server = start_ingest()
    with server.wire() as fresh, server.wire() as later:
        assert later.get("/v1/echo", headers="Connection: close\r\n").status == 200  # `fresh` was accepted before

        server.send_signal(signal.SIGTERM)

        assert later.is_closed()
        assert fresh.get("/v1/echo").status == 200
        assert server.wait() == 0


def test_graceful_stop_is_bounded(start_ingest: Start):
    server = start_ingest(extra="graceful_timeout = 1")
    with server.wire() as stuck:
        stuck.send(b"GET /v1/echo HTTP/1.1\r\n")
        with server.wire() as other:
            assert other.get("/v1/echo").status == 200

        server.send_signal(signal.SIGTERM)

        assert server.wait() == 0


def test_killed_worker_is_replaced_and_waiting_connections_are_kept(start_ingest: Start):
    server = start_ingest()
    with server.wire() as wire:
        victim = wire.get("/v1/echo").json()["pid"]
        os.kill(victim, signal.SIGKILL)
        assert wire.is_closed()

    with server.wire() as wire:  # accepted by the kernel, answered by the successor
        assert wire.get("/v1/echo").json()["pid"] != victim


@pytest.fixture(scope="module")
def pair(start_ingest: Start) -> Gunicorn:
    """A server whose two workers are both up."""
    server = start_ingest(workers=2)
    booted: set[int] = set()

    def both_booted() -> bool:
        with server.wire() as wire:
            booted.add(wire.get("/v1/echo").json()["pid"])
        return len(booted) == 2

    until(both_booted, "both workers to answer")
    return server


@pytest.mark.parametrize("in_a_burst", [False, True])
def test_workers_share_connections(pair: Gunicorn, in_a_burst: bool):
    def both_get_a_quarter() -> bool:
        """Tried repeatedly: a worker that the kernel does not schedule for a while rightly accepts nothing."""
        with ExitStack() as connected:
            if in_a_burst:
                wires = [connected.enter_context(pair.wire()) for _ in range(20)]
                pids = [wire.get("/v1/echo").json()["pid"] for wire in wires]
            else:
                pids = [connected.enter_context(pair.wire()).get("/v1/echo").json()["pid"] for _ in range(20)]
        return min(pids.count(pid) for pid in pair.worker_pids()) >= 5

    until(both_get_a_quarter, "both workers to get a share")


def test_worker_restarts_after_max_requests(start_ingest: Start):
    server = start_ingest(extra="max_requests = 3")
    with server.wire() as wire:
        first = {wire.get("/v1/echo").json()["pid"] for _ in range(3)}

    def is_replaced() -> bool:
        with server.wire() as wire:
            return wire.get("/v1/echo").json()["pid"] not in first

    assert len(first) == 1
    until(is_replaced, "another worker")


def test_reload_drops_no_request(start_ingest: Start, folder: Path):
    server = start_ingest()
    with server.wire() as wire:
        old = wire.get("/v1/echo").json()["pid"]
    answers: list[Response] = []
    done = False

    def ask() -> None:
        while not done:
            with server.wire() as wire:
                answers.append(wire.get("/v1/echo", headers="Connection: close\r\n"))

    asking = Thread(target=ask)
    asking.start()
    try:
        server.send_signal(signal.SIGHUP)
        until(lambda: answers and answers[-1].json()["pid"] != old, "an answer of the new worker")
    finally:
        done = True
        asking.join()

    assert {answer.status for answer in answers} == {200}


def test_worker_notices_that_its_master_is_gone(start_ingest: Start):
    server: Gunicorn = start_ingest()
    with server.wire() as wire:
        pid = wire.get("/v1/echo").json()["pid"]

        server.send_signal(signal.SIGKILL)

        assert wire.is_closed()
        until(lambda: not Path(f"/proc/{pid}").exists(), "the worker to end")
