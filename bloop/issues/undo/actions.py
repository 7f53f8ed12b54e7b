"""Undoes a change part by part, for a person, a token or the operator.

UNDO-5  Who may change the issues of a project may undo any change in it, by whomever it was made. A change that spans
    projects is undone in those that the caller sees.
UNDO-6  An undo that was interrupted may be sent again: what it had put back counts as changed since, and is skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bloop.base import credentials
from bloop.base.errors import NotFound
from bloop.db.engine import Db
from bloop.issues.status.audit import Actor
from bloop.issues.status.changes import Transact, in_slices
from bloop.issues.undo import read, store
from bloop.issues.undo.model import SKIPPED_SHOWN_MAX, UndoResult

GONE = "this change can no longer be undone"


def find_parts(db: Db, undo_id: str, project_ids: Sequence[int]) -> list[int]:
    """The parts of a change within these projects.

    Raises:
        NotFound: there is none, or it is no longer kept.
    """
    parts = read.part_ids(db, undo_id, project_ids)
    if not parts:
        raise NotFound(GONE)
    return parts


def undo_parts(transact: Transact, part_ids: Sequence[int], *, actor: Actor, now_ms: int) -> UndoResult:
    """Put back what has not changed since, a part to a transaction.

    Raises:
        StorageError: the database cannot be written; parts before that are put back (UNDO-6).
    """
    undo_id = credentials.new_id()

    def undo(db: Db, ids: Sequence[int]) -> UndoResult:
        return _sum(store.undo_part(db, part_id, actor=actor, now_ms=now_ms, undo_id=undo_id) for part_id in ids)

    return _sum(in_slices(transact, part_ids, undo, size=1))


def _sum(results: Iterable[UndoResult]) -> UndoResult:
    total = UndoResult()
    for result in results:
        room = SKIPPED_SHOWN_MAX - len(total.skipped)
        undone = total.undone + result.undone
        total = UndoResult(
            undone=undone,
            skipped_count=total.skipped_count + result.skipped_count,
            skipped=(*total.skipped, *result.skipped[:room]),
            undo_id=total.undo_id or result.undo_id,
            short_id=(total.short_id or result.short_id) if undone == 1 else "",
        )
    return total
