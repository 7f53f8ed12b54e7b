"""Sends an invitation by mail, where [smtp] is set. The link is shown to the inviting person in any case.

INVITE-MAIL-1  The mail is sent after the invitation is stored, outside of the transaction. Whatever becomes of it, the
    invitation is valid; the outcome says in a sentence what happened.
INVITE-MAIL-2  A server that is slow holds a thread of the pages for up to 20 s: at most SENDING_AT_ONCE in a process.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

from bloop.accounts.invites.store import TTL_S, NewInvite
from bloop.base.config import Settings
from bloop.base.errors import InvalidField, OutboundError, OutboundRefused
from bloop.outbound.mail import OFF, checked_address, plain_letter, sender_address, smtp_server
from bloop.outbound.smtp import send_mail
from bloop.outbound.sockets import Outbound

SENDING_AT_ONCE = 2
DETAIL_CHARS_MAX = 300
DAY_S = 86_400

_sending = threading.BoundedSemaphore(SENDING_AT_ONCE)  # per process


class MailOutcome(NamedTuple):
    """`detail` is safe to show: who took the mail, or why it was not sent."""

    sent: bool
    detail: str


def validated_email(address: str) -> str:
    """The address as stored, `""` for none. Raises: InvalidField."""
    address = address.strip()
    try:
        return checked_address(address) if address else ""
    except OutboundRefused:
        raise InvalidField("email", "invalid email address") from None


def send_invitation(
    settings: Settings,
    invite: NewInvite,
    url: str,
    *,
    email: str,
    name: str,
    invited_by: str,
    out: Outbound | None = None,
) -> MailOutcome:
    """Send the link to `email`; never raises."""
    if not settings.smtp.enabled:
        return MailOutcome(False, OFF)
    if not _sending.acquire(blocking=False):
        return MailOutcome(False, "other mails are being sent: try again in a minute")
    try:
        letter = plain_letter(
            sender=settings.smtp.from_,
            recipients=[email],
            subject="Your invitation to bloop",
            body=_body(settings, url, name=name, invited_by=invited_by),
            message_id=invite.id,
            at_s=invite.created_at,
        )
        sender = sender_address(settings)
        send_mail(out or Outbound.of(settings), smtp_server(settings), letter, sender, [email])
    except OutboundError as error:
        return MailOutcome(False, " ".join(str(error).split())[:DETAIL_CHARS_MAX])
    finally:
        _sending.release()
    return MailOutcome(True, f"handed to {settings.smtp.host}")


def _body(settings: Settings, url: str, *, name: str, invited_by: str) -> str:
    origin = settings.auth.rp_origin.rstrip("/")
    inviter = f"{invited_by} invites you" if invited_by else "You are invited"
    lines = [
        f"Hello {name}," if name else "Hello,",
        "",
        f"{inviter} to bloop at {origin}, where errors of your applications are collected.",
        "",
        f"Create your account with a passkey, within {TTL_S // DAY_S} days:",
        url,
        "",
        "The link works once. If you did not expect it, ignore this mail.",
    ]
    return "\n".join(lines) + "\n"
