"""What a running bloop writes to its log while it is sent rubbish: nothing of the rubbish, and not much."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest

from tests.acceptance.harness import BloopServer
from tests.waiting import until

MARKER = "planted-7f3a9c"
FLOOD_REQUESTS = 3000
FLOOD_LOG_BYTES_MAX = 100_000  # 12 MB before

RUBBISH = {
    "query string with a raw byte": b"GET /auth/login?token=%s\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "path with a raw byte": b"GET /login/%s\xfe\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "header without a colon": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer %s\r\n\r\n",
    "header with a control character": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\x01\r\n\r\n",
    "header with a bare newline": b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \n%s\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b\r\n %s\r\n\r\n",
    "header name": b"GET / HTTP/1.1\r\nHost: x\r\n%s(: 1\r\n\r\n",
    "method": b"%s? / HTTP/1.1\r\nHost: x\r\n\r\n",
    "version": b"GET / HTTP/%s\r\nHost: x\r\n\r\n",
    "two lengths": b"POST /auth/login HTTP/1.1\r\nHost: %s\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length": b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n",
    "coding": b"POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: %s\r\n\r\n",
    "chunk": b"POST /auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n\r\n",
    "expectation": b"POST /auth/login HTTP/1.1\r\nHost: x\r\nExpect: %s\r\nContent-Length: 1\r\n\r\na",
    "no HTTP": b"\x16\x03\x01%s\r\n\r\n",
    "ingest body": b"POST /v1/ingest HTTP/1.1\r\nHost: x\r\nX-Signature: %s\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.fixture(params=["warning", "debug"])
def server(request: pytest.FixtureRequest, make_server: Callable[..., BloopServer]) -> BloopServer:
    return make_server(BLOOP__SERVER__LOG_LEVEL=request.param, BLOOP__RATE_LIMIT__AUTH_PER_SECOND="0").start()


def send(server: BloopServer, request: bytes) -> bytes:
    """What comes back until the server closes, or has nothing more to say for a moment."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        try:
            while more := sock.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
    return answer


def test_nothing_of_a_malformed_request_is_in_the_log(server: BloopServer):
    for request in RUBBISH.values():
        send(server, request.replace(b"%s", MARKER.encode()))
    assert server.request("GET", f"/no/such/{MARKER}?token={MARKER}", headers={"Cookie": MARKER}).status == 404

    server.interrupt()
    server.wait_ended()
    assert MARKER not in server.log


def test_flood_of_malformed_requests_writes_little(server: BloopServer):
    before = len(server.log)
    request = RUBBISH["query string with a raw byte"].replace(b"%s", b"s" * 4000)

    for _ in range(FLOOD_REQUESTS):
        send(server, request)

    written = server.log[before:]
    assert len(written) < FLOOD_LOG_BYTES_MAX
    if (refused := written.count("refused a malformed request")) >= 50:
        until(lambda: re.search(r"… [\d,]+ more of request_refused", server.log), "the count of what was left out")
        assert refused < FLOOD_REQUESTS / 2
