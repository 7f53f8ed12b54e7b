"""Sends one mail over TLS, implicit or by STARTTLS, to a server with a valid certificate.

A server without TLS gets neither the password nor the mail. Its refusals are passed on, since the operator chose the
server; the caller truncates and cleans them.
"""

from __future__ import annotations

import base64
import contextlib
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, NamedTuple

from bloop.base.errors import OutboundError, OutboundRefused, Unreachable
from bloop.outbound.sockets import Bounds, Outbound, PlainSocket, TlsSocket, reason_of
from bloop.outbound.urls import host_name

SIGNED_IN = 235


@dataclass(frozen=True, slots=True)
class SmtpServer:
    host: str
    port: int
    starttls: bool
    username: str = ""
    password: str = field(default="", repr=False)
    greeting: str = "localhost"  # the name in EHLO


class MailReceipt(NamedTuple):
    """The server took the mail, except for the recipients in `refused`. `reply` is its last line, as it came."""

    refused: list[str]
    reply: str


class MailDeclined(OutboundError):
    """The server refused the mail. `is_temporary`: a later try may succeed (4xx). `reply` is its text alone."""

    def __init__(self, reason: str, code: int, *, is_temporary: bool, reply: str = "") -> None:
        super().__init__(reason, code)
        self.reason, self.code, self.is_temporary, self.reply = reason, code, is_temporary, reply

    def __str__(self) -> str:
        return self.reason


def send_mail(out: Outbound, server: SmtpServer, mail: Message, sender: str, recipients: Sequence[str]) -> MailReceipt:
    """Send `mail`.

    Raises:
        OutboundRefused: the server's address is not allowed, or it offers no TLS or sign-in.
        Unreachable: no answer in time.
        MailDeclined: the server refused the mail.
    """
    host = host_name(server.host.strip("[]"))
    bounds = out.bounds(out.limits.smtp_s)
    session: _Session | None = None
    try:
        session = _Session(out, server, host, bounds)
        session.begin(server)
        refused = session.send_message(mail, sender, list(recipients))
        with contextlib.suppress(OSError):  # the server has the mail; errors of QUIT do not matter
            session.quit()
        return MailReceipt(list(refused), session.reply)
    except smtplib.SMTPRecipientsRefused as error:
        raise _declined(host, *_least_permanent(list(error.recipients.values()))) from None
    except smtplib.SMTPResponseException as error:
        raise _declined(host, error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPServerDisconnected as error:
        timed_out = isinstance(error.__context__, TimeoutError)
        raise Unreachable(f"{host}: {reason_of(TimeoutError() if timed_out else ConnectionResetError())}") from error
    except smtplib.SMTPException as error:  # no STARTTLS, no common sign-in method; smtplib's own text
        raise OutboundRefused(f"{host}: {error}") from None
    except OSError as error:
        raise Unreachable(f"{host}: {reason_of(error)}") from error
    finally:
        if session is not None:
            session.close()


class _Session(smtplib.SMTP):
    """smtplib's client on our sockets: it opens none itself."""

    sock: PlainSocket | TlsSocket | None
    reply = ""  # to the mail's text

    def __init__(self, out: Outbound, server: SmtpServer, host: str, bounds: Bounds) -> None:
        self._out, self._bounds, self._implicit_tls = out, bounds, not server.starttls
        super().__init__(host, server.port, server.greeting, timeout=bounds.seconds)

    def connect(self, host: str = "", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """Called by smtplib's `__init__` with its host and port. Reads the greeting."""
        sock = self._out.connect(host, port, self._bounds)
        self.sock = self._out.secure(sock, host) if self._implicit_tls else sock
        return self.getreply()

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Called by smtplib's `sendmail`, which does not pass on what the server answers."""
        code, reply = super().data(msg)
        self.reply = f"{code} {reply.decode('utf-8', 'replace')}".rstrip()
        return code, reply

    def begin(self, server: SmtpServer) -> None:
        """Start TLS if needed and sign in. Raises: OSError, also as smtplib's errors."""
        if server.starttls:
            self.starttls(context=self._out.tls())
            assert isinstance(self.sock, TlsSocket)
            self.sock.bounds = self._bounds
        if server.username:
            self._sign_in(server.username, server.password)

    def _sign_in(self, username: str, password: str) -> None:
        """Sign in by smtplib for ASCII, else by PLAIN in UTF-8 (RFC 4616): smtplib supports only ASCII."""
        if (username + password).isascii():
            self.login(username, password)
            return
        self.ehlo_or_helo_if_needed()
        if "PLAIN" not in self.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError("it takes no user or password with characters outside ASCII")
        proof = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        code, reply = self.docmd("AUTH", f"PLAIN {proof}")
        if code != SIGNED_IN:
            raise smtplib.SMTPAuthenticationError(code, reply)


def _least_permanent(replies: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    """The least permanent of several refusals."""
    return min(replies, key=lambda reply: reply[0])


def _declined(host: str, code: int, reply: bytes | str) -> MailDeclined:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return MailDeclined(
        f"{host} answered {code} {text}".rstrip(), code, is_temporary=not 500 <= code < 600, reply=f"{code} {text}"
    )
