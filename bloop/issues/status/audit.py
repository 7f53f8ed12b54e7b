"""The audit trail of issues: one line for each change that a user, or bloop itself, made to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from bloop.db.engine import Db

STATUS = "status"
ASSIGNED = "assigned"
UNDONE = "undone"


class Actor(NamedTuple):
    """The origin of a change, and its network. `id` is a user's, a token's or 'operator'; None is bloop itself."""

    id: str | None
    via: str  # 'dashboard', 'api', 'cli', 'ingest', 'schedule'
    network: str = ""  # of the client, where known: enough to recognise, never the whole address


OPERATOR = Actor("operator", "cli")
WRITER = Actor(None, "ingest")
SWEEP = Actor(None, "schedule")

_INSERT = """
INSERT INTO status_changes (issue_id, project_id, old_status, new_status, changed_by, changed_via, network, action,
                            release, detail, changed_at_ms, undo_id, undoes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def write(
    db: Db,
    issue: tuple[int, int],
    statuses: tuple[str, str],
    actor: Actor,
    at_ms: int,
    *,
    action: str = STATUS,
    release: str | None = None,
    detail: Mapping[str, Any],
    undo_id: str | None = None,
    undoes: int | None = None,
) -> None:
    """A line about the issue (its id and project) in the transaction that makes it true. `release` is the event's that
    did it; `detail` is what there is to say beside the statuses, old and new. `undo_id` undoes the change; `undoes` is
    the id of the line that this change undid."""
    detail_json = orjson.dumps(dict(detail)).decode()
    named = (actor.id, actor.via, actor.network)
    row = (*issue, *statuses, *named, action, release, detail_json, at_ms, undo_id, undoes)
    db.execute(_INSERT, row)
