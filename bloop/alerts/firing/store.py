"""Stores firings in the transaction that moves the cursor past their signals. Call inside a transaction.

FIRING-1  The cursor, the firings, their cooldowns and their deliveries commit together: whenever the process is killed,
          each rule fires once per signal, never twice (UNIQUE (rule_id, signal_id) ensures it).
FIRING-2  A firing in a storm is held: it gets no delivery of its own, a digest lists it. None is lost.
"""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class FiringFields(NamedTuple):
    """`held_until_ms` None: it is sent at once."""

    rule_id: int | None
    rule_name: str
    rule_type: str
    project_id: int | None
    key: str
    fired_at_ms: int
    message: str  # JSON of bloop/alerts/message.py
    issue_id: int | None = None
    signal_id: int | None = None
    is_test: bool = False
    held_until_ms: int | None = None


_INSERT = """
INSERT INTO alert_firings (rule_id, rule_name, rule_type, project_id, key, fired_at_ms, message, issue_id, signal_id,
                           is_test, held_until_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
RETURNING id
"""
_COOL_DOWN = """
INSERT INTO alert_cooldowns (rule_id, project_id, key, fired_at_ms) VALUES (:rule_id, :project_id, :key, :fired_at_ms)
    ON CONFLICT (rule_id, project_id, key) DO UPDATE SET fired_at_ms = excluded.fired_at_ms
"""
_RELEASE_HELD = """
UPDATE alert_firings SET held_until_ms = NULL, digest_id = :digest_id
 WHERE held_until_ms IS NOT NULL AND rule_id = :rule_id
"""
_MOVE_CURSOR = "UPDATE alert_cursor SET signal_id = :signal_id WHERE id = 1"
_MOVE_MINUTE = "UPDATE alert_cursor SET minute_ms = :minute_ms WHERE id = 1"


def add_firing(db: Db, fields: FiringFields) -> int:
    """Return its id."""
    firing_id = db.execute(_INSERT, fields).get
    assert isinstance(firing_id, int)
    return firing_id


def start_cooldown(db: Db, rule_id: int, project_id: int, key: str, fired_at_ms: int) -> None:
    """The rule has fired about `key`: start the cooldown."""
    bindings = {"rule_id": rule_id, "project_id": project_id, "key": key, "fired_at_ms": fired_at_ms}
    db.execute(_COOL_DOWN, bindings)


def release_held(db: Db, rule_id: int, digest_id: int | None) -> None:
    """Release the rule's held firings into the digest `digest_id`; None: they are sent singly, or not at all."""
    db.execute(_RELEASE_HELD, {"rule_id": rule_id, "digest_id": digest_id})


def move_cursor(db: Db, signal_id: int) -> None:
    db.execute(_MOVE_CURSOR, {"signal_id": signal_id})


def move_minute(db: Db, minute_ms: int) -> None:
    db.execute(_MOVE_MINUTE, {"minute_ms": minute_ms})
