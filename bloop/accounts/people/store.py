"""Creates, promotes, demotes and removes accounts. Call inside a transaction.

USER-1  Once there is an account there is an admin: the last one can be neither demoted nor removed, also when two
        admins demote each other at the same moment, because the check runs under the write lock.
USER-2  Deleting an account deletes its passkeys, sign-ins and links. Deletion and demotion also delete the invites and
        links the person created that are still unused, so that they cannot be used to come back. What becomes of
        everything else the person owns: `removal.py`, which is the way to remove an account.
USER-3  The first account is an admin, and ends every sign-in that was opened without an account.
"""

from __future__ import annotations

import unicodedata

from bloop.accounts.people.read import find_user
from bloop.base import credentials
from bloop.base.errors import Conflict, Declined, NotFound
from bloop.db.engine import Db

USERNAME_LENGTH_MAX = 64

_INSERT = """
INSERT INTO webauthn_users (id, username, display_name, created_at, is_admin)
VALUES (:id, :username, :username, :created_at,
        CASE WHEN EXISTS (SELECT 1 FROM webauthn_users) THEN 0 ELSE 1 END)
RETURNING is_admin
"""
_SET_ROLE = "UPDATE webauthn_users SET is_admin = :is_admin WHERE id = :id RETURNING id"
_DELETE = "DELETE FROM webauthn_users WHERE id = :id"
_SELECT_IS_LAST_ADMIN = """
SELECT EXISTS (SELECT 1 FROM webauthn_users WHERE is_admin = 1 AND id = :id)
   AND NOT EXISTS (SELECT 1 FROM webauthn_users WHERE is_admin = 1 AND id <> :id)
"""
_REVOKE_UNUSED = """
DELETE FROM invites WHERE created_by = :id AND used_at IS NULL;
DELETE FROM login_links WHERE created_by = :id AND used_at_ms IS NULL;
"""
_END_OPERATOR_SIGN_INS = "DELETE FROM sign_ins WHERE user_id IS NULL"
_END_SETUP_LINKS = "DELETE FROM login_links WHERE user_id IS NULL"
_RESET = """
DELETE FROM sign_ins;
DELETE FROM login_links;
DELETE FROM invites;
DELETE FROM webauthn_users;
"""


def validate_username(text: str) -> str:
    """The name as it is stored: trimmed, composed, one kind of space.

    Raises:
        Declined: empty, too long, or with invisible characters.
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise Declined("username is required")
    if len(name) > USERNAME_LENGTH_MAX:
        raise Declined(f"username must be at most {USERNAME_LENGTH_MAX} characters")
    if any(unicodedata.category(character)[0] == "C" for character in name):
        raise Declined("username must not contain control or invisible characters")
    return name


def require_free_username(db: Db, username: str) -> None:
    """Raises: Conflict."""
    if find_user(db, username) is not None:
        raise Conflict("that username is taken")


def create_user(db: Db, *, username: str, now_ms: int, user_id: str | None = None) -> str:
    """The id of a new account; the first one is an admin (USER-3). `username` has been through `validate_username`.

    Raises:
        Conflict: the name is taken, ignoring case.
    """
    require_free_username(db, username)
    row = {"id": user_id or credentials.new_id(), "username": username, "created_at": now_ms // 1000}
    ((is_admin,),) = list(db.execute(_INSERT, row))
    if is_admin:
        db.execute(_END_OPERATOR_SIGN_INS)
        db.execute(_END_SETUP_LINKS)
    return str(row["id"])


def set_role(db: Db, user_id: str, *, is_admin: bool) -> None:
    """Promote or demote, with effect on the next request.

    Raises:
        NotFound: no such account.
        Conflict: it is the last admin (USER-1).
    """
    if not is_admin:
        ensure_not_last_admin(db, user_id)
        db.execute(_REVOKE_UNUSED, {"id": user_id})
    if not list(db.execute(_SET_ROLE, {"id": user_id, "is_admin": is_admin})):
        raise NotFound("user not found")


def delete_user(db: Db, user_id: str) -> None:
    """Delete the account (USER-2); an unknown id is no error.

    Raises:
        Conflict: it is the last admin (USER-1).
    """
    ensure_not_last_admin(db, user_id)
    db.execute(_REVOKE_UNUSED, {"id": user_id})
    db.execute(_DELETE, {"id": user_id})


def delete_all_users(db: Db) -> None:
    """Delete all accounts, sign-ins, links and invites."""
    db.execute(_RESET)


def ensure_not_last_admin(db: Db, user_id: str) -> None:
    """Raises: Conflict (USER-1)."""
    (is_last,) = db.execute(_SELECT_IS_LAST_ADMIN, {"id": user_id}).fetchone() or (0,)
    if is_last:
        raise Conflict("there must be an admin: make another account an admin first")
