"""Rows per issue, release and environment: as many as a project may have, the rest under `(overflow)`.

Without this, a project within all its limits on names could still make a row for each product of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bloop.base.limits import OVERFLOW_NAME, Limit
from bloop.db.engine import Db
from bloop.issues.counts.fold import Totals, widen
from bloop.issues.fingerprints.store import Owner
from bloop.issues.limits.names import count_of

_SELECT = "SELECT 1 FROM aggregates WHERE fingerprint_id = ? AND release = ? AND environment = ?"


def cap(db: Db, totals: Totals, owners: Mapping[int, Owner], limit: int) -> None:
    """Move what would make rows beyond `limit` to the row `(overflow)` of its fingerprint, in the hours as well.

    A project that is far from its limit costs one look-up; only near it is each row looked for.
    """
    if not limit:
        return
    wanted = Counter(owners[key[0]].project_id for key in totals.aggregates)
    left = {project_id: limit - count_of(db, project_id, Limit.COMBINATIONS) for project_id in wanted}
    full = {project_id for project_id, count in wanted.items() if count > left[project_id]}
    if not full:
        return
    moved = set()
    for key in totals.aggregates:
        project_id = owners[key[0]].project_id
        if project_id not in full or key[1:] == (OVERFLOW_NAME, OVERFLOW_NAME) or db.execute(_SELECT, key).fetchone():
            continue
        if left[project_id] > 0:
            left[project_id] -= 1
        else:
            moved.add(key)
    for key in moved:
        widen(totals.aggregates, (key[0], OVERFLOW_NAME, OVERFLOW_NAME), totals.aggregates.pop(key))
    for hour in [key for key in totals.hours if (key[0], key[2], key[3]) in moved]:
        fingerprint_id, hour_ms, _, _, source = hour
        count = totals.hours.pop(hour)
        place = fingerprint_id, hour_ms, OVERFLOW_NAME, OVERFLOW_NAME, source
        totals.hours[place] = totals.hours.get(place, 0) + count
        counted = owners[fingerprint_id].project_id, hour_ms, Limit.COMBINATIONS
        totals.overflows[counted] = totals.overflows.get(counted, 0) + count
