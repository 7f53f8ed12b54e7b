"""Slow, silent, greedy and numerous clients cost a connection, never the worker."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psutil
import pytest

from tests.integration.http.conftest import Gunicorn, Start
from tests.integration.http.wire import Wire, get_bytes, post_bytes
from tests.waiting import fastest, until

HELD_MAX = 200_000


@pytest.fixture(scope="module")
def impatient(start_ingest: Start) -> Gunicorn:
    """Deadlines are checked once a second, so these mean one to two seconds."""
    timeouts = "header_timeout_s=0.5, body_timeout_s=0.5, write_timeout_s=0.5, keepalive_timeout_s=0.5"
    return start_ingest(limits=f"{timeouts}, linger_timeout_s=0.5")


@pytest.fixture(scope="module")
def crowded(start_ingest: Start) -> Gunicorn:
    return start_ingest(limits=f"connections_max=8, held_bytes_max={HELD_MAX}, body_bytes_max={HELD_MAX}")


@pytest.fixture(scope="module")
def patient(start_ingest: Start) -> Gunicorn:
    return start_ingest()


def drip(wire: Wire, text: bytes) -> None:
    """Send single bytes with pauses until the server answers or closes."""
    for byte in text:
        try:
            wire.send(bytes([byte]))
        except ConnectionError:
            return
        wire.sock.settimeout(0.1)
        try:
            if wire.receive():
                return
        except TimeoutError:
            continue
        finally:
            wire.sock.settimeout(8)


def test_slowloris_gets_408_while_others_are_served(impatient: Gunicorn):
    with impatient.wire() as slow, impatient.wire() as other:
        drip(slow, b"GET /v1/echo HTTP/1.1\r\nHost: " + b"t" * 60)

        assert slow.response().status == 408
        assert slow.is_closed()
        assert other.is_closed()  # sent nothing: closed without an answer


def test_slow_body_gets_408(impatient: Gunicorn):
    with impatient.wire() as slow:
        slow.send(post_bytes("/v1/echo", b"x" * 100)[:-100])
        drip(slow, b"x" * 60)

        assert slow.response().status == 408
        assert slow.is_closed()


def test_slow_chunks_get_408(impatient: Gunicorn):
    with impatient.wire() as slow:
        slow.send(b"POST /v1/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        drip(slow, b"1\r\na\r\n" * 10)

        assert slow.response().status == 408


def test_idle_connection_is_closed_without_an_answer(impatient: Gunicorn):
    with impatient.wire() as wire:
        assert wire.get("/v1/echo").status == 200

        assert wire.is_closed()


def test_peer_that_never_reads_is_closed(impatient: Gunicorn):
    with impatient.wire(receive_buffer_bytes=4096) as deaf:
        deaf.send(get_bytes("/v1/big?16000000"))
        assert deaf.receive()

        until(lambda: connections_of(impatient) == 0, "the peer to be closed")


def test_refused_client_that_continues_to_send_is_closed(impatient: Gunicorn):
    with impatient.wire() as wire:
        wire.send(b"NONSENSE\r\n\r\n")
        assert wire.response().status == 400

        until(lambda: connections_of(impatient) == 0, "the client to be closed")


def connections_of(server: Gunicorn) -> int:
    (pid,) = server.worker_pids()
    return sum(
        connection.status == psutil.CONN_ESTABLISHED for connection in psutil.Process(pid).net_connections("tcp")
    )


def test_unfinished_bodies_have_a_common_bound(crowded: Gunicorn):
    body = b"x" * (HELD_MAX - 10_000)
    with crowded.wire() as first, crowded.wire() as second:
        first.send(post_bytes("/v1/echo", body)[:-1])
        until(lambda: unread_bytes(crowded) == 0, "the first body to be read")

        second.send(post_bytes("/v1/echo", body)[:-1])
        refused = second.response()
        first.send(body[-1:])

        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert first.response().json()["body_bytes"] == len(body)
        second.half_close()
        assert second.is_closed()

    with crowded.wire() as third:  # the memory of the first two is free again
        assert third.post("/v1/echo", body).status == 200


def unread_bytes(server: Gunicorn) -> int:
    """What clients have sent to the server's port and its workers have not read yet."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    return sum(
        int(row[4].split(":")[1], 16) for row in rows if row[1].endswith(f":{server.port:04X}") and row[3] == "01"
    )


def test_new_connection_takes_the_place_of_the_one_idle_longest(crowded: Gunicorn):
    with Connections(crowded, 8) as idle:
        for wire in idle:
            assert wire.get("/v1/echo").status == 200

        with crowded.wire() as newcomer:
            assert newcomer.get("/v1/echo").status == 200

        assert idle[0].is_closed()
        assert idle[7].get("/v1/echo").status == 200


def test_new_connection_is_refused_when_none_is_idle(crowded: Gunicorn):
    with Connections(crowded, 8) as busy:
        for wire in busy:
            wire.send(b"GET /v1/echo HTTP/1.1\r\n")
        with crowded.wire() as newcomer:
            refused = newcomer.get("/v1/echo")
            newcomer.half_close()

            assert (refused.status, refused.json()) == (503, {"error": "too many connections"})

        for wire in busy:
            wire.send(b"Host: t\r\n\r\n")
            assert wire.response().status == 200


class Connections(list[Wire]):
    """Several connections, closed together."""

    def __init__(self, server: Gunicorn, count: int) -> None:
        super().__init__(server.wire() for _ in range(count))

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for wire in self:
            wire.sock.close()


def test_five_thousand_idle_connections_do_not_slow_a_request(many_descriptors: None, patient: Gunicorn):
    with patient.wire() as wire:
        assert wire.get("/v1/echo").status == 200
        alone_s, baseline = median_s(wire), patient.worker_fds()
        with Connections(patient, 5000) as idle:
            assert idle[-1].get("/v1/echo").status == 200

            allowed_s = 3 * alone_s + 0.002
            assert fastest(lambda: median_s(wire), allowed_s) < allowed_s
        until(lambda: patient.worker_fds() <= baseline, "the descriptors to be closed")


def median_s(wire: Wire) -> float:
    times = []
    for _ in range(101):
        before = time.perf_counter()
        wire.get("/v1/echo")
        times.append(time.perf_counter() - before)
    return sorted(times)[50]


def test_storm_of_aborted_connections_leaks_no_descriptor(patient: Gunicorn):
    with patient.wire() as wire:
        wire.get("/v1/echo")
        baseline = patient.worker_fds()
        for beginning in stormy_beginnings():
            aborted = patient.wire(receive_buffer_bytes=4096)
            aborted.send(beginning)
            aborted.abort()

        until(lambda: patient.worker_fds() <= baseline, "the descriptors to be closed")
        assert wire.get("/v1/echo").status == 200


def stormy_beginnings() -> Iterator[bytes]:
    for _ in range(100):
        yield b""
        yield b"GET /v1/ec"
        yield post_bytes("/v1/echo", b"x" * 1000)[:-500]
        yield get_bytes("/v1/big?3000000") * 2
        yield b"NONSENSE\r\n\r\n"
