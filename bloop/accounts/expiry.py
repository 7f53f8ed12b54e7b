"""Deletes expired sign-ins, sign-in links, invites and answered challenges. Call inside a transaction.

This only frees rows: sign-in refuses expired credentials whether or not they are deleted.
"""

from __future__ import annotations

from bloop.accounts.invites import store as invites
from bloop.accounts.links import store as login_links
from bloop.accounts.passkeys import store as passkeys
from bloop.accounts.sign_ins import store as sign_ins
from bloop.db.engine import Db


def sweep(db: Db, now_ms: int) -> int:
    """Delete expired rows, at most SWEEP_ROWS_MAX of them sign-ins; return how many rows."""
    before = db.total_changes()
    sign_ins.sweep_sign_ins(db, now_ms)
    login_links.delete_expired_links(db, now_ms)
    invites.delete_expired_invites(db, now_ms)
    passkeys.delete_expired_challenges(db, now_ms)
    return db.total_changes() - before
