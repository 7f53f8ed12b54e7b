"""One POST against real sockets: checked addresses (SOCKET-1), a deadline (SOCKET-2), bounded (SOCKET-3)."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading

import pytest

from bloop.base.errors import OutboundRefused, Unreachable
from bloop.outbound.http import HttpAnswer, post
from bloop.outbound.sockets import Outbound
from tests.receivers import (
    NAME,
    OK,
    Authority,
    Behave,
    Receiver,
    StubResolver,
    answer,
    dripping,
    endless,
    hang_up,
    receiver,
    silent,
    way_out,
)


def can_listen(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock, contextlib.suppress(OSError):
        sock.bind((host, 0))
        return True
    return False


LOOPBACKS = [host for host in ("127.0.0.2", "[::1]") if can_listen(host.strip("[]"))]  # not every container has IPv6
HURRY = {"http_s": 0.3, "connect_s": 0.3}


def post_to(to: Receiver, out: Outbound | None = None, *, host: str = "", path: str = "/hook") -> HttpAnswer:
    return post(out or way_out(), to.url(host, path), b'{"a":1}', {"Content-Type": "application/json", "X-Own": "1"})


def trouble(to: Receiver, out: Outbound, *, host: str = "") -> str:
    with pytest.raises(Unreachable) as caught:
        post_to(to, out, host=host, path="/hook/hunter2")
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


class TestRequest:
    def test_arrives_with_its_body_and_headers(self):
        with receiver() as there:
            got_back = post_to(there, path="/services/T0?token=x")

        assert (got_back.status, got_back.body) == (200, b"ok")
        (got,) = there.got
        assert got.line == "POST /services/T0?token=x HTTP/1.1"
        assert got.body == b'{"a":1}'
        assert got.headers["host"] == f"127.0.0.1:{there.port}"
        assert got.headers["content-type"] == "application/json"
        assert got.headers["x-own"] == "1"
        assert got.headers["user-agent"].startswith("bloop/")
        assert got.headers["connection"] == "close"
        assert got.headers["accept-encoding"] == "identity"

    def test_name_stays_in_host_while_the_address_is_connected_to(self):
        with receiver() as there:
            post_to(there, way_out("127.0.0.1"), host=NAME)

        assert there.got[0].headers["host"] == f"{NAME}:{there.port}"

    @pytest.mark.parametrize("host", LOOPBACKS)
    def test_address_of_either_kind_is_connected_to_and_named(self, host: str):
        with receiver(host=host.strip("[]")) as there:
            post_to(there, way_out(host.strip("[]")), host=host)

        assert there.got[0].headers["host"] == f"{host}:{there.port}"

    def test_headers_that_frame_the_request_are_ours(self):
        with receiver() as there:
            post(way_out(), there.url(), b"x", {"Host": "evil.example", "Connection": "keep-alive"})

        assert there.got[0].headers["host"] == f"127.0.0.1:{there.port}"
        assert there.got[0].headers["connection"] == "close"

    def test_proxies_of_the_environment_are_not_asked(self, monkeypatch: pytest.MonkeyPatch):
        with receiver() as there, receiver() as proxy:
            for variable in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(variable, proxy.url(path=""))
            post_to(there)

        assert (len(there.got), proxy.got) == (1, [])


class TestPinning:
    def test_name_that_resolves_to_a_private_address_is_refused_before_anything_is_sent(self):
        resolve = StubResolver([["127.0.0.1"]])
        with receiver() as there, pytest.raises(OutboundRefused, match=f"{NAME} is this machine"):
            post_to(there, way_out("192.0.2.7", resolve=resolve), host=NAME)

        assert there.got == []

    def test_one_private_address_among_others_is_enough(self):
        resolve = StubResolver([["93.184.216.34", "127.0.0.1"]])
        with receiver() as there, pytest.raises(OutboundRefused):
            post_to(there, way_out("192.0.2.7", resolve=resolve), host=NAME)

        assert there.got == []

    def test_name_is_resolved_once_and_later_answers_are_ignored(self):
        with receiver() as judged, Both("127.0.0.2", judged.port) as rebound:
            resolve = StubResolver([["127.0.0.1"], ["127.0.0.2"]])
            post_to(judged, way_out("127.0.0.1", resolve=resolve), host=NAME)

            assert resolve.asked == [NAME]
            assert len(judged.got) == 1
            assert not rebound.was_called()

    def test_address_in_the_url_is_not_looked_up_at_all(self):
        resolve = StubResolver([])
        with receiver() as there:
            post_to(there, way_out(resolve=resolve))

        assert resolve.asked == []

    @pytest.mark.parametrize("spelling", ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "[::ffff:127.0.0.1]"])
    def test_private_address_in_any_spelling_is_refused_when_it_is_sent_to(self, spelling: str):
        with receiver() as there, pytest.raises(OutboundRefused):
            post_to(there, way_out("192.0.2.7"), host=spelling)

        assert there.got == []

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirect_to_loopback_is_not_followed(self, status: int):
        with receiver() as inner, receiver(answer(status, location=inner.url())) as outer:
            assert post_to(outer).status == status
            assert inner.got == []

    def test_next_address_is_tried_when_the_first_does_not_answer(self):
        with receiver() as there:
            resolve = StubResolver([["127.0.0.9", "127.0.0.1"]])

            assert post_to(there, way_out("127.0.0.0/8", resolve=resolve), host=NAME).status == 200

    def test_addresses_of_a_name_are_not_all_tried_when_there_are_many(self):
        with receiver() as there:
            resolve = StubResolver([[f"127.0.0.{n}" for n in range(2, 8)] + ["127.0.0.1"]])

            assert "refused" in trouble(there, way_out("127.0.0.0/8", resolve=resolve), host=NAME)


class TestTls:
    def test_certificate_is_checked_against_the_name_and_sni_carries_it(self, authority: Authority):
        with receiver(tls=authority.context()) as there:
            assert post_to(there, way_out(trust=authority), host=NAME).status == 200

        assert there.server_name == NAME
        assert there.got[0].headers["host"] == f"{NAME}:{there.port}"

    def test_certificate_of_another_name_gets_nothing(self, authority: Authority):
        with receiver(tls=authority.context("other.example")) as there:
            said = trouble(there, way_out(trust=authority), host=NAME)

        assert "certificate does not verify" in said
        assert NAME in said
        assert there.got == []

    def test_untrusted_certificate_gets_no_request(self, authority: Authority):
        with receiver(tls=authority.context()) as there:
            assert "certificate does not verify" in trouble(there, way_out(), host=NAME)

        assert there.got == []

    def test_address_in_the_url_must_stand_in_the_certificate(self, authority: Authority):
        with receiver(tls=authority.context()) as there:
            assert post_to(there, way_out(trust=authority)).status == 200
        with receiver(tls=authority.context(NAME)) as there:
            assert "certificate does not verify" in trouble(there, way_out(trust=authority))

    def test_authority_may_be_named_by_a_variable(self, authority: Authority, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
        with receiver(tls=authority.context()) as there:
            assert post_to(there, way_out(), host=NAME).status == 200

    def test_server_without_tls_is_no_https(self, authority: Authority):
        with receiver() as there, pytest.raises(Unreachable, match=r"does not speak TLS|closed"):
            post(way_out(trust=authority), f"https://127.0.0.1:{there.port}/", b"", {})

    def test_server_that_never_finishes_the_handshake_is_given_up_in_time(self, authority: Authority):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            out = way_out(trust=authority, **HURRY)
            with pytest.raises(Unreachable, match="in time"):
                post(out, f"https://127.0.0.1:{deaf.getsockname()[1]}/", b"", {})


class TestLimits:
    @pytest.mark.parametrize(
        "behave",
        [
            silent,
            dripping(b""),
            dripping(b"HTTP/1.1 200 OK\r\nX-Long: "),
            dripping(b"HTTP/1.1 200 OK\r\n", b"X-Many: 1\r\n"),
            dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ],
        ids=["silent", "no status", "header that goes on", "headers without end", "always about to answer"],
    )
    def test_receiver_that_never_answers_is_given_up_in_time(self, behave: Behave):
        with receiver(behave) as there:
            assert "in time" in trouble(there, way_out(**HURRY))

    def test_slow_receiver_inside_tls_is_given_up_in_time(self, authority: Authority):
        with receiver(dripping(b"HTTP/1.1 200 OK\r\nX-Long: "), tls=authority.context()) as there:
            assert "in time" in trouble(there, way_out(trust=authority, http_s=0.5))

    def test_status_counts_though_the_body_never_ends(self):
        with receiver(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")) as there:
            assert post_to(there, way_out(http_s=2.5)).status == 200

    @pytest.mark.parametrize("length", [b"Content-Length: 99999999\r\n", b"", b"Transfer-Encoding: chunked\r\n"])
    def test_huge_body_is_read_no_further_than_its_beginning(self, length: bytes):
        beginning = b"HTTP/1.1 200 OK\r\n" + length + b"\r\n" + (b"fffffff\r\n" if b"chunked" in length else b"")
        with receiver(endless(beginning)) as there:
            got_back = post_to(there)

        assert got_back.status == 200
        assert len(got_back.body) == 64 * 1024

    def test_packed_body_is_not_unpacked(self):
        with receiver(answer(200, b"\x1f\x8b" + b"\0" * 8, content_encoding="gzip")) as there:
            assert post_to(there).body == b"\x1f\x8b" + b"\0" * 8

    def test_endless_head_is_given_up_at_the_byte_limit(self):
        with receiver(endless(b"HTTP/1.1 200 OK\r\n")) as there:
            assert trouble(there, way_out(received_bytes_max=100_000))

    def test_receiver_that_hangs_up_is_unreachable(self):
        with receiver(hang_up) as there:
            assert "closed without an answer" in trouble(there, way_out())

    @pytest.mark.parametrize("gibberish", [b"\0" * 100 + b"\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/9 x\r\n\r\n"])
    def test_receiver_that_speaks_something_else_is_unreachable(self, gibberish: bytes):
        with receiver(gibberish) as there:
            assert "connection failed" in trouble(there, way_out())

    def test_closed_port_is_unreachable(self):
        with receiver() as there:
            pass

        assert "refused" in trouble(there, way_out())

    def test_unknown_name_is_unreachable(self):
        def resolve(host: str, port: int) -> list[str]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        with receiver() as there:
            assert "cannot be looked up" in trouble(there, way_out(resolve=resolve), host=NAME)

    def test_name_server_that_does_not_answer_is_given_up_in_time(self):
        over = threading.Event()

        def resolve(host: str, port: int) -> list[str]:
            over.wait(20)
            return []

        with receiver() as there:
            assert "took too long" in trouble(there, way_out(resolve=resolve, **HURRY), host=NAME)
        over.set()

    def test_name_without_addresses_is_unreachable(self):
        with receiver() as there:
            assert "no address" in trouble(there, way_out(resolve=StubResolver([[]])), host=NAME)


def test_nothing_of_a_url_is_logged_even_at_debug_level(caplog: pytest.LogCaptureFixture):
    broken = b"HTTP/1.1 200 OK\r\nno header at all\r\nContent-Length: 0\r\n\r\n"
    with caplog.at_level(logging.DEBUG), receiver(OK, broken) as there:
        post_to(there, path="/bot123:hunter2/sendMessage")
        post_to(there, path="/bot123:hunter2/sendMessage")

    assert "hunter2" not in caplog.text


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("7", 7),
            (" 120 ", 120),
            ("Sat, 01 Nov 2025 12:01:40 GMT", 100),
            ("Sat, 01 Nov 2025 11:00:00 GMT", 0),
            ("", None),
            ("-5", None),
            ("soon", None),
            ("1.5", None),
            ("٧", None),
            ("9" * 5000, float("inf")),
            ("Sat, 99 Nov 2025 12:01:40 GMT", None),
        ],
    )
    def test_is_read_as_seconds_or_as_a_date(self, header: str, seconds: float | None):
        now_s = 1_761_998_400.0  # 2025-11-01 12:00 UTC

        assert HttpAnswer("a.example", 429, {"Retry-After": header}).retry_after_s(now_s) == seconds


class Both:
    """A listener on a second loopback address, at the port the first has."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_server((host, port))
        self._socket.setblocking(False)

    def __enter__(self) -> Both:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def was_called(self) -> bool:
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True
