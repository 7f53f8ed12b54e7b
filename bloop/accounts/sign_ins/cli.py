"""`bloop login-link` and `bloop welcome`: the way in for whoever can write the database file."""

from __future__ import annotations

import hashlib
import hmac
import json
import shlex

import apsw
import click

from bloop.accounts.cli import named_user
from bloop.accounts.links.store import create_login_link
from bloop.accounts.people.read import has_users, list_users
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict, NotFound
from bloop.command.context import as_json, change, database, print_json, with_settings
from bloop.projects.read import project_keys
from bloop.projects.store import DEFAULT

SIGN_IN_PATH = "/auth/login"


@click.command()
@click.option("--user", "username", metavar="NAME", help="Let this person back in, whose passkey is lost.")
@as_json
@with_settings
def login_link(settings: Settings, username: str | None, as_json: bool) -> None:
    """Print a one-time link: to set bloop up, or with --user to let somebody back in.

    While nobody has an account, the link leads to making the first one. Later it is for one person.
    """
    url, ttl_s = change(settings, lambda db: _make_link(settings, db, username)), settings.auth.login_link_ttl_secs
    if as_json:
        print_json({"url": url, "expires_in_s": ttl_s})
        return
    click.echo(f"Good once, for the next {_minutes(ttl_s)}:", err=True)
    click.echo(url)


@click.command()
@with_settings
def welcome(settings: Settings) -> None:
    """Print the address, the set-up link, the default project's key and a command that sends a first event."""
    with database(settings) as db:
        key, is_set_up = _default_key(db), has_users(db)
    if is_set_up:
        way_in = f"Sign in:\n  {settings.auth.rp_origin.rstrip('/')}{SIGN_IN_PATH}"
    else:
        link = change(settings, lambda db: _make_link(settings, db, None))
        way_in = f"Set up your account, once, within {_minutes(settings.auth.login_link_ttl_secs)}:\n  {link}"
    click.echo(
        f"bloop: {settings.auth.rp_origin}\n\n"
        f"{way_in}\n\n"
        f"Key of the project {DEFAULT!r}:\n  {key}\n\n"
        f"Send a first event:\n  {first_event(settings.server.port, key, clock.now_ms())}\n"
    )


def first_event(port: int, key: str, now_ms: int) -> str:
    """A curl command that can be pasted as it is: the signature is computed, no openssl is needed."""
    event = {
        "timestamp": now_ms,
        "source": "api",
        "environment": "production",
        "release": "1.0.0",
        "error_type": "HelloBloop",
        "message": "The first event",
    }
    body = json.dumps(event, separators=(",", ":"))
    signature = hmac.new(key.encode(), body.encode(), hashlib.sha256).hexdigest()
    headers = ("Content-Type: application/json", f"X-Project-Key: {key}", f"X-Signature: {signature}")
    arguments = [part for header in headers for part in ("-H", header)]
    return shlex.join(["curl", "-X", "POST", f"http://localhost:{port}/v1/ingest", *arguments, "-d", body])


def _make_link(settings: Settings, db: apsw.Connection, username: str | None) -> str:
    if username is None and has_users(db):
        known = ", ".join(row.username for row in list_users(db))
        raise Conflict(f"bloop is set up: name whom the link is for with --user, one of: {known}")
    user_id = None if username is None else named_user(db, username).id
    token = create_login_link(db, now_ms=clock.now_ms(), ttl_s=settings.auth.login_link_ttl_secs, user_id=user_id)
    return f"{settings.auth.rp_origin.rstrip('/')}{SIGN_IN_PATH}?token={token}"


def _default_key(db: apsw.Connection) -> str:
    key = next((row.api_key for row in project_keys(db) if row.public_id == DEFAULT), None)
    if key is None:
        raise NotFound(f"there is no project {DEFAULT!r} yet: `bloop up` makes it")
    return key


def _minutes(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
