"""Passkeys as WebAuthn speaks of them: what the browser is asked, and whether its answer holds.

W1  An answer counts only for our origin, our relying party, our challenge, and with the person verified by the
    authenticator (PIN, fingerprint, face), not merely present.
W2  Passkeys are discoverable: signing in names nobody, so the page of a stranger shows no list of accounts or
    credentials, and there is no user name to guess.
W3  A signature counter that does not rise, on an authenticator that has one, means that somebody has a copy. It is
    judged only after the signature: without the private key nobody can make a passkey look copied.

The library that verifies answers takes 25 MB and a third of a second to import (measured), so only a process that has
met an answer has it; what the browser is asked is a plain dict.
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

RP_NAME = "bloop"
HANDLE_BYTES_MAX = 64
_ALGORITHMS = (-8, -7, -257)  # EdDSA, ES256, RS256 (IANA COSE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


class NotVerified(Exception):
    """The answer does not hold. Why is for the log: the client learns only that it failed."""


class Copied(NotVerified):
    """A good signature with a counter that did not rise (W3)."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who we are to the browser."""

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
    """What a verified registration leaves to store."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    is_synced: bool
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """What a verified sign-in leaves to store."""

    sign_count: int
    is_synced: bool


def creation_options(rp: RelyingParty, challenge: Challenge, existing: Iterable[PasskeyRow] = ()) -> dict[str, Any]:
    """For `navigator.credentials.create`, binary members as base64url. `existing` ones are not registered again."""
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
    """For `navigator.credentials.get`. No list of credentials (W2): the browser offers what it has for us."""
    return {
        "challenge": to_base64url(challenge.nonce),
        "timeout": CHALLENGE_TTL_S * 1000,
        "rpId": rp.id,
        "allowCredentials": [],
        "userVerification": "required",
    }


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
    except Exception as error:  # it parses CBOR, certificates and keys from a stranger: whatever it raises means no
        raise NotVerified(str(error)) from error
    given = answer["response"].get("transports")
    transports = tuple(t for t in given if isinstance(t, str)) if isinstance(given, list) else ()
    return NewPasskey(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        is_synced=verified.credential_backed_up,
        transports=transports,
    )


def verify_sign_in(rp: RelyingParty, challenge: Challenge, answer: Mapping[str, Any], passkey: PasskeyRow) -> Use:
    """Raises: NotVerified; Copied when only the counter is wrong."""
    from webauthn import verify_authentication_response

    try:
        verified = verify_authentication_response(
            credential=dict(answer),
            expected_challenge=challenge.nonce,
            expected_rp_id=rp.id,
            expected_origin=rp.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # the library looks at the counter before the signature; we after (W3)
            require_user_verification=True,
        )
    except Exception as error:  # as above
        raise NotVerified(str(error)) from error
    handle = answer["response"].get("userHandle")
    if handle and handle != to_base64url(handle_of(passkey.user_id)):
        raise NotVerified("the user handle is another person's")
    if (verified.new_sign_count or passkey.sign_count) and verified.new_sign_count <= passkey.sign_count:
        raise Copied(f"counter {verified.new_sign_count} after {passkey.sign_count}")
    return Use(verified.new_sign_count, verified.credential_backed_up)


def handle_of(user_id: str) -> bytes:
    """What an authenticator stores for the account: the bytes of its UUID, or of whatever else the id is."""
    try:
        return uuid.UUID(user_id).bytes
    except ValueError:  # made by a seeding script
        return user_id.encode()[:HANDLE_BYTES_MAX]


def to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def credential_id_of(answer: Mapping[str, Any]) -> bytes:
    """The credential an answer names, b"" when it names none."""
    text = answer.get("id")
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:  # UnicodeEncodeError and binascii.Error are two
        return b""
