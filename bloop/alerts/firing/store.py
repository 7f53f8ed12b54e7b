"""What fired, written in the transaction that moves the cursor past what set it off. Call inside a transaction.

F1  The cursor, the firings, their cooldowns and their deliveries commit together: killed at any instant, a rule has
    fired about a signal or will, and never does twice (UNIQUE (rule_id, signal_id) stands guard).
F2  A firing that comes in a storm is held: it gets no delivery of its own, a digest tells it. None is lost.
"""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class FiringFields(NamedTuple):
    """`held_until_ms` None: it is told at once."""

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
_TELL_IN = """
UPDATE alert_firings SET held_until_ms = NULL, digest_id = :digest_id
 WHERE held_until_ms IS NOT NULL AND rule_id = :rule_id
"""
_MOVE_CURSOR = "UPDATE alert_cursor SET signal_id = :signal_id WHERE id = 1"
_MOVE_MINUTE = "UPDATE alert_cursor SET minute_ms = :minute_ms WHERE id = 1"


def add_firing(db: Db, fields: FiringFields) -> int:
    """Its id."""
    made = db.execute(_INSERT, fields).get
    assert isinstance(made, int)
    return made


def cool_down(db: Db, rule_id: int, project_id: int, key: str, fired_at_ms: int) -> None:
    """The rule has fired about `key`, and will not for a while."""
    bindings = {"rule_id": rule_id, "project_id": project_id, "key": key, "fired_at_ms": fired_at_ms}
    db.execute(_COOL_DOWN, bindings)


def tell_held(db: Db, rule_id: int, digest_id: int | None) -> None:
    """What was held of this rule is told by the firing `digest_id`; None: for each by itself, or for nobody."""
    db.execute(_TELL_IN, {"rule_id": rule_id, "digest_id": digest_id})


def move_cursor(db: Db, signal_id: int) -> None:
    db.execute(_MOVE_CURSOR, {"signal_id": signal_id})


def move_minute(db: Db, minute_ms: int) -> None:
    db.execute(_MOVE_MINUTE, {"minute_ms": minute_ms})
