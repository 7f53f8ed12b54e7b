"""`bloop login-link`: the way in for whoever can write the database file."""

from __future__ import annotations

import click

from bloop.accounts.links.store import create_login_link
from bloop.accounts.people.read import has_users, list_users, named_user
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict
from bloop.command.context import as_json, change, print_json, with_settings
from bloop.db.engine import Db

SIGN_IN_PATH = "/auth/login"  # as in site/access.py, which would bring Falcon along


@click.command()
@click.option("--user", "username", metavar="NAME", help="Let this person back in, whose passkey is lost.")
@as_json
@with_settings
def login_link(settings: Settings, username: str | None, as_json: bool) -> None:
    """Print a one-time link: to set bloop up, or with --user to let somebody back in.

    While nobody has an account, the link leads to making the first one. Later it is for one person.
    """
    url, ttl_s = change(settings, lambda db: make_link(settings, db, username)), settings.auth.login_link_ttl_secs
    if as_json:
        print_json({"url": url, "expires_in_s": ttl_s})
        return
    click.echo(f"Good once, for the next {minutes_words(ttl_s)}:", err=True)
    click.echo(url)


def make_link(settings: Settings, db: Db, username: str | None) -> str:
    """The URL of a fresh one-time link; `username` None while nobody has an account. Raises: Conflict, NotFound."""
    if username is None and has_users(db):
        known = ", ".join(row.username for row in list_users(db))
        raise Conflict(f"bloop is set up: name whom the link is for with --user, one of: {known}")
    user_id = None if username is None else named_user(db, username).id
    token = create_login_link(db, now_ms=clock.now_ms(), ttl_s=settings.auth.login_link_ttl_secs, user_id=user_id)
    return f"{settings.auth.rp_origin.rstrip('/')}{SIGN_IN_PATH}?token={token}"


def minutes_words(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
