"""One mail against a real server: TLS or nothing, pinned like everything else, in time, and refusals understood."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from bloop.base.errors import OutboundRefused, Unreachable
from bloop.outbound.smtp import MailDeclined, MailReceipt, SmtpServer, send_mail
from bloop.outbound.sockets import Outbound
from tests.mail_server import PASSWORDS, USER, MailServer, mail_server
from tests.receivers import NAME, Authority, StubResolver, receiver, way_out
from tests.receivers import Server as TcpServer

TO = ["ops@example.com"]
UNKNOWN = "certificate does not verify"


def letter() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "bloop@example.com", "ops@example.com", "Ünïcode"
    mail.set_content("bödy\n.\nafter a lone dot\n")
    return mail


def hand_over(port: int, out: Outbound, *, to: list[str] | None = None, **server: Any) -> MailReceipt:
    described = {"host": NAME, "starttls": True, **server}
    return send_mail(out, SmtpServer(port=port, **described), letter(), "bloop@example.com", to or TO)


@pytest.fixture
def secure(authority: Authority) -> Iterator[MailServer]:
    with mail_server(starttls=authority.context(), sign_in=True) as server:
        yield server


@pytest.mark.parametrize("password", PASSWORDS)
def test_mail_arrives_over_starttls_signed_in(secure: MailServer, authority: Authority, password: str):
    out = way_out(trust=authority)

    assert hand_over(secure.port, out, username=USER, password=password, greeting="errors.example.com") == (
        [],
        "250 OK",
    )
    (mail,), (envelope,) = secure.mails, secure.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("bloop@example.com", TO)
    assert mail["Subject"] == "Ünïcode"
    assert mail.get_content().splitlines() == ["bödy", ".", "after a lone dot"]
    assert secure.was_secure == [True]
    assert len(secure.signed_in) == 1
    assert secure.greeted_as[-1] == "errors.example.com"


def test_mail_arrives_over_tls_from_the_first_byte(authority: Authority):
    with mail_server(tls=authority.context()) as server:
        hand_over(server.port, way_out(trust=authority), starttls=False)

    assert len(server.mails) == 1


def test_name_is_looked_up_once(secure: MailServer, authority: Authority):
    resolve = StubResolver([["127.0.0.1"]])
    hand_over(secure.port, way_out(resolve=resolve, trust=authority), username=USER, password=PASSWORDS[0])

    assert resolve.asked == [NAME]


@pytest.mark.parametrize("host", [NAME, "127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "::1", f"{NAME}."])
@pytest.mark.parametrize("starttls", [True, False])
def test_server_in_a_private_network_is_refused_before_anything_is_sent(host: str, starttls: bool):
    with receiver() as there, pytest.raises(OutboundRefused, match="is this machine"):
        hand_over(there.port, way_out("192.0.2.7"), host=host, starttls=starttls)

    assert there.got == []


@pytest.mark.parametrize("host", ["", "user@mail.example", "mail.example\r\nRSET", "[fe80::1%eth0]", "1.2.3.4.5"])
def test_server_that_is_no_host_is_refused(host: str):
    with pytest.raises(OutboundRefused):
        hand_over(25, way_out(), host=host)


@pytest.mark.parametrize("starttls", [True, False])
def test_certificate_of_another_name_gets_neither_password_nor_mail(authority: Authority, starttls: bool):
    context = authority.context("other.example")
    sign_in = {"username": USER, "password": PASSWORDS[0]}
    with (
        mail_server(**{"starttls" if starttls else "tls": context}) as server,
        pytest.raises(Unreachable, match=UNKNOWN),
    ):
        hand_over(server.port, way_out(trust=authority), starttls=starttls, **sign_in)

    assert (server.mails, server.signed_in) == ([], [])


def test_untrusted_certificate_gets_no_request(authority: Authority):
    with mail_server(starttls=authority.context()) as server, pytest.raises(Unreachable, match=UNKNOWN):
        hand_over(server.port, way_out())

    assert server.mails == []


def test_server_without_starttls_gets_neither_password_nor_mail():
    with mail_server() as server, pytest.raises(OutboundRefused, match="STARTTLS"):
        hand_over(server.port, way_out(), username=USER, password=PASSWORDS[0])

    assert (server.mails, server.signed_in) == ([], [])


def test_server_that_speaks_no_tls_at_the_first_byte_is_unreachable(authority: Authority):
    with mail_server() as server, pytest.raises(Unreachable, match=r"TLS|closed"):
        hand_over(server.port, way_out(trust=authority), starttls=False)


def test_wrong_password_is_declined_for_good_and_not_shown(secure: MailServer, authority: Authority):
    with pytest.raises(MailDeclined) as caught:
        hand_over(secure.port, way_out(trust=authority), username=USER, password="wrong-hunter3")

    assert (caught.value.code, caught.value.is_temporary) == (535, False)
    assert "hunter3" not in str(caught.value)


@pytest.mark.parametrize(
    ("unknown", "password", "reason"),
    [
        (("PLAIN", "LOGIN"), "hunter2", "authentication method"),
        (("PLAIN", "LOGIN"), "hünter2", "ASCII"),
        (("PLAIN",), "hünter2", "ASCII"),
    ],
)
def test_server_that_knows_no_way_to_sign_in_gets_no_mail(
    authority: Authority, unknown: tuple[str, ...], password: str, reason: str
):
    context, out = authority.context(), way_out(trust=authority)
    with mail_server(starttls=context, unknown=unknown) as server, pytest.raises(OutboundRefused, match=reason):
        hand_over(server.port, out, username=USER, password=password)

    assert (server.mails, server.signed_in) == ([], [])


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(("reply", "is_temporary"), [("451 try later", True), ("550 5.1.1 not here", False)])
def test_refusal_at_any_step_is_permanent_or_temporary(authority: Authority, step: str, reply: str, is_temporary: bool):
    context, out = authority.context(), way_out(trust=authority)
    with mail_server(starttls=context, replies={step: reply}) as server, pytest.raises(MailDeclined) as caught:
        hand_over(server.port, out)

    assert caught.value.is_temporary is is_temporary
    assert str(caught.value) == f"{NAME} answered {reply}"


def test_mail_goes_to_accepted_recipients_and_names_the_refused_ones(authority: Authority):
    replies = {"gone@example.com": "550 no such user"}
    with mail_server(starttls=authority.context(), replies=replies) as server:
        left_out = hand_over(server.port, way_out(trust=authority), to=["gone@example.com", *TO])

    assert left_out.refused == ["gone@example.com"]
    assert server.envelopes[0].rcpt_tos == TO


def test_when_no_recipient_is_accepted_a_temporary_answer_wins(authority: Authority):
    replies = {"gone@example.com": "550 no such user", "full@example.com": "452 mailbox full"}
    with mail_server(starttls=authority.context(), replies=replies) as server, pytest.raises(MailDeclined) as caught:
        hand_over(server.port, way_out(trust=authority), to=["gone@example.com", "full@example.com"])

    assert (caught.value.code, caught.value.is_temporary) == (452, True)


# Servers that are none


@contextlib.contextmanager
def saying(*pieces: bytes, again: bytes = b"", hang_up: bool = False) -> Iterator[int]:
    """The port of a server that says the pieces, then `again` for ever, whatever it is told."""
    stopping = socket.socketpair()

    def serve(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            for piece in pieces:
                sock.sendall(piece)
            stopping[1].settimeout(0.02)
            while not hang_up:
                with contextlib.suppress(TimeoutError):
                    stopping[1].recv(1, socket.MSG_PEEK)
                    return
                sock.sendall(again)

    server = TcpServer("127.0.0.1", serve)
    try:
        yield server.port
    finally:
        stopping[0].close()
        server.close()
        stopping[1].close()


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b""),
        (b"", b"x"),
        (b"", b"220-still here\r\n"),
        (b"220 mail.example\r\n", b""),
        (b"220 m\r\n", b"250-X\r\n"),
    ],
    ids=["silent", "drips", "greets for ever", "greets and falls silent", "lists extensions for ever"],
)
def test_server_that_never_finishes_is_given_up_in_time(first: bytes, again: bytes):
    with saying(first, again=again) as port, pytest.raises(Unreachable, match="in time"):
        hand_over(port, way_out(smtp_s=0.4))


def test_server_that_sends_without_end_is_given_up_at_the_byte_limit():
    with saying(again=b"220-" + b"x" * 4000 + b"\r\n") as port, pytest.raises(Unreachable):
        hand_over(port, way_out(received_bytes_max=20_000))


def test_server_that_hangs_up_is_unreachable():
    with saying(b"220 hello\r\n", hang_up=True) as port, pytest.raises(Unreachable, match="closed without an answer"):
        hand_over(port, way_out())


def test_server_that_is_busy_is_declined_for_now():
    with saying(b"421 too many connections\r\n") as port, pytest.raises(MailDeclined) as caught:
        hand_over(port, way_out())

    assert caught.value.is_temporary


def test_closed_port_is_unreachable():
    with saying() as port:
        pass

    with pytest.raises(Unreachable, match="refused"):
        hand_over(port, way_out())
