from __future__ import annotations

import logging

import pytest

from bloop.http.gateway import Gateway, encode_head
from bloop.http.limits import HttpLimits
from bloop.http.refusal import Refused
from bloop.http.request import parse_request_line

LIMITS = HttpLimits(response_bytes_max=100)


def call(app, method: bytes = b"GET", version: bytes = b"1.1", keep_alive: bool = True) -> tuple[bytes, bool]:
    gateway = Gateway(app, LIMITS)
    gateway.set_date(0)
    line = parse_request_line(method + b" / HTTP/" + version, {}, lambda path: True)
    return gateway.call(line.environ.copy(), line, keep_alive)


def answering(result, headers=(), status="200 OK"):
    def app(environ, start_response):
        start_response(status, list(headers))
        return result

    return app


def test_response_is_head_date_and_body_in_one_piece():
    response, keep_alive = call(answering([b"abc"], [("X-A", "1"), ("Content-Length", "3")]))

    assert response == (
        b"HTTP/1.1 200 OK\r\nServer: bloop\r\nX-A: 1\r\nContent-Length: 3\r\n"
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nabc"
    )
    assert keep_alive


@pytest.mark.parametrize(
    "result",
    [[b"abc"], [b"a", b"bc"], (b"abc",), iter([b"abc"]), [b"", b"abc"]],
    ids=["list", "parts", "tuple", "iterator", "empty part first"],
)
def test_missing_length_is_computed(result):
    response, _ = call(answering(result))

    assert response.endswith(b"Content-Length: 3\r\n\r\nabc")


@pytest.mark.parametrize("result", [[], [b""]])
def test_empty_body_has_length_zero(result):
    assert call(answering(result))[0].endswith(b"Content-Length: 0\r\n\r\n")


def test_written_pieces_come_first():
    def app(environ, start_response):
        start_response("200 OK", [])(b"first ")
        return [b"second"]

    assert call(app)[0].endswith(b"\r\n\r\nfirst second")


def test_head_request_sends_the_length_without_the_body():
    assert call(answering([b"abc"]), b"HEAD")[0].endswith(b"Content-Length: 3\r\n\r\n")
    assert call(answering([], [("Content-Length", "7")]), b"HEAD")[0].count(b"Content-Length: 7") == 1


def test_connection_header_says_what_happens():
    assert b"Connection" not in call(answering([]))[0]
    assert b"Connection: close\r\n" in call(answering([]), keep_alive=False)[0]
    assert b"Connection: keep-alive\r\n" in call(answering([]), version=b"1.0")[0]


def test_closing_may_be_decided_while_the_app_works():
    def app(environ, start_response):
        gateway.announces_close = True
        start_response("200 OK", [])
        return []

    gateway = Gateway(app, LIMITS)
    line = parse_request_line(b"GET / HTTP/1.1", {}, lambda path: True)

    response, keep_alive = gateway.call({}, line, True)

    assert b"Connection: close\r\n" in response
    assert not keep_alive


def test_iterable_is_closed_even_when_it_is_too_long():
    class Pieces:
        closed = False

        def __iter__(self):
            while True:
                yield b"x" * 60

        def close(self):
            self.closed = True

    pieces = Pieces()

    response, keep_alive = call(answering(pieces))

    assert response.startswith(b"HTTP/1.1 500 ")
    assert not keep_alive
    assert pieces.closed


def boom(environ, start_response):
    raise RuntimeError("boom")


def twice(environ, start_response):
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


@pytest.mark.parametrize(
    "app",
    [
        boom,
        twice,
        lambda environ, start_response: [b"no start"],
        answering([b"abc"], [("Content-Length", "4")]),
        answering([b"abc"], [("Content-Length", "x")]),
        answering([b"x" * 101]),
        answering(["text"]),
        answering([], [("X", "a\nb")]),
        answering([], [("X", "a\u20ac")]),
        answering([], [("X Y", "a")]),
        answering([], status="200"),
        answering([], status="100 Continue"),
        answering([], status="200 OK\r\nX: y"),
        answering([], [("X", 1)]),
    ],
)
def test_fault_of_the_app_is_logged_and_becomes_a_500_that_closes(app, caplog):
    with caplog.at_level(logging.ERROR):
        response, keep_alive = call(app)

    assert response.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"\r\nConnection: close\r\n" in response
    assert response.endswith(b'\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{"error": "internal error"}')
    assert not keep_alive
    assert len(caplog.records) == 1


def test_fault_leaves_the_next_answer_alone(caplog):
    def app(environ, start_response):
        write = start_response(next(statuses), [])
        write(b"w")
        if environ["PATH_INFO"] == "/":
            raise RuntimeError("boom")
        return [b"ok"]

    statuses = iter(["404 Not Found", "200 OK"])
    gateway = Gateway(app, LIMITS)
    line = parse_request_line(b"GET /x HTTP/1.1", {}, lambda path: True)

    gateway.call({"PATH_INFO": "/", "REQUEST_METHOD": "GET"}, line, True)
    response, _ = gateway.call({"PATH_INFO": "/x"}, line, True)

    assert response.startswith(b"HTTP/1.1 200 OK")
    assert response.endswith(b"\r\n\r\nwok")


def test_error_handler_may_start_the_response_again():
    def app(environ, start_response):
        start_response("200 OK", [("X", "first")])
        start_response("503 Service Unavailable", [], (RuntimeError, RuntimeError(), None))
        return [b"later"]

    response, _ = call(app)

    assert response.startswith(b"HTTP/1.1 503 Service Unavailable\r\nServer: bloop\r\nDate")


def test_connection_control_is_not_the_apps():
    headers = [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Keep-Alive", "9"), ("Server", "x")]

    assert encode_head("200 OK", headers).encoded == b"HTTP/1.1 200 OK\r\nServer: bloop\r\n"


@pytest.mark.parametrize(("status", "length"), [("204 No Content", None), ("304 Not Modified", 3)])
def test_bodiless_statuses_keep_only_the_length_they_may_have(status, length):
    head = encode_head(status, [("Content-Length", "3")])

    assert (head.forbids_body, head.content_length) == (True, length)


def test_encoded_heads_are_bounded():
    numbers = iter(range(2000))
    gateway = Gateway(
        lambda environ, start_response: start_response("200 OK", [("N", str(next(numbers)))]) and [], LIMITS
    )
    line = parse_request_line(b"GET / HTTP/1.1", {}, lambda path: True)

    for n in range(1500):
        assert f"N: {n}\r\n".encode() in gateway.call({}, line, True)[0]

    assert len(gateway._heads) <= 512


def test_refusal_tells_when_to_come_back():
    response = Gateway(boom, LIMITS).refuse(Refused(503, 'say "no"', retry_after_s=2))

    assert response.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Retry-After: 2\r\n" in response
    assert response.endswith(b'{"error": "say \\"no\\""}')
