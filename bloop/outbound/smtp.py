"""One mail: over TLS, from the first byte or by STARTTLS, to a server whose certificate verifies.

A server that does not offer TLS gets neither the password nor the mail. What it says when it refuses is passed on, for
the operator chose the server; it is cut and cleaned by whoever shows it.
"""

from __future__ import annotations

import base64
import contextlib
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

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
    greeting: str = "localhost"  # the name we introduce ourselves by


class MailDeclined(OutboundError):
    """The server took part and said no. `passing`: it may think better of it (4xx)."""

    def __init__(self, reason: str, code: int, *, passing: bool) -> None:
        super().__init__(reason, code)
        self.reason, self.code, self.passing = reason, code, passing

    def __str__(self) -> str:
        return self.reason


def send_mail(out: Outbound, server: SmtpServer, mail: Message, sender: str, recipients: Sequence[str]) -> list[str]:
    """Hand `mail` over; the recipients the server turned down while it took the mail for others.

    Raises:
        OutboundRefused: the server is not where bloop sends to, or offers no TLS or sign-in.
        Unreachable: there was no answer, or none in time.
        Declined: the server said no.
    """
    host = host_name(server.host.strip("[]"))
    bounds = out.bounds(out.limits.smtp_s)
    session: _Session | None = None
    try:
        session = _Session(out, server, host, bounds)
        session.begin(server)
        refused = session.send_message(mail, sender, list(recipients))
        with contextlib.suppress(OSError):  # the mail is theirs now, whatever they say to our goodbye
            session.quit()
        return list(refused)
    except smtplib.SMTPRecipientsRefused as error:
        raise _declined(host, *_gentlest(list(error.recipients.values()))) from None
    except smtplib.SMTPResponseException as error:
        raise _declined(host, error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPServerDisconnected as error:
        timed_out = isinstance(error.__context__, TimeoutError)
        raise Unreachable(f"{host}: {reason_of(TimeoutError() if timed_out else ConnectionResetError())}") from error
    except smtplib.SMTPException as error:  # no STARTTLS, no way to sign in that both know; smtplib's own words
        raise OutboundRefused(f"{host}: {error}") from None
    except OSError as error:
        raise Unreachable(f"{host}: {reason_of(error)}") from error
    finally:
        if session is not None:
            session.close()


class _Session(smtplib.SMTP):
    """smtplib's client on our sockets: it opens none by itself."""

    sock: PlainSocket | TlsSocket | None

    def __init__(self, out: Outbound, server: SmtpServer, host: str, bounds: Bounds) -> None:
        self._out, self._bounds, self._implicit_tls = out, bounds, not server.starttls
        super().__init__(host, server.port, server.greeting, timeout=bounds.seconds)

    def connect(self, host: str = "", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        """smtplib's `__init__` calls it with the host and port given there. Reads the greeting."""
        sock = self._out.connect(host, port, self._bounds)
        self.sock = self._out.secure(sock, host) if self._implicit_tls else sock
        return self.getreply()

    def begin(self, server: SmtpServer) -> None:
        """TLS if it is not there yet, and sign-in. Raises: OSError, smtplib's among them."""
        if server.starttls:
            self.starttls(context=self._out.tls())
            assert isinstance(self.sock, TlsSocket)
            self.sock.bounds = self._bounds
        if server.username:
            self._sign_in(server.username, server.password)

    def _sign_in(self, username: str, password: str) -> None:
        """smtplib's own way where it can; it knows ASCII only. PLAIN is UTF-8 (RFC 4616)."""
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


def _gentlest(replies: list[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Of several refusals the one that leaves most hope."""
    return min(replies, key=lambda reply: reply[0])


def _declined(host: str, code: int, reply: bytes | str) -> MailDeclined:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return MailDeclined(f"{host} answered {code} {text}".rstrip(), code, passing=not 500 <= code < 600)
