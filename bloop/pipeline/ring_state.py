"""How much of the ring is already in the database. Written only inside the transaction that stores the records.

A lane here is a slot of `bloop.ring`: a lane, or a lane's spill, whose positions outlive their ring.
"""

from __future__ import annotations

from collections.abc import Iterable

from bloop.db.engine import Db

_SELECT_POSITIONS = "SELECT lane, position FROM ring_cursors WHERE ring_id = :ring_id"
_UPSERT_POSITION = """
INSERT INTO ring_cursors (ring_id, lane, position) VALUES (?, ?, ?)
    ON CONFLICT (ring_id, lane) DO UPDATE SET position = excluded.position
"""
_SELECT_CELLS = "SELECT lane, project_id, category, outcome, folded FROM ring_cells WHERE ring_id = :ring_id"
_UPSERT_CELL = """
INSERT INTO ring_cells (ring_id, lane, project_id, category, outcome, folded) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (ring_id, lane, project_id, category, outcome) DO UPDATE SET folded = excluded.folded
"""
_SELECT_RINGS = "SELECT ring_id FROM ring_cursors UNION SELECT ring_id FROM ring_cells"
_FORGET = ("DELETE FROM ring_cursors WHERE ring_id = :ring_id", "DELETE FROM ring_cells WHERE ring_id = :ring_id")

CellKey = tuple[int, int, int, int]  # lane, project id, category, outcome


def positions(db: Db, ring_id: int) -> dict[int, int]:
    """Stored position by lane; empty for a ring never seen."""
    return dict(db.execute(_SELECT_POSITIONS, {"ring_id": ring_id}))


def save_positions(db: Db, rows: Iterable[tuple[int, int, int]]) -> None:
    """Each row is (ring id, lane, position)."""
    db.executemany(_UPSERT_POSITION, rows)


def cells(db: Db, ring_id: int) -> dict[CellKey, int]:
    """How much of each shared counter is in the ledger."""
    return {(lane, p, c, o): n for lane, p, c, o, n in db.execute(_SELECT_CELLS, {"ring_id": ring_id})}


def save_cells(db: Db, rows: Iterable[tuple[int, int, int, int, int, int]]) -> None:
    """Each row is (ring id, lane, project id, category, outcome, value)."""
    db.executemany(_UPSERT_CELL, rows)


def rings(db: Db) -> list[int]:
    """Every ring that has bookkeeping."""
    return [row[0] for row in db.execute(_SELECT_RINGS)]


def forget(db: Db, ring_id: int) -> None:
    """Drop the bookkeeping of a ring that no longer exists, of which nothing is left to read."""
    for statement in _FORGET:
        db.execute(statement, {"ring_id": ring_id})
