"""Ways in that ran out: sign-ins, sign-in links, invites, answered challenges. Call inside a transaction.

Nothing here decides whether somebody may come in: what ran out is refused anyway. This only takes the rows away.
"""

from __future__ import annotations

from bloop.accounts.invites import store as invites
from bloop.accounts.links import store as login_links
from bloop.accounts.passkeys import store as passkeys
from bloop.accounts.sign_ins import store as sign_ins
from bloop.db.engine import Db


def sweep(db: Db, now_ms: int) -> int:
    """Take away what ran out; return how many rows. Sessions that ran out are taken SWEEP_ROWS_MAX at a time."""
    before = db.total_changes()
    sign_ins.sweep_sign_ins(db, now_ms)
    login_links.forget_links(db, now_ms)
    invites.forget_invites(db, now_ms)
    passkeys.forget_challenges(db, now_ms)
    return db.total_changes() - before
