"""Issues assigned to an account that is removed: assigned to its heir, or to nobody, with the usual audit line."""

from __future__ import annotations

from bloop.accounts.people.model import Belongings, Removal
from bloop.db.engine import Db
from bloop.issues.status.assign import assign
from bloop.issues.status.audit import Actor

# Both served by issues_by_assignee.
_COUNT = "SELECT assignee, count(*) FROM issues WHERE assignee IS NOT NULL GROUP BY assignee"
_SELECT = "SELECT id FROM issues WHERE assignee = :user_id"


def _count(db: Db) -> dict[str, int]:
    return dict(db.execute(_COUNT))


def _settle(db: Db, removal: Removal) -> int:
    issue_ids = [row[0] for row in db.execute(_SELECT, {"user_id": removal.user_id})]
    actor = Actor(removal.actor_id, removal.via)
    return assign(db, issue_ids, removal.heir, actor=actor, now_ms=removal.now_ms) if issue_ids else 0


ASSIGNED = Belongings("issues", _count, _settle)
