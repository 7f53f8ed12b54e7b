"""A passkey authenticator in software: answers WebAuthn options as a browser on `origin` would, or wrong on purpose."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Credential:
    id: bytes
    key: ec.EllipticCurvePrivateKey
    user_handle: bytes
    count: int = 0


@dataclass
class Authenticator:
    """`counts` False: like a synced passkey, its counter stays 0. Keyword arguments bend one answer."""

    origin: str
    rp_id: str
    counts: bool = True
    is_synced: bool = False
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options: Mapping[str, Any], **bent: Any) -> dict[str, Any]:
        """For `navigator.credentials.create(options)`, as the page posts it."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = Credential(secrets.token_bytes(16), key, to_bytes(options["user"]["id"]))
        self.credentials.append(made)
        point = key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        attested = bytes(16) + len(made.id).to_bytes(2, "big") + made.id + cbor2.dumps(public)
        data = self._data(made, ATTESTED, bent) + attested
        response = {
            "clientDataJSON": to_text(self._client("webauthn.create", options, bent)),
            "attestationObject": to_text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["internal", "hybrid", "telepathy"],
        }
        return self._answer(made, response)

    def get(self, options: Mapping[str, Any], credential: Credential | None = None, **bent: Any) -> dict[str, Any]:
        """For `navigator.credentials.get(options)`; with its newest credential unless another is named."""
        used = credential or self.credentials[-1]
        used.count += self.counts
        data, client = self._data(used, 0, bent), self._client("webauthn.get", options, bent)
        signature = used.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": to_text(client),
            "authenticatorData": to_text(data),
            "signature": to_text(bent.get("signature", signature)),
            "userHandle": to_text(bent.get("user_handle", used.user_handle)),
        }
        return self._answer(used, response)

    def _data(self, credential: Credential, flags: int, bent: Mapping[str, Any]) -> bytes:
        rp_hash = hashlib.sha256(str(bent.get("rp_id", self.rp_id)).encode()).digest()
        flags |= BACKUP_ELIGIBLE | BACKED_UP if self.is_synced else 0
        flags |= bent.get("flags", USER_PRESENT | USER_VERIFIED)
        return rp_hash + bytes([flags]) + int(bent.get("count", credential.count)).to_bytes(4, "big")

    def _client(self, kind: str, options: Mapping[str, Any], bent: Mapping[str, Any]) -> bytes:
        challenge = bent.get("challenge", options["challenge"])
        said = {"type": bent.get("type", kind), "challenge": challenge, "origin": bent.get("origin", self.origin)}
        return json.dumps(said | {"crossOrigin": False}).encode()

    def _answer(self, credential: Credential, response: dict[str, Any]) -> dict[str, Any]:
        name = to_text(credential.id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response}
