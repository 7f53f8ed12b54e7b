"""Mail, through the server in [smtp]. Plain text: every client shows it alike and loads nothing from it.

The Message-ID holds the delivery's key, so that clients merge a repeated mail with the first one.
"""

from __future__ import annotations

import email.charset
import email.utils
import re
from collections.abc import Mapping
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText
from typing import Any
from urllib.parse import urlsplit

from bloop.alerts.channels import text
from bloop.alerts.channels.delivery import Delivery
from bloop.alerts.channels.fields import Fields
from bloop.alerts.channels.results import REASON_CHARS_MAX, Result, excerpt_of
from bloop.alerts.message import AlertMessage
from bloop.base.config import Settings
from bloop.base.errors import InvalidField, OutboundRefused
from bloop.outbound.smtp import MailDeclined, SmtpServer, send_mail
from bloop.outbound.urls import host_name

RECIPIENTS_MAX = 10
ADDRESS_CHARS_MAX = 254
SUBJECT_CHARS_MAX = 180

_UTF8 = email.charset.Charset("utf-8")
_UTF8.body_encoding = email.charset.QP
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")


def check(fields: Fields) -> dict[str, Any]:
    fields.reject_unknown("to")
    addresses = [part.strip() for part in (fields.text("to") or "").split(",")]
    if len(addresses) > RECIPIENTS_MAX:
        raise InvalidField("config.to", f"to must be at most {RECIPIENTS_MAX} addresses")
    return {"to": ", ".join(map(_validate_address, addresses))}


def target(config: Mapping[str, Any]) -> str:
    return str(config["to"])


def redacted(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"to": config["to"]}


def send(config: Mapping[str, Any], message: AlertMessage, delivery: Delivery) -> Result:
    recipients = str.split(config["to"], ", ")  # TypeError unless it is text
    smtp = delivery.settings.smtp
    if not smtp.enabled:
        return Result("skipped", "mail is switched off: smtp.enabled is false")
    server = SmtpServer(smtp.host, smtp.port, smtp.starttls, smtp.username, smtp.password, _greeting(delivery.settings))
    sender = email.utils.parseaddr(smtp.from_)[1]
    letter = mail(message, smtp.from_, recipients, key=delivery.key, at_s=delivery.now_s())
    try:
        receipt = send_mail(delivery.out, server, letter, sender, recipients)
    except MailDeclined as error:
        detail = text.one_line(str(error), REASON_CHARS_MAX * 2)
        answer = excerpt_of(error.reply, ())
        return Result("retry" if error.is_temporary else "failed", detail, error.code, answer=answer)
    left_out = f", which refused it for {', '.join(receipt.refused)}" if receipt.refused else ""
    return Result("sent", f"handed to {smtp.host}{left_out}", 250, answer=excerpt_of(receipt.reply, ()))


def mail(message: AlertMessage, sender: str, recipients: list[str], *, key: str, at_s: float) -> Message:
    """Uses the older classes of the standard library: the newer ones fold some subjects wrongly and decode encoded
    words in them, line breaks included (3.11).
    """
    letter = MIMEText(body(message), "plain", _UTF8)  # type: ignore[arg-type]  # a Charset works too
    name, address = email.utils.parseaddr(sender)
    letter["From"] = email.utils.formataddr((name, address))
    letter["To"] = ", ".join(recipients)
    letter["Subject"] = _header(_subject(message))  # type: ignore[assignment]  # the older classes accept it
    letter["Date"] = email.utils.formatdate(at_s)
    letter["Message-ID"] = f"<{key}@{address.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"  # so that no auto-responder answers
    letter["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    return letter


def body(message: AlertMessage) -> str:
    lines = [text.sentence(message), *(f"- {line}" for line in text.more_lines(message)), ""]
    if message.issue:
        title, details = text.one_line(message.issue.title, 300), text.one_line(message.issue.message, 1000)
        lines += [title, *([details] if details not in title else []), ""]
    lines += [f"{fact.label}: {fact.value}" for fact in text.facts(message)]
    if message.issue:
        lines.append(f"Fingerprint: {text.one_line(message.issue.fingerprint, 256)}")
    lines += ["", message.url, "", f"Sent by the bloop alert rule {text.one_line(message.rule_name, 100)}."]
    return "\n".join(lines) + "\n"


def _subject(message: AlertMessage) -> str:
    """The rule first, for mail filters; then the issue, for people who read only subjects."""
    rule = text.one_line(message.rule_name, text.NAME_CHARS_MAX)
    about = f": {message.issue.short_id} {message.issue.title}" if message.issue else ""
    return text.one_line(f"[bloop alert] {rule}{about}", SUBJECT_CHARS_MAX)


def _header(content: str) -> Header:
    """Only we create encoded words: text that looks like one in an error message stays as it is."""
    charset = "us-ascii" if content.isascii() else "utf-8"
    return Header(content.replace("=?", "= ?"), charset, maxlinelen=76, header_name="Subject")


def _validate_address(address: str) -> str:
    local, at, domain = address.rpartition("@")
    try:
        if not at or len(address) > ADDRESS_CHARS_MAX or not _LOCAL.fullmatch(local) or ":" in domain:
            raise InvalidField("config.to", "invalid email address")
        return f"{local}@{host_name(domain)}"
    except OutboundRefused:
        raise InvalidField("config.to", "invalid email address") from None


def _greeting(settings: Settings) -> str:
    """bloop's public host name, for EHLO: mail servers check it."""
    host = urlsplit(settings.auth.rp_origin).hostname or "localhost"
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]" if host.replace(".", "").isdigit() else host
