"""Creates secrets of 32 random bytes; only their SHA-256 is stored.

Tokens, session cookies and sign-in links are so random that they cannot be guessed, so a fast hash is safe.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid

API_TOKEN_PREFIX = "bloop_tk_"  # noqa: S105
TOKEN_PREFIX_LENGTH = 16  # characters of an API token stored in clear, to recognise it
KEY_START_LENGTH = 12  # characters of a project key that are shown: six of them random
PROJECT_KEY_PATTERN = re.compile(r"bloop_[0-9a-f]{64}")


def new_token() -> str:
    """43 characters of base64url without padding."""
    return secrets.token_urlsafe(32)


def new_api_token() -> str:
    return API_TOKEN_PREFIX + new_token()


def new_project_key() -> str:
    return "bloop_" + secrets.token_hex(32)


def key_start(key: str) -> str:
    """Enough of a project key to recognise it by; empty for anything that bloop did not make, perhaps a secret."""
    return key[:KEY_START_LENGTH] if PROJECT_KEY_PATTERN.fullmatch(key) else ""


def new_id() -> str:
    return str(uuid.uuid4())


def token_hash(token: str) -> str:
    """The stored form of a token: its lower-case hex SHA-256."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
