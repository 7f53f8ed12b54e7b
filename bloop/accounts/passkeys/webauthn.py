"""WebAuthn: builds the options for the browser and verifies its answer.

WEBAUTHN-1  An answer counts only for our origin, our relying party and our challenge, and only if the authenticator
            verified the user (PIN, fingerprint, face), not merely their presence.
WEBAUTHN-2  Passkeys are discoverable: sign-in names no user, so the sign-in page reveals no accounts or credentials,
            and there is no user name to guess.
WEBAUTHN-3  A signature counter that does not rise, on an authenticator that has one, means that the passkey was
            copied. It is checked after the signature: only the holder of the private key can make a passkey look
            copied.

The library that verifies answers takes 25 MB and a third of a second to import (measured), so a process imports it
with the first answer; the options for the browser are plain dicts.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bloop.accounts.passkeys.challenges import CHALLENGE_TTL_S, Challenge
from bloop.accounts.passkeys.read import PasskeyRow
from bloop.base.redact import strike_from_quotation

RP_NAME = "bloop"
HANDLE_BYTES_MAX = 64
_ALGORITHMS = (-8, -7, -257)  # EdDSA, ES256, RS256 (IANA COSE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class NotVerified(Exception):
    """The answer does not verify. The message is for the log: the client learns only that it failed."""


class CopiedPasskey(NotVerified):
    """A good signature with a counter that did not rise (WEBAUTHN-3)."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Our identity towards the browser."""

    id: str
    origin: str

    @classmethod
    def of(cls, rp_id: str, rp_origin: str) -> RelyingParty:
        """From the settings. The origin as browsers write it: lower case, no default port, no slash at the end."""
        url = urlsplit(rp_origin)
        host = (url.hostname or "").lower()
        host = f"[{host}]" if ":" in host else host
        port = f":{url.port}" if url.port not in (None, _DEFAULT_PORTS.get(url.scheme)) else ""
        return cls(rp_id.lower(), f"{url.scheme}://{host}{port}")


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """The values to store after a verified registration."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    is_synced: bool
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerifiedSignIn:
    """The values to store after a verified sign-in."""

    sign_count: int
    is_synced: bool


def creation_options(rp: RelyingParty, challenge: Challenge, existing: Iterable[PasskeyRow] = ()) -> dict[str, Any]:
    """For `navigator.credentials.create`, binary members as base64url. Authenticators refuse `existing` passkeys."""
    return {
        "rp": {"name": RP_NAME, "id": rp.id},
        "user": {
            "id": to_base64url(handle_of(challenge.user_id)),
            "name": challenge.username,
            "displayName": challenge.username,
        },
        "challenge": to_base64url(challenge.nonce),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in _ALGORITHMS],
        "timeout": CHALLENGE_TTL_S * 1000,
        "excludeCredentials": [
            {"type": "public-key", "id": to_base64url(row.credential_id), "transports": row.transports.split()}
            for row in existing
        ],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }


def request_options(rp: RelyingParty, challenge: Challenge) -> dict[str, Any]:
    """For `navigator.credentials.get`. No list of credentials (WEBAUTHN-2): the browser offers the ones it has."""
    return {
        "challenge": to_base64url(challenge.nonce),
        "timeout": CHALLENGE_TTL_S * 1000,
        "rpId": rp.id,
        "allowCredentials": [],
        "userVerification": "required",
    }


def reason_of(error: NotVerified) -> str:
    """Why, for the log: up to where the library quotes what the browser sent."""
    return strike_from_quotation(str(error).partition(":")[0])


def verify_registration(rp: RelyingParty, challenge: Challenge, answer: Mapping[str, Any]) -> NewPasskey:
    """Raises: NotVerified."""
    from webauthn import verify_registration_response
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    try:
        verified = verify_registration_response(
            credential=dict(answer),
            expected_challenge=challenge.nonce,
            expected_rp_id=rp.id,
            expected_origin=rp.origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(algorithm) for algorithm in _ALGORITHMS],
        )
    except Exception as error:  # it parses untrusted CBOR, certificates and keys: every exception means no
        raise NotVerified(str(error)) from error
    listed = answer["response"].get("transports")
    transports = tuple(t for t in listed if isinstance(t, str)) if isinstance(listed, list) else ()
    return NewPasskey(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        is_synced=verified.credential_backed_up,
        transports=transports,
    )


def verify_sign_in(
    rp: RelyingParty, challenge: Challenge, answer: Mapping[str, Any], passkey: PasskeyRow
) -> VerifiedSignIn:
    """Raises: NotVerified; CopiedPasskey when only the counter is wrong."""
    from webauthn import verify_authentication_response

    try:
        verified = verify_authentication_response(
            credential=dict(answer),
            expected_challenge=challenge.nonce,
            expected_rp_id=rp.id,
            expected_origin=rp.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # the library checks it before the signature, we after (WEBAUTHN-3)
            require_user_verification=True,
        )
    except Exception as error:  # as above
        raise NotVerified(str(error)) from error
    handle = answer["response"].get("userHandle")
    if handle and handle != to_base64url(handle_of(passkey.user_id)):
        raise NotVerified("the user handle belongs to another user")
    if (verified.new_sign_count or passkey.sign_count) and verified.new_sign_count <= passkey.sign_count:
        raise CopiedPasskey(f"counter {verified.new_sign_count} after {passkey.sign_count}")
    return VerifiedSignIn(verified.new_sign_count, verified.credential_backed_up)


def handle_of(user_id: str) -> bytes:
    """The account's id as an authenticator stores it: the bytes of the UUID, or of any other text."""
    try:
        return uuid.UUID(user_id).bytes
    except ValueError:  # the id comes from a seeding script
        return user_id.encode()[:HANDLE_BYTES_MAX]


def to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def credential_id_of(answer: Mapping[str, Any]) -> bytes:
    """The credential id of an answer, b"" when it has none."""
    text = answer.get("id")
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:  # includes UnicodeEncodeError and binascii.Error
        return b""
