"""Plain text mail through the server in [smtp]: every client shows it alike and loads nothing from it.

MAIL-1  Texts that users or clients wrote never become a header of their own: line breaks are refused by the callers'
    one-line texts, and what looks like an encoded word is taken apart.
"""

from __future__ import annotations

import email.charset
import email.utils
import re
from collections.abc import Sequence
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText
from urllib.parse import urlsplit

from bloop.base.config import Settings
from bloop.base.errors import OutboundRefused
from bloop.outbound.smtp import SmtpServer
from bloop.outbound.urls import host_name

ADDRESS_CHARS_MAX = 254
OFF = "mail is switched off: smtp.enabled is false"

_UTF8 = email.charset.Charset("utf-8")
_UTF8.body_encoding = email.charset.QP
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")


def smtp_server(settings: Settings) -> SmtpServer:
    smtp = settings.smtp
    return SmtpServer(smtp.host, smtp.port, smtp.starttls, smtp.username, smtp.password, _greeting(settings))


def sender_address(settings: Settings) -> str:
    """The address alone, for the envelope."""
    return email.utils.parseaddr(settings.smtp.from_)[1]


def plain_letter(
    *, sender: str, recipients: Sequence[str], subject: str, body: str, message_id: str, at_s: float
) -> Message:
    """A letter to `recipients`; `message_id` is unique to it, without the domain.

    Uses the older classes of the standard library: the newer ones fold some subjects wrongly and decode encoded words
    in them, line breaks included (3.11).
    """
    letter = MIMEText(body, "plain", _UTF8)  # type: ignore[arg-type]  # a Charset works too
    name, address = email.utils.parseaddr(sender)
    letter["From"] = email.utils.formataddr((name, address))
    letter["To"] = ", ".join(recipients)
    letter["Subject"] = _header(subject)  # type: ignore[assignment]  # the older classes accept it
    letter["Date"] = email.utils.formatdate(at_s)
    letter["Message-ID"] = f"<{message_id}@{address.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"  # so that no auto-responder answers
    letter["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    return letter


def checked_address(address: str) -> str:
    """The address with its domain in ASCII. Raises: OutboundRefused."""
    local, at, domain = address.rpartition("@")
    if not at or len(address) > ADDRESS_CHARS_MAX or not _LOCAL.fullmatch(local) or ":" in domain:
        raise OutboundRefused("invalid email address")
    return f"{local}@{host_name(domain)}"


def _header(content: str) -> Header:
    """Only we create encoded words: text that looks like one in an error message stays as it is."""
    charset = "us-ascii" if content.isascii() else "utf-8"
    return Header(content.replace("=?", "= ?"), charset, maxlinelen=76, header_name="Subject")


def _greeting(settings: Settings) -> str:
    """bloop's public host name, for EHLO: mail servers check it."""
    host = urlsplit(settings.auth.rp_origin).hostname or "localhost"
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]" if host.replace(".", "").isdigit() else host
