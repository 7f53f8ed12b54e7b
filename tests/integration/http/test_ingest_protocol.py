"""The ingest worker as an HTTP/1.1 server, byte by byte."""

from __future__ import annotations

import hashlib

import pytest

from tests.integration.http.conftest import Gunicorn, Start
from tests.integration.http.wire import Wire, get_bytes, post_bytes

BODY_MAX = 100_000
PIPELINE_MAX = 4


@pytest.fixture(scope="module")
def server(start_ingest: Start) -> Gunicorn:
    return start_ingest(limits=f"body_bytes_max={BODY_MAX}, pipeline_max={PIPELINE_MAX}")


@pytest.fixture
def wire(server: Gunicorn):
    with server.wire() as wire:
        yield wire


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- requests ----------------------------------------------------------------------------------------------------------


def test_app_sees_the_request_as_wsgi_wants_it(wire: Wire):
    answer = wire.post("/v1//a%20b%C3%A4?q=%20&r", b"hello", "X-Project-Key:  k \t\r\nContent-Type: text/x\r\n").json()

    assert answer["REQUEST_METHOD"] == "POST"
    assert answer["PATH_INFO"] == "/v1//a bÃ¤"
    assert answer["QUERY_STRING"] == "q=%20&r"
    assert answer["RAW_URI"] == answer["REQUEST_URI"] == "/v1//a%20b%C3%A4?q=%20&r"
    assert answer["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert answer["HTTP_X_PROJECT_KEY"] == "k"
    assert (answer["CONTENT_TYPE"], answer["CONTENT_LENGTH"]) == ("text/x", "5")
    assert (answer["REMOTE_ADDR"], answer["REMOTE_PORT"]) == ("127.0.0.1", str(wire.sock.getsockname()[1]))
    assert answer["sha256"] == sha256(b"hello")


def test_connection_is_kept_for_many_requests(wire: Wire):
    bodies = [bytes([n]) * n for n in range(50)]

    answers = [wire.post("/v1/echo", body).json() for body in bodies]

    assert [answer["sha256"] for answer in answers] == [sha256(body) for body in bodies]


def test_headers_of_one_request_do_not_reach_the_next(wire: Wire):
    wire.post("/v1/echo", b"x", "X-Secret: s\r\nTransfer-X: t\r\n")

    answer = wire.get("/v1/echo").json()

    assert "HTTP_X_SECRET" not in answer
    assert "CONTENT_LENGTH" not in answer


def test_repeated_headers_are_joined_and_underscores_dropped(wire: Wire):
    headers = "X-A: 1\r\nX-A: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX_Project_Key: forged\r\nProxy: evil\r\n"

    answer = wire.get("/v1/echo", headers=headers).json()

    assert answer["HTTP_X_A"] == "1,2"
    assert answer["HTTP_COOKIE"] == "a=1; b=2"
    assert "HTTP_X_PROJECT_KEY" not in answer
    assert "HTTP_PROXY" not in answer


def test_request_that_drips_in_byte_by_byte_is_answered(wire: Wire):
    for byte in post_bytes("/v1/echo", b"slow but whole"):
        wire.send(bytes([byte]))

    assert wire.response().json()["sha256"] == sha256(b"slow but whole")


def test_large_body_arrives_whole(wire: Wire):
    body = bytes(range(256)) * (BODY_MAX // 256)

    assert wire.post("/v1/echo", body).json()["sha256"] == sha256(body)
    assert wire.get("/v1/echo").status == 200


def test_pipelined_requests_are_answered_in_order(wire: Wire):
    targets = [f"/v1/n{n}" for n in range(PIPELINE_MAX * 10 + 1)]
    wire.send(b"".join(map(get_bytes, targets)))

    assert [wire.response().json()["PATH_INFO"] for _ in targets] == targets


def test_pipelined_bodies_of_every_framing_are_kept_apart(wire: Wire):
    sized = post_bytes("/v1/a", b"GET / HTTP/1.1\r\n\r\n")
    chunked = b"POST /v1/b HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"3\r\nGET\r\n2;x=y\r\n /\r\n0\r\nA: b\r\n\r\n"
    wire.send(sized + chunked + chunks + b"\r\n" + post_bytes("/v1/c", b"") + get_bytes("/v1/d"))

    answers = [wire.response().json() for _ in range(4)]

    assert [answer["PATH_INFO"] for answer in answers] == ["/v1/a", "/v1/b", "/v1/c", "/v1/d"]
    assert [answer["body_bytes"] for answer in answers] == [18, 5, 0, 0]
    assert answers[1]["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in answers[1]


def test_chunked_body_may_arrive_in_any_pieces(wire: Wire):
    body = b"7\r\nchunked\r\n00A ;ext=1\r\n0123456789\r\n0\r\nTrailer: gone\r\n\r\n"
    wire.send(b"POST /v1/echo HTTP/1.1\r\nHost: t\r\ntransfer-encoding: Chunked\r\n\r\n")
    for byte in body:
        wire.send(bytes([byte]))

    answer = wire.response().json()

    assert answer["sha256"] == sha256(b"chunked0123456789")
    assert "HTTP_TRAILER" not in answer
    assert wire.get("/v1/echo").status == 200


def test_client_that_waits_for_100_continue_gets_it(wire: Wire):
    head = b"POST /v1/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    wire.send(head)
    assert wire.response().status == 100

    wire.send(b"body")

    assert wire.response().json()["body_bytes"] == 4


def test_no_100_continue_for_a_body_that_has_arrived_or_is_too_large(wire: Wire):
    head = "POST /v1/echo HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n"

    wire.send(head.format(4).encode() + b"body")
    assert wire.response().status == 200

    wire.send(head.format(BODY_MAX + 1).encode())
    assert wire.response().status == 413


def test_half_closed_client_gets_its_answers(wire: Wire):
    wire.send(post_bytes("/v1/a", b"one") + get_bytes("/v1/b"))
    wire.half_close()

    assert wire.response().json()["PATH_INFO"] == "/v1/a"
    assert wire.response().json()["PATH_INFO"] == "/v1/b"
    assert wire.is_closed()


def test_half_closed_client_gets_an_answer_larger_than_the_socket_buffers(server: Gunicorn):
    with server.wire(receive_buffer_bytes=4096) as wire:
        wire.send(get_bytes("/v1/big?8000000"))
        wire.half_close()

        assert len(wire.response().body) == 8_000_000
        assert wire.is_closed()


def test_http_10_closes_unless_asked_to_stay(wire: Wire):
    wire.send(b"GET /v1/a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
    kept = wire.response()
    wire.send(b"GET /v1/b HTTP/1.0\r\n\r\n")
    last = wire.response()

    assert kept.headers["connection"] == "keep-alive"
    assert kept.json()["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert last.headers["connection"] == "close"
    assert wire.is_closed()


def test_client_may_ask_to_close(wire: Wire):
    answer = wire.get("/v1/a", headers="Connection: foo, Close\r\n")

    assert answer.headers["connection"] == "close"
    assert wire.is_closed()


def test_offer_to_upgrade_is_ignored(wire: Wire):
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"

    assert wire.post("/v1/echo", b"body", offer).json()["body_bytes"] == 4
    assert wire.get("/v1/echo").status == 200


@pytest.mark.parametrize("target", ["http://example.org/v1/echo?x", "HTTPS://example.org/v1/echo?x"])
def test_absolute_target_is_the_same_resource(wire: Wire, target: str):
    answer = wire.get(target).json()

    assert (answer["PATH_INFO"], answer["QUERY_STRING"]) == ("/v1/echo", "x")


# -- answers -----------------------------------------------------------------------------------------------------------


def test_answer_carries_date_and_server(wire: Wire):
    headers = wire.get("/v1/echo").headers

    assert headers["server"] == "bloop"
    assert headers["date"].endswith(" GMT")
    assert "connection" not in headers


def test_head_has_the_headers_and_no_body(wire: Wire):
    answer = wire.get("/v1/echo", method="HEAD")

    assert int(answer.headers["content-length"]) > 0
    assert wire.get("/v1/echo").status == 200


def test_options_reaches_the_app(wire: Wire):
    assert wire.get("/v1/echo", method="OPTIONS").json()["REQUEST_METHOD"] == "OPTIONS"


@pytest.mark.parametrize("status", [204, 304])
def test_bodiless_status_has_no_body_even_if_the_app_returns_one(wire: Wire, status: int):
    answer = wire.get(f"/v1/empty?{status}")

    assert answer.status == status
    assert answer.headers["x-kept"] == "yes"
    assert "connection" not in answer.headers
    assert status != 204 or "content-length" not in answer.headers
    assert wire.get("/v1/echo").status == 200


def test_pieces_without_a_length_are_sent_with_one(wire: Wire):
    answer = wire.get("/v1/pieces")

    assert answer.body == b"zero one two"
    assert answer.headers["content-length"] == "12"


@pytest.mark.parametrize("fault", ["boom", "boom-late", "lying", "splitting", "silent"])
def test_fault_of_the_app_is_a_500_that_closes_and_leaves_others_alone(server: Gunicorn, wire: Wire, fault: str):
    with server.wire() as other:
        other.send(b"GET /v1/echo HTTP/1.1\r\n")

        answer = wire.get(f"/v1/{fault}")

        assert answer.status == 500
        assert answer.json() == {"error": "internal error"}
        assert "set-cookie" not in answer.headers
        assert wire.is_closed()
        other.send(b"Host: t\r\n\r\n")
        assert other.response().status == 200


def test_answer_larger_than_the_limit_is_a_500(wire: Wire):
    assert wire.get(f"/v1/big?{16 * 1024 * 1024 + 1}").status == 500


def test_slow_reader_gets_all_of_a_large_answer_and_the_next_one(server: Gunicorn, wire: Wire):
    with server.wire(receive_buffer_bytes=4096) as slow:
        slow.send(get_bytes("/v1/big?4000000") + get_bytes("/v1/after") + get_bytes("/v1/last"))
        assert wire.get("/v1/echo").status == 200  # the worker does not wait for the slow one

        assert len(slow.response().body) == 4_000_000
        assert slow.response().json()["PATH_INFO"] == "/v1/after"
        assert slow.response().json()["PATH_INFO"] == "/v1/last"
        assert slow.get("/v1/echo").status == 200


# -- refusals ----------------------------------------------------------------------------------------------------------

GET = "GET /v1/echo HTTP/1.1\r\n"
POST = "POST /v1/echo HTTP/1.1\r\nHost: t\r\n"
CHUNKED = POST + "Transfer-Encoding: chunked\r\n\r\n"

REFUSED = {
    "no version": (400, "GET /v1/echo\r\n\r\n"),
    "no target": (400, "GET HTTP/1.1\r\nHost: t\r\n\r\n"),
    "two spaces": (400, "GET  /v1/echo HTTP/1.1\r\nHost: t\r\n\r\n"),
    "space at the end": (400, "GET /v1/echo HTTP/1.1 \r\nHost: t\r\n\r\n"),
    "space in the target": (400, "GET /v1/e cho HTTP/1.1\r\nHost: t\r\n\r\n"),
    "control in the target": (400, "GET /v1/e\x01cho HTTP/1.1\r\nHost: t\r\n\r\n"),
    "raw utf-8 in the target": (400, "GET /v1/\xc3\xa4 HTTP/1.1\r\nHost: t\r\n\r\n"),
    "fragment": (400, "GET /v1/echo#x HTTP/1.1\r\nHost: t\r\n\r\n"),
    "relative target": (400, "GET v1/echo HTTP/1.1\r\nHost: t\r\n\r\n"),
    "asterisk for GET": (400, "GET * HTTP/1.1\r\nHost: t\r\n\r\n"),
    "authority of nothing": (400, "GET http:///v1/echo HTTP/1.1\r\nHost: t\r\n\r\n"),
    "bare LF everywhere": (400, "GET /v1/echo HTTP/1.1\nHost: t\n\n"),
    "bare LF after a header": (400, GET + "Host: t\nX: y\r\n\r\n"),
    "bare CR in a header": (400, GET + "Host: t\r\nX: a\rb\r\n\r\n"),
    "no host": (400, GET + "\r\n"),
    "two hosts": (400, GET + "Host: a\r\nHost: b\r\n\r\n"),
    "two authorizations": (400, GET + "Host: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n"),
    "no colon": (400, GET + "Host: t\r\nnonsense\r\n\r\n"),
    "empty name": (400, GET + "Host: t\r\n: x\r\n\r\n"),
    "space before colon": (400, GET + "Host : t\r\n\r\n"),
    "space in a name": (400, GET + "Host: t\r\nX Y: z\r\n\r\n"),
    "folded header": (400, GET + "Host: t\r\nX: a\r\n b\r\n\r\n"),
    "NUL in a value": (400, GET + "Host: t\r\nX: a\0b\r\n\r\n"),
    "TLS hello": (400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "binary": (400, "\x00\x01\x02\r\n\r\n"),
    "lengths that differ": (400, POST + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "lengths that agree": (400, POST + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    "list of lengths": (400, POST + "Content-Length: 1, 1\r\n\r\na"),
    "signed length": (400, POST + "Content-Length: +1\r\n\r\na"),
    "negative length": (400, POST + "Content-Length: -1\r\n\r\na"),
    "hex length": (400, POST + "Content-Length: 0x1\r\n\r\na"),
    "empty length": (400, POST + "Content-Length: \r\n\r\na"),
    "huge length": (400, POST + "Content-Length: 99999999999999999999999\r\n\r\na"),
    "length and chunked": (400, POST + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunked and length": (400, POST + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
    "chunked twice": (400, POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunked first": (400, POST + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    "unknown coding": (400, POST + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "chunked in 1.0": (400, "POST /v1/echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunk size missing": (400, CHUNKED + "\r\n"),
    "chunk size not hex": (400, CHUNKED + "g\r\n"),
    "chunk size signed": (400, CHUNKED + "+1\r\na\r\n"),
    "chunk size with 0x": (400, CHUNKED + "0x1\r\na\r\n"),
    "chunk size endless": (400, CHUNKED + "0" * 2000),
    "chunk ends with LF": (400, CHUNKED + "1\na\r\n"),
    "chunk longer than said": (400, CHUNKED + "1\r\nab\r\n"),
    "chunk without its CRLF": (400, CHUNKED + "1\r\na0\r\n\r\n"),
    "malformed trailer": (400, CHUNKED + "0\r\nno colon\r\n\r\n"),
    "body too large": (413, POST + f"Content-Length: {BODY_MAX + 1}\r\n\r\n"),
    "chunk too large": (413, CHUNKED + "fffffffffff\r\n"),
    "chunks too large": (413, CHUNKED + f"1\r\na\r\n{BODY_MAX:x}\r\n"),
    "request line too long": (414, "GET /v1/" + "a" * 9000 + " HTTP/1.1\r\nHost: t\r\n\r\n"),
    "request line endless": (414, "GET /v1/" + "a" * 9000),
    "expectation": (417, POST + "Content-Length: 1\r\nExpect: miracles\r\n\r\n"),
    "headers too large": (431, GET + "Host: t\r\nX: " + "a" * 17_000 + "\r\n\r\n"),
    "headers endless": (431, GET + "Host: t\r\nX: " + "a" * 17_000),
    "too many headers": (431, GET + "Host: t\r\n" + "X: y\r\n" * 100 + "\r\n"),
    "trailers too large": (431, CHUNKED + "0\r\n" + ("T: " + "a" * 1000 + "\r\n") * 9),
    "unknown method": (501, "FROB /v1/echo HTTP/1.1\r\nHost: t\r\n\r\n"),
    "lower case method": (501, "get /v1/echo HTTP/1.1\r\nHost: t\r\n\r\n"),
    "connect": (501, "CONNECT example.org:443 HTTP/1.1\r\nHost: t\r\n\r\n"),
    "gzip transfer coding": (501, POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "HTTP/2 preface": (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/0.9 by number": (505, "GET /v1/echo HTTP/0.9\r\n\r\n"),
    "HTTP/1.2": (505, "GET /v1/echo HTTP/1.2\r\nHost: t\r\n\r\n"),
}


@pytest.mark.parametrize(("status", "request_text"), REFUSED.values(), ids=REFUSED.keys())
def test_unacceptable_request_is_refused_and_leaves_others_alone(
    server: Gunicorn, wire: Wire, status: int, request_text: str
):
    with server.wire() as other:
        other.send(post_bytes("/v1/echo", b"0123456789")[:-5])

        wire.send(request_text.encode("latin-1"))
        answer = wire.response()

        assert answer.status == status
        assert list(answer.json()) == ["error"]
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["connection"] == "close"
        wire.half_close()
        assert wire.is_closed()
        other.send(b"56789")
        assert other.response().json()["sha256"] == sha256(b"0123456789")


def test_nothing_after_a_refused_request_is_answered(wire: Wire):
    smuggled = get_bytes("/v1/smuggled")
    wire.send(POST.encode() + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled)

    assert wire.response().status == 400
    wire.half_close()
    assert wire.is_closed()


def test_refusal_reaches_a_client_that_is_still_sending(wire: Wire):
    wire.send(POST.encode() + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)

    assert wire.response().status == 413
    wire.half_close()
    assert wire.is_closed()


def test_empty_lines_before_a_request_are_ignored(wire: Wire):
    wire.send(b"\r\n\r\n" + get_bytes("/v1/a") + b"\r\n")
    assert wire.response().status == 200

    wire.send(b"\r")
    wire.send(b"\n" + get_bytes("/v1/b"))
    assert wire.response().json()["PATH_INFO"] == "/v1/b"
