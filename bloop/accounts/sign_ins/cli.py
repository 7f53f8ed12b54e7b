"""`bloop login-link`: sign in for anyone who can write the database file."""

from __future__ import annotations

import click

from bloop.accounts.links.store import create_login_link
from bloop.accounts.people.read import get_user_by_name, has_users, list_users
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict
from bloop.cli_kit.context import as_json, change, print_json, with_settings
from bloop.db.engine import Db

SIGN_IN_PATH = "/auth/login"  # as in site/access.py, which would import Falcon


@click.command()
@click.option("--user", "username", metavar="NAME", help="Create a sign-in link for this user.")
@as_json
@with_settings
def login_link(settings: Settings, username: str | None, as_json: bool) -> None:
    """Print a one-time set-up or sign-in link.

    While there is no account, the link creates the first one. Later it signs in one user.
    """
    url, ttl_s = change(settings, lambda db: make_link(settings, db, username)), settings.auth.login_link_ttl_secs
    if as_json:
        print_json({"url": url, "expires_in_s": ttl_s})
        return
    click.echo(f"Works once, within {minutes_words(ttl_s)}:", err=True)
    click.echo(url)


def make_link(settings: Settings, db: Db, username: str | None) -> str:
    """The URL of a new one-time link; `username` None while there is no account. Raises: Conflict, NotFound."""
    if username is None and has_users(db):
        names = ", ".join(row.username for row in list_users(db))
        raise Conflict(f"use --user NAME (accounts: {names})")
    user_id = None if username is None else get_user_by_name(db, username).id
    token = create_login_link(db, now_ms=clock.now_ms(), ttl_s=settings.auth.login_link_ttl_secs, user_id=user_id)
    return f"{settings.auth.rp_origin.rstrip('/')}{SIGN_IN_PATH}?token={token}"


def minutes_words(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
