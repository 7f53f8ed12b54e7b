"""Removes accounts, and settles what they leave. Call inside a transaction.

REMOVAL-1  A removed person keeps no access: sign-ins, passkeys, links and unused invitations end, and API tokens are
           revoked unless the admin keeps them, which is a choice made by name.
REMOVAL-2  What goes on working has an owner who is there: alert rules, with their channels and webhooks, assigned
           issues and kept tokens become the remover's, in the same transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from bloop import features
from bloop.accounts.people.model import Removal
from bloop.accounts.people.read import list_users
from bloop.accounts.people.store import delete_all_users, delete_user, ensure_not_last_admin
from bloop.db.engine import Db

log = logging.getLogger(__name__)


def count_belongings(db: Db) -> dict[str, dict[str, int]]:
    """By user id, how many rows of each kind a removal would settle; kinds without any are left out."""
    counts: dict[str, dict[str, int]] = {}
    for belongings in features.belongings():
        for user_id, count in belongings.count(db).items():
            counts.setdefault(user_id, {})[belongings.name] = count
    return counts


def remove_account(db: Db, removal: Removal) -> Mapping[str, int]:
    """Remove one account; how many rows of each kind were settled. An unknown id is no error.

    Raises:
        Conflict: it is the last admin (USER-1).
    """
    ensure_not_last_admin(db, removal.user_id)
    settled = _settle(db, removal)
    delete_user(db, removal.user_id)
    return settled


def remove_all_accounts(db: Db, *, actor_id: str, via: str, now_ms: int, keeps_tokens: bool) -> None:
    """Remove every account. What stays is the operator's."""
    for user in list_users(db):
        _settle(db, Removal(user.id, None, actor_id, via, now_ms, keeps_tokens))
    delete_all_users(db)


def _settle(db: Db, removal: Removal) -> dict[str, int]:
    settled = {belongings.name: belongings.settle(db, removal) for belongings in features.belongings()}
    counts = ", ".join(f"{count} {name}" for name, count in settled.items() if count) or "nothing left behind"
    fate = "kept" if removal.keeps_tokens else "revoked"
    log.info("removed an account, tokens %s: %s", fate, counts, extra={"action": "account_removed"})
    return settled
