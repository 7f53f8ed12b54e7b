"""Fingerprints as the writer knows them: found by 64 bits, told apart by their text, remembered between batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from bloop.db.engine import Db, ids_json

CACHE_MAX = 25_000  # about 5 MB; past it the oldest half goes

# Project and what the record says: the number where it is the whole fingerprint, else the text.
FingerprintKey: TypeAlias = tuple[int, int | bytes]

# Served by the unique index; the text decides between fingerprints that share a number.
_SELECT_ID = "SELECT id FROM fingerprints WHERE project_id = ? AND hash = ? AND fingerprint = ?"
# An id above all that there are and all that were deleted: events that are not counted yet name fingerprints by it.
_INSERT = """
INSERT INTO fingerprints (id, project_id, hash, fingerprint, algorithm, issue_id)
SELECT max(d.fingerprint_id, coalesce((SELECT max(id) FROM fingerprints), 0)) + 1, ?, ?, ?, ?, ?
  FROM deleted_issues AS d
RETURNING id
"""
_SELECT_OWNERS = """
SELECT f.id, f.issue_id, f.project_id
  FROM json_each(:ids) AS wanted
  JOIN fingerprints AS f ON f.id = wanted.value
"""
_SELECT_DELETED = "SELECT count FROM deleted_issues"


class Owner(NamedTuple):
    """The owner of a fingerprint; an issue that is merged into another gives it its fingerprints."""

    issue_id: int
    project_id: int


class FingerprintIds:
    """Ids by key, remembered between batches.

    What was learnt in a transaction that is rolled back is forgotten with it. When issues were deleted since the last
    look, everything is.
    """

    def __init__(self, db: Db) -> None:
        self.known: dict[FingerprintKey, int] = {}
        self._fresh: list[FingerprintKey] = []
        self._db = db
        self._deleted = self._count_deleted()

    def refresh(self) -> None:
        """Look whether issues were deleted; inside the transaction that relies on the answer."""
        deleted = self._count_deleted()
        if deleted != self._deleted:
            self.forget_all()
            self._deleted = deleted

    def learn(self, key: FingerprintKey, fingerprint_id: int) -> None:
        self.known[key] = fingerprint_id
        self._fresh.append(key)

    def forget_all(self) -> None:
        self.known.clear()
        self._fresh.clear()

    def commit(self) -> None:
        self._fresh.clear()
        if len(self.known) > CACHE_MAX:
            for key in list(self.known)[: CACHE_MAX // 2]:
                del self.known[key]

    def rollback(self) -> None:
        for key in self._fresh:
            self.known.pop(key, None)
        self._fresh.clear()

    def _count_deleted(self) -> int:
        return int(self._db.execute(_SELECT_DELETED).get or 0)


def find(db: Db, project_id: int, number: int, text: str) -> int | None:
    row = db.execute(_SELECT_ID, (project_id, number, text)).fetchone()
    return None if row is None else int(row[0])


def create(db: Db, project_id: int, number: int, text: str, *, algorithm: str, issue_id: int) -> int:
    fingerprint_id = db.execute(_INSERT, (project_id, number, text, algorithm, issue_id)).get
    assert isinstance(fingerprint_id, int)
    return fingerprint_id


def owners(db: Db, fingerprint_ids: Sequence[int]) -> dict[int, Owner]:
    """Of those that still exist."""
    return {row[0]: Owner(row[1], row[2]) for row in db.execute(_SELECT_OWNERS, {"ids": ids_json(fingerprint_ids)})}
