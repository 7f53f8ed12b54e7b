"""Users: by id, by name, all of them."""

from __future__ import annotations

from typing import NamedTuple

from bloop.base.errors import NotFound
from bloop.db.engine import Db, Row


class UserRow(NamedTuple):
    id: str
    username: str
    display_name: str
    is_admin: bool
    created_at: int  # seconds


class Person(NamedTuple):
    """An account as the list of people shows it."""

    user: UserRow
    passkey_count: int
    last_seen_at: int | None  # seconds


_SELECT_ALL = """
SELECT id, username, display_name, is_admin, created_at
  FROM webauthn_users
 ORDER BY created_at
"""
_SELECT = """
SELECT id, username, display_name, is_admin, created_at
  FROM webauthn_users
 WHERE id = :id
"""
# Names are unique regardless of case. No index: an installation has few users.
_SELECT_BY_NAME = """
SELECT id, username, display_name, is_admin, created_at
  FROM webauthn_users
 WHERE username = :username COLLATE NOCASE
 ORDER BY username = :username DESC
 LIMIT 1
"""
# Served by passkeys_by_user and sign_ins_by_user.
_SELECT_PEOPLE = """
SELECT u.id, u.username, u.display_name, u.is_admin, u.created_at,
       (SELECT count(*) FROM passkeys AS p WHERE p.user_id = u.id),
       max((SELECT coalesce(max(coalesce(s.last_seen_at, s.created_at)), 0) FROM sign_ins AS s WHERE s.user_id = u.id),
           (SELECT coalesce(max(p.last_used_at), 0) FROM passkeys AS p WHERE p.user_id = u.id))
  FROM webauthn_users AS u
 ORDER BY u.created_at
"""
_SELECT_EXISTS = "SELECT EXISTS (SELECT 1 FROM webauthn_users)"


def list_users(db: Db) -> list[UserRow]:
    """Oldest first."""
    return [_user(row) for row in db.execute(_SELECT_ALL)]


def display_names(db: Db) -> dict[str, str]:
    """Display names by user id."""
    return {user.id: user.display_name for user in list_users(db)}


def list_people(db: Db) -> list[Person]:
    """Oldest first, each with the number of passkeys and the time last seen."""
    return [Person(_user(row[:5]), row[5], row[6] or None) for row in db.execute(_SELECT_PEOPLE)]


def get_user(db: Db, user_id: str) -> UserRow | None:
    row = db.execute(_SELECT, {"id": user_id}).fetchone()
    return _user(row) if row else None


def find_user(db: Db, username: str) -> UserRow | None:
    """By name, ignoring case; an exact match wins."""
    row = db.execute(_SELECT_BY_NAME, {"username": username}).fetchone()
    return _user(row) if row else None


def has_users(db: Db) -> bool:
    row = db.execute(_SELECT_EXISTS).fetchone()
    return bool(row and row[0])


def _user(row: Row) -> UserRow:
    user_id, username, display_name, is_admin, created_at = row
    return UserRow(str(user_id), str(username), str(display_name), bool(is_admin), int(created_at or 0))


def get_user_by_name(db: Db, name: str) -> UserRow:
    """The account an operator named. Raises: NotFound, with the names that exist."""
    user = find_user(db, name)
    if user is None:
        names = ", ".join(row.username for row in list_users(db)) or "none"
        raise NotFound(f"account {name!r} not found (accounts: {names})")
    return user
