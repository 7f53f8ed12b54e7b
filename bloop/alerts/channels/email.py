"""Mail, through the server in [smtp]. Plain text: every client shows it alike and loads nothing from it.

The Message-ID holds the delivery's key, so that clients merge a repeated mail with the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from typing import Any

from bloop.alerts.channels import text
from bloop.alerts.channels.delivery import Delivery
from bloop.alerts.channels.fields import Fields
from bloop.alerts.channels.results import REASON_CHARS_MAX, Result, excerpt_of
from bloop.alerts.message import AlertMessage
from bloop.base.errors import InvalidField, OutboundRefused
from bloop.outbound.mail import OFF, checked_address, plain_letter, sender_address, smtp_server
from bloop.outbound.smtp import MailDeclined, send_mail

RECIPIENTS_MAX = 10
SUBJECT_CHARS_MAX = 180


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
        return Result("skipped", OFF)
    letter = mail(message, smtp.from_, recipients, key=delivery.key, at_s=delivery.now_s())
    server, sender = smtp_server(delivery.settings), sender_address(delivery.settings)
    try:
        receipt = send_mail(delivery.out, server, letter, sender, recipients)
    except MailDeclined as error:
        detail = text.one_line(str(error), REASON_CHARS_MAX * 2)
        answer = excerpt_of(error.reply, ())
        return Result("retry" if error.is_temporary else "failed", detail, error.code, answer=answer)
    left_out = f", which refused it for {', '.join(receipt.refused)}" if receipt.refused else ""
    return Result("sent", f"handed to {smtp.host}{left_out}", 250, answer=excerpt_of(receipt.reply, ()))


def mail(message: AlertMessage, sender: str, recipients: list[str], *, key: str, at_s: float) -> Message:
    return plain_letter(
        sender=sender, recipients=recipients, subject=_subject(message), body=body(message), message_id=key, at_s=at_s
    )


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


def _validate_address(address: str) -> str:
    try:
        return checked_address(address)
    except OutboundRefused:
        raise InvalidField("config.to", "invalid email address") from None
