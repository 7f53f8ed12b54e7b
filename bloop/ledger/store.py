"""Refusals as samples to look at: bounded, never in the way of events, and no part of the ledger's accounts."""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable

import apsw
import msgspec

from bloop.base.errors import UnreadableRecord
from bloop.records.record import decode_rejection

ROWS_MAX = 1000  # the newest

log = logging.getLogger(__name__)

_INSERT = """
INSERT INTO rejections (project_id, rejected_at_ms, outcome, detail, key_prefix, size_bytes, client, user_agent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_TRIM = "DELETE FROM rejections WHERE id <= (SELECT max(id) FROM rejections) - :rows_max"


def add(db: apsw.Connection, payloads: Iterable[bytes], projects: Container[int]) -> None:
    """Keep those about `projects`; one that another release wrote in a way we cannot read is left out."""
    rows = []
    for payload in payloads:
        try:
            rejection = decode_rejection(payload)
        except UnreadableRecord as error:
            log.warning("%s", error, extra={"action": "rejection_unreadable"})
            continue
        if rejection.project_id in projects:
            rows.append(msgspec.structs.astuple(rejection))
    if rows:
        db.executemany(_INSERT, rows)
        db.execute(_TRIM, {"rows_max": ROWS_MAX})
