"""Assigning an issue to a user: the row, its audit line and its signal, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from bloop.accounts.people.read import UserRow
from bloop.db.engine import Db, ids_json
from bloop.issues.status import audit
from bloop.issues.status.audit import Actor
from bloop.pipeline import signals
from bloop.pipeline.signals import Signal, SignalKind

_SELECT = """
SELECT id, project_id, status, assignee
  FROM issues
 WHERE id IN (SELECT value FROM json_each(:issue_ids))
 ORDER BY id
"""
_UPDATE = "UPDATE issues SET assignee = :assignee WHERE id = :issue_id"


def assign(
    db: Db,
    issue_ids: Sequence[int],
    person: UserRow | None,
    *,
    actor: Actor,
    now_ms: int,
    undo_id: str | None = None,
) -> int:
    """Assign these issues to `person` (None: to no user); return how many there are.

    As with a status, each call leaves an audit line per issue, and only a change is signalled. The name is written down
    with the id: accounts can be removed, the trail stays.
    """
    assignee, username = (person.id, person.username) if person else (None, None)
    detail = {"assignee": assignee, "username": username}
    happened = []
    found = list(db.execute(_SELECT, {"issue_ids": ids_json(issue_ids)}))
    for issue_id, project_id, status, before in found:
        db.execute(_UPDATE, {"issue_id": issue_id, "assignee": assignee})
        statuses = (status, status)
        audit.write(
            db, (issue_id, project_id), statuses, actor, now_ms, action=audit.ASSIGNED, detail=detail, undo_id=undo_id
        )
        if before != assignee:
            data = {"by": actor.id, "via": actor.via, **detail}
            happened.append(Signal(SignalKind.ISSUE_ASSIGNED, project_id, issue_id, now_ms, data))
    signals.append(db, happened)
    return len(found)
