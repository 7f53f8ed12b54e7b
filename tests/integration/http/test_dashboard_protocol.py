"""The dashboard reads requests by the same rules as ingest, and a thread of it never waits for a client."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop.base.security_headers import security_headers
from tests.integration.http.conftest import Gunicorn, Start
from tests.integration.http.wire import Wire, get_bytes, post_bytes
from tests.waiting import until


@pytest.fixture(scope="module")
def dashboard(start_dashboard: Start) -> Gunicorn:
    return start_dashboard(app="dashboard", handoff="protocol.sock", limits="request_timeout_s=3.0")


@pytest.fixture(scope="module")
def ingest(start_ingest: Start) -> Gunicorn:
    return start_ingest(handoff="protocol.sock")


@pytest.fixture
def wire(dashboard: Gunicorn) -> Iterator[Wire]:
    with dashboard.wire() as wire:
        yield wire


REFUSED = [
    (400, b"GET /{} HTTP/1.1\r\n\r\n"),  # no Host
    (400, b"GET /{} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    (501, b"POST /{} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
    (400, b"POST /{} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
    (400, b"GET /{} HTTP/1.1\r\nHost: t\r\nA B: c\r\n\r\n"),
    (400, b"GET /{} HTTP/1.1\r\nHost: t\r\n folded\r\n\r\n"),
    (505, b"GET /{} HTTP/2.0\r\nHost: t\r\n\r\n"),
    (501, b"CONNECT a:1 HTTP/1.1\r\nHost: t\r\n\r\n"),
    (414, b"GET /{}?" + b"a" * 8200 + b" HTTP/1.1\r\nHost: t\r\n\r\n"),
    (431, b"GET /{} HTTP/1.1\r\nHost: t\r\n" + b"A: b\r\n" * 101 + b"\r\n"),
]


@pytest.mark.parametrize(("status", "request_bytes"), REFUSED)
def test_both_servers_refuse_alike(dashboard: Gunicorn, ingest: Gunicorn, status: int, request_bytes: bytes):
    answers = []
    for server, path in ((dashboard, b"page"), (ingest, b"v1/echo")):
        with server.wire() as wire:
            wire.send(request_bytes.replace(b"{}", path))
            answers.append(wire.response())

    assert [answer.status for answer in answers] == [status, status]
    assert answers[0].body == answers[1].body
    assert list(answers[0].json()) == ["error"]


def test_request_line_of_8190_bytes_is_answered(wire: Wire):
    target = "/page?" + "a" * (8190 - len("GET /page? HTTP/1.1"))

    assert wire.get(target).json()["QUERY_STRING"] == target.partition("?")[2]


def test_refusal_has_the_security_headers(wire: Wire):
    wire.send(b"GET /page HTTP/1.1\r\n\r\n")

    answer = wire.response()

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    for name, value in security_headers(https=False).items():
        assert answer.headers[name.lower()] == value


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /page HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n",
        b"GET /page HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
        b"GET /page HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n",
    ],
)
def test_body_on_a_route_that_takes_none_is_refused_at_its_announcement(wire: Wire, request_bytes: bytes):
    wire.send(request_bytes)

    answer = wire.response()

    assert (answer.status, answer.json()) == (413, {"error": "this request takes no body"})


def test_empty_body_is_none(wire: Wire):
    assert wire.get("/page", headers="Content-Length: 0\r\n").status == 200
    wire.send(b"GET /page HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert wire.response().status == 200


def test_body_longer_than_its_route_takes_is_refused_at_its_announcement(wire: Wire):
    wire.send(post_bytes("/page", b"x" * 100_001)[:-100_001])

    answer = wire.response()

    assert (answer.status, answer.json()) == (413, {"error": "body exceeds 100000 bytes"})


def test_app_that_fails_is_answered_500_and_the_thread_lives_on(dashboard: Gunicorn):
    for path in ("/boom", "/boom-late", "/lying", "/splitting", "/silent") * 2:
        with dashboard.wire() as wire:
            answer = wire.get(path)
            assert (answer.status, answer.json()) == (500, {"error": "internal error"})
    with dashboard.wire() as wire:
        assert wire.get("/page").status == 200


def test_probe_is_answered_while_every_thread_is_busy_and_others_get_503_in_time(dashboard: Gunicorn, tmp_path: Path):
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(dashboard.wire()) for _ in range(3)]
        for number, wire in enumerate(busy):
            wire.send(get_bytes(f"/until-stopping?{tmp_path}/{number}"))
        until(lambda: len(list(tmp_path.iterdir())) == 3, "every thread to be busy")
        waiting = stack.enter_context(dashboard.wire())
        waiting.send(get_bytes("/page"))

        with dashboard.wire() as wire:
            assert wire.get("/probe").status == 200

        answers = [wire.response() for wire in (*busy, waiting)]
        assert [answer.status for answer in answers] == [503] * 4
        assert answers[0].json() == {"error": "the request took too long"}
        assert all(wire.is_closed() for wire in busy)
        for file in tmp_path.iterdir():
            file.unlink()
        with dashboard.wire() as wire:
            assert wire.get("/page").status == 200


def test_clients_that_do_not_read_occupy_no_thread(dashboard: Gunicorn):
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            wire = stack.enter_context(dashboard.wire(receive_buffer_bytes=4096))
            wire.send(get_bytes("/big?400000") * 8)

        with dashboard.wire() as wire:
            wire.sock.settimeout(2.0)
            assert wire.get("/page").status == 200
