"""Challenges of passkey ceremonies, without a table that anonymous requests could fill.

CHALLENGE-1  A challenge goes to the browser and comes back inside a sealed note, the `challenge_id`, which holds its
             purpose, user and expiry. Nothing is stored until an answer has verified, so a flood of requests costs
             no memory and ends no other ceremony.
CHALLENGE-2  Only this installation's own key seals notes. It is not the signing secret: that one is also the key of a
             project, and every application that sends events knows it.
CHALLENGE-3  A note opens only for the purpose it was sealed for, and for CHALLENGE_TTL_S.
CHALLENGE-4  The transaction that acts on an answer also spends its challenge (accounts/passkeys/store.py): it works
             once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum

import orjson

from bloop.base.errors import Declined

CHALLENGE_BYTES = 32
CHALLENGE_TTL_S = 120
NOTE_LENGTH_MAX = 2048
_SEAL_BYTES = 32


class Purpose(StrEnum):
    SIGN_IN = "sign-in"
    SET_UP = "set-up"  # the first account
    INVITE = "invite"
    ADD = "add"  # another passkey of a signed-in user


@dataclass(frozen=True, slots=True)
class Challenge:
    """`user_id` and `username` are those of the account to create, or of the user who adds a passkey.

    `proof` is the hash of the link that permits creating the account.
    """

    purpose: Purpose
    nonce: bytes
    expires_at_ms: int
    user_id: str = ""
    username: str = ""
    proof: str = ""


def new_challenge(
    purpose: Purpose, now_ms: int, *, user_id: str = "", username: str = "", proof: str = ""
) -> Challenge:
    nonce = secrets.token_bytes(CHALLENGE_BYTES)
    return Challenge(purpose, nonce, now_ms + CHALLENGE_TTL_S * 1000, user_id, username, proof)


def seal(key: bytes, challenge: Challenge) -> str:
    """The note, as base64url text."""
    account = [challenge.user_id, challenge.username, challenge.proof]
    body = orjson.dumps([challenge.purpose, challenge.nonce.hex(), challenge.expires_at_ms, *account])
    return base64.urlsafe_b64encode(_sign(key, body) + body).rstrip(b"=").decode()


def unseal(key: bytes, note: str, purpose: Purpose, now_ms: int) -> Challenge:
    """The challenge of a note that we sealed for this purpose and that has not expired.

    Raises:
        Declined: for any other note.
    """
    sealed = _decode(note) if len(note) <= NOTE_LENGTH_MAX else b""
    signature, body = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    if not hmac.compare_digest(signature, _sign(key, body)):
        raise Declined("challenge expired or invalid")
    kind, nonce, expires_at_ms, *account = orjson.loads(body)  # we wrote it
    if expires_at_ms <= now_ms:
        raise Declined("challenge expired or invalid")
    if kind != purpose:
        raise Declined("wrong challenge type")
    return Challenge(purpose, bytes.fromhex(nonce), expires_at_ms, *account)


def _sign(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)


def _decode(note: str) -> bytes:
    try:
        return base64.b64decode(note.encode("ascii") + b"=" * (-len(note) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""
