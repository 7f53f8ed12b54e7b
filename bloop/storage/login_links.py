"""One-time sign-in links, made on the command line by whoever can write the database file.

LL1  A link works once, also when two browsers press the button at the same moment: consuming is one UPDATE.
LL2  Looking at a link does not use it up: mail clients and chat previews open links by themselves.
"""

from __future__ import annotations

import apsw

from bloop import credentials

DAY_MS = 86_400_000

_INSERT = """
INSERT INTO login_links (token_hash, created_at_ms, expires_at_ms) VALUES (:token_hash, :created_at_ms, :expires_at_ms)
"""
_FORGET = "DELETE FROM login_links WHERE expires_at_ms < :before_ms"
_CONSUME = """
UPDATE login_links
   SET used_at_ms = :now_ms
 WHERE token_hash = :token_hash AND used_at_ms IS NULL AND expires_at_ms > :now_ms
RETURNING token_hash
"""


def create_login_link(db: apsw.Connection, *, now_ms: int, ttl_s: int) -> str:
    """The token to put behind `/auth/login?token=`. Forgets links that ran out more than a day ago."""
    token = credentials.new_token()
    db.execute(_FORGET, {"before_ms": now_ms - DAY_MS})
    row = {"token_hash": credentials.token_hash(token), "created_at_ms": now_ms, "expires_at_ms": now_ms + ttl_s * 1000}
    db.execute(_INSERT, row)
    return token


def consume_login_link(db: apsw.Connection, token: str, now_ms: int) -> bool:
    """True for exactly one caller per link, and only while the link is good."""
    return bool(list(db.execute(_CONSUME, {"token_hash": credentials.token_hash(token), "now_ms": now_ms})))
