"""A real SMTP server on loopback that keeps what it is sent, and refuses what it is told to refuse."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER = "alerts@example.com"
PASSWORDS = ("hunter2", "hünter2")  # either will do


@dataclass
class MailServer:
    """`replies` are by step (`MAIL`, `RCPT`, `DATA`) or by recipient; what is not named there is taken."""

    replies: dict[str, str] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Any] = field(default_factory=list)
    greeted_as: list[str] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    was_secure: list[bool] = field(default_factory=list)
    port: int = 0

    # What aiosmtpd asks

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, responses: Any) -> Any:
        session.host_name = hostname
        self.greeted_as.append(hostname)
        return responses

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        envelope.mail_from = address
        return self.replies.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        reply = self.replies.get(address) or self.replies.get("RCPT") or "250 OK"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        reply = self.replies.get("DATA", "250 OK")
        if reply.startswith("2"):
            self.envelopes.append(envelope)
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
            self.was_secure.append(server.transport.get_extra_info("sslcontext") is not None)
        return reply

    def sign_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        known = [LoginPassword(USER.encode(), password.encode()) for password in PASSWORDS]
        good = isinstance(data, LoginPassword) and data in known
        if good:
            self.signed_in.append(mechanism)
        return AuthResult(success=good, handled=False)


@contextlib.contextmanager
def mail_server(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    replies: dict[str, str] | None = None,
    sign_in: bool = False,
    unknown: Sequence[str] = (),
) -> Iterator[MailServer]:
    """Plain, with STARTTLS, or with TLS from the first byte; `sign_in` insists on USER and one of PASSWORDS.

    `unknown` are the ways of signing in that it does not know.
    """
    server = MailServer(replies or {})
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server.port = probe.getsockname()[1]
    controller = Controller(
        server,
        hostname="127.0.0.1",
        port=server.port,
        ssl_context=tls,
        server_hostname="mail.example",
        tls_context=starttls,
        require_starttls=starttls is not None,
        authenticator=server.sign_in if sign_in else None,
        auth_required=sign_in,
        auth_exclude_mechanism=unknown,
        auth_require_tls=starttls is not None,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
