"""Tables of users and their credentials, and the secret that seals challenges."""

from __future__ import annotations

from bloop.db.tables import Table

TABLES = (
    Table(name="webauthn_users", is_missed=True),
    Table(name="passkeys", is_missed=True),
    Table(name="sign_ins"),
    Table(name="login_links"),
    Table(name="invites"),
    Table(name="secrets"),
    Table(name="spent_challenges"),
)
