"""People change an issue's status: the row, its audit line and its signal, in the caller's transaction.

Triggers copy the status to the aggregates and keep the counts per status. What events and time do to an issue by
themselves is in issues/status/follow.py; all of it writes the same audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bloop.base.errors import InvalidParameter
from bloop.db.engine import Db, ids_json
from bloop.issues.status import audit
from bloop.issues.status.audit import Actor
from bloop.issues.status.model import Status
from bloop.issues.status.mutes import FOREVER, Mute
from bloop.issues.status.regression import NOW, Resolution
from bloop.pipeline import signals
from bloop.pipeline.signals import Signal, SignalKind
from bloop.releases import read as releases
from bloop.releases.model import newest

# Of changes by people. Regressed is what an undo may put back: open again, and no news that an alert is about.
SIGNALS = {
    Status.UNRESOLVED: SignalKind.ISSUE_UNRESOLVED,
    Status.REGRESSED: SignalKind.ISSUE_UNRESOLVED,
    Status.RESOLVED: SignalKind.ISSUE_RESOLVED,
    Status.IGNORED: SignalKind.ISSUE_IGNORED,
    Status.MUTED: SignalKind.ISSUE_MUTED,
}

_SELECT = """
SELECT id, project_id, status FROM issues WHERE id IN (SELECT value FROM json_each(:issue_ids)) ORDER BY id
"""
# Everything that belongs to a status goes with it.
_UPDATE = """
UPDATE issues
   SET status              = :status,
       resolved_at_ms      = :resolved_at_ms,
       resolved_in_release = :release,
       resolved_in_next    = :is_next,
       is_firing           = 0,
       muted_at_ms         = :muted_at_ms,
       muted_until_ms      = :until_ms,
       muted_events        = :events,
       muted_per_hour      = :per_hour,
       muted_progress      = NULL
 WHERE id = :issue_id
"""
# Served by the UNIQUE (issue_id, release, environment) index.
_COUNT_AGGREGATES = """
SELECT count(*) FROM aggregates WHERE issue_id IN (SELECT value FROM json_each(:issue_ids))
"""


def change_status(
    db: Db,
    issue_ids: Sequence[int],
    status: Status,
    *,
    actor: Actor,
    now_ms: int,
    resolution: Resolution = NOW,
    mute: Mute = FOREVER,
    undo_id: str | None = None,
) -> int:
    """Set `status` on every one of the issues, all or none; return how many aggregate rows now carry it.

    `resolution` says where resolved issues count as fixed, `mute` how long muted ones stay so; with any other status
    they mean nothing. Each call leaves an audit line per issue, also where nothing changes: a user asked for it at that
    moment. A signal goes out only for a change. `undo_id` is of what undoes it, where that is kept (status/changes.py).

    Raises:
        InvalidParameter: fixed in the next release of a project that has none.
    """
    ids = ids_json(issue_ids)
    happened = []
    pinned: dict[int, Resolution] = {}
    for issue_id, project_id, old_status in list(db.execute(_SELECT, {"issue_ids": ids})):
        where = NOW
        if status is Status.RESOLVED:
            where = pinned[project_id] = pinned.get(project_id) or pin(db, project_id, resolution)
        how_long = mute if status is Status.MUTED else FOREVER
        row = {
            "issue_id": issue_id,
            "status": status.value,
            "resolved_at_ms": now_ms if status is Status.RESOLVED else None,
            "muted_at_ms": now_ms if status is Status.MUTED else None,
            "release": where.release,
            "is_next": int(where.is_next),
            **how_long._asdict(),
        }
        db.execute(_UPDATE, row)
        detail = _detail(where, how_long)
        audit.write(
            db, (issue_id, project_id), (old_status, status.value), actor, now_ms, detail=detail, undo_id=undo_id
        )
        if old_status != status:
            data = {"old_status": old_status, "new_status": status.value, "by": actor.id, "via": actor.via}
            happened.append(Signal(SIGNALS[status], project_id, issue_id, now_ms, data | detail))
    signals.append(db, happened)
    (updated,) = db.execute(_COUNT_AGGREGATES, {"issue_ids": ids}).fetchone() or (0,)
    return int(updated)


def pin(db: Db, project_id: int, resolution: Resolution) -> Resolution:
    """The next release is whatever comes after the newest that is known now.

    Raises:
        InvalidParameter: the project has no release.
    """
    if not resolution.is_next:
        return resolution
    release = newest(releases.first_seen_times(db, project_id))
    if release is None:
        raise InvalidParameter("in_next_release", "cannot be said of a project whose events name no release")
    return Resolution(release, is_next=True)


def _detail(where: Resolution, how_long: Mute) -> dict[str, Any]:
    """The detail of the audit line, beside the status."""
    detail = {"after_release" if where.is_next else "in_release": where.release, **how_long._asdict()}
    return {name: value for name, value in detail.items() if value is not None}
