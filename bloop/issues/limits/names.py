"""The releases, routes, environments and sources that the counters know, as the writer sees them.

A name is admitted once, in the transaction that counts its first event, and stays. When a project has as many as its
limit allows, the counters see `(overflow)` in place of every further one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from bloop.base.config import ProjectLimits
from bloop.base.limits import OVERFLOW_NAME, Limit
from bloop.db.engine import Db
from bloop.records.event_record import Dims, decode_dims

CACHE_MAX = 25_000  # dims by project and bytes, about 8 MB; past it the oldest half goes

_SELECT = "SELECT 1 FROM project_names WHERE project_id = ? AND kind = ? AND name = ?"
_INSERT = "INSERT INTO project_names VALUES (?, ?, ?)"
_SELECT_COUNT = "SELECT row_count FROM kept_counts WHERE project_id = ? AND kind = ?"

# In the order of Dims.
_KINDS = (Limit.RELEASES, Limit.ENVIRONMENTS, Limit.SOURCES, Limit.ROUTES)

DimsKey = tuple[int, bytes]  # project, dims as they are encoded


class AdmittedDims(NamedTuple):
    """The names that events are counted under."""

    of: Mapping[DimsKey, Dims]
    beyond: Mapping[DimsKey, tuple[Limit, ...]]  # which of them stand for others; those without any are missing


def count_of(db: Db, project_id: int, kind: Limit) -> int:
    """Rows of a project, as triggers count them."""
    return int(db.execute(_SELECT_COUNT, (project_id, kind)).get or 0)


class Names:
    """One per writer. What was admitted in a transaction that is rolled back is forgotten with it."""

    def __init__(self, db: Db, limits: ProjectLimits) -> None:
        self._db = db
        self._limits = {kind: kind.of(limits) for kind in _KINDS}
        self._known: dict[DimsKey, Dims] = {}
        self._fresh: list[DimsKey] = []

    def admit(self, keys: Collection[DimsKey]) -> AdmittedDims:
        """The names that these events are counted under, inside the transaction that counts them.

        Raises:
            UnreadableRecord: dims do not decode.
        """
        known = self._known
        admitted = {key: known[key] for key in keys if key in known}
        if len(admitted) == len(keys):
            return AdmittedDims(admitted, {})
        beyond: dict[DimsKey, tuple[Limit, ...]] = {}
        batch = _Batch(self._db, self._limits)
        for key in keys:
            if key in known:
                continue
            project_id, encoded = key
            dims = decode_dims(encoded)
            excess = tuple(
                kind
                for kind, name in zip(_KINDS, dims, strict=True)
                if name is not None and not batch.admit(project_id, kind, name)
            )
            if excess:
                names = (OVERFLOW_NAME if kind in excess else name for kind, name in zip(_KINDS, dims, strict=True))
                admitted[key], beyond[key] = Dims(*names), excess  # type: ignore[arg-type]
            else:
                admitted[key] = known[key] = dims
                self._fresh.append(key)
        return AdmittedDims(admitted, beyond)

    def commit(self) -> None:
        self._fresh.clear()
        if len(self._known) > CACHE_MAX:
            for key in list(self._known)[: CACHE_MAX // 2]:
                del self._known[key]

    def rollback(self) -> None:
        for key in self._fresh:
            self._known.pop(key, None)
        self._fresh.clear()


class _Batch:
    """Names looked up once per batch, however many dims they are in."""

    def __init__(self, db: Db, limits: Mapping[Limit, int]) -> None:
        self._db, self._limits = db, limits
        self._decided: dict[tuple[int, Limit, str], bool] = {}
        self._counts: dict[tuple[int, Limit], int] = {}

    def admit(self, project_id: int, kind: Limit, name: str) -> bool:
        key = project_id, kind, name
        decided = self._decided.get(key)
        if decided is None:
            decided = self._decided[key] = name == OVERFLOW_NAME or self._look_up(project_id, kind, name)
        return decided

    def _look_up(self, project_id: int, kind: Limit, name: str) -> bool:
        if self._db.execute(_SELECT, (project_id, kind, name)).fetchone() is not None:
            return True
        limit, group = self._limits[kind], (project_id, kind)
        if group not in self._counts:
            self._counts[group] = count_of(self._db, project_id, kind)
        if limit and self._counts[group] >= limit:
            return False
        self._db.execute(_INSERT, (project_id, kind, name))
        self._counts[group] += 1
        return True
