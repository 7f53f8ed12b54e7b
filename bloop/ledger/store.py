"""Stores samples of refused requests: bounded, and not part of the ledger's counts."""

from __future__ import annotations

from collections.abc import Container, Sequence

import msgspec

from bloop.base.config import ProjectLimits
from bloop.base.outcomes import Category
from bloop.db.engine import Db
from bloop.pipeline.signals import Signal
from bloop.records.record import Kind, Rejection, decode_rejection

ROWS_MAX = 1000  # the newest

_INSERT = """
INSERT INTO rejections (project_id, rejected_at_ms, outcome, detail, key_prefix, size_bytes, client, user_agent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_TRIM = "DELETE FROM rejections WHERE id <= (SELECT max(id) FROM rejections) - :rows_max"


class NoteStore:
    """A `bloop.pipeline.kinds.KindStore` without counters."""

    kind = Kind.NOTE
    category = Category.EVENT  # counted in no category
    is_counted = False
    unsettled = 0

    def __init__(self, db: Db, limits: ProjectLimits) -> None:
        self._db = db

    def decode(self, payload: bytes, version: int) -> Rejection:
        return decode_rejection(payload, version)

    def insert(self, records: Sequence[Rejection]) -> list[Signal]:
        self._db.executemany(_INSERT, map(msgspec.structs.astuple, records))
        self._db.execute(_TRIM, {"rows_max": ROWS_MAX})
        return []

    def hold(self) -> None:
        """Nothing is counted."""

    def settle(self, projects: Container[int]) -> list[Signal]:
        return []

    def commit(self, *, is_settled: bool) -> None:
        """Nothing is remembered."""

    rollback = recover = hold
