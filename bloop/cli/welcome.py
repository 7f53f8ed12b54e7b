"""`bloop welcome`: what a person who has just started bloop needs next."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import click

from bloop.accounts.people.read import has_users
from bloop.accounts.sign_ins.cli import SIGN_IN_PATH, make_link, minutes_words
from bloop.base import clock
from bloop.base.config import NO_FILE, Settings
from bloop.base.errors import NotFound
from bloop.cli_kit.context import DATABASE_NAME, DATABASE_VARIABLE, change, database, with_settings
from bloop.db.engine import Db
from bloop.projects.read import project_keys
from bloop.projects.store import DEFAULT


@click.command()
@click.option("--without-key", is_flag=True, help="Print how to read the key instead of the key.")
@with_settings
def welcome(settings: Settings, without_key: bool) -> None:
    """Print the address, a set-up link, a key and a first event.

    The key is that of the project `default`; the first event is a curl command.
    """
    with database(settings) as db:
        key, is_set_up = _default_key(db), has_users(db)
    if is_set_up:
        way_in = f"Sign in:\n  {settings.auth.rp_origin.rstrip('/')}{SIGN_IN_PATH}"
    else:
        link = change(settings, lambda db: make_link(settings, db, None))
        way_in = f"Set up your account, once, within {minutes_words(settings.auth.login_link_ttl_secs)}:\n  {link}"
    click.echo(f"bloop: {settings.auth.rp_origin}\n\n{way_in}\n")
    if without_key:
        click.echo(f"Print the key of the project {DEFAULT!r}:\n  {_command(settings)}\n")
        _print_path()
        return
    click.echo(
        f"Key of the project {DEFAULT!r}:\n  {key}\n\n"
        f"Send a first event:\n  {first_event(settings.server.port, key, clock.now_ms())}\n"
    )
    _print_path()


def _print_path() -> None:
    """How to run `bloop` in another terminal, unless its folder is on the path already."""
    folder = Path(sys.executable).parent
    found = shutil.which("bloop")
    if (folder / "bloop").exists() and (found is None or Path(found).parent != folder):
        path = f'export PATH={shlex.quote(str(folder))}:"$PATH"'
        click.echo(f"Run commands such as `bloop status` in another terminal:\n  {path}\n")


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


def _command(settings: Settings) -> str:
    """This command as it finds the same bloop from any folder."""
    path = settings.database_path
    if settings.source != NO_FILE:
        return shlex.join(["bloop", "welcome", "--config", os.path.abspath(settings.source)])
    if path.name == DATABASE_NAME:
        return shlex.join(["bloop", "welcome", "--data", str(path.parent)])
    return f"{DATABASE_VARIABLE}={shlex.quote(str(path))} bloop welcome"


def _default_key(db: Db) -> str:
    key = next((row.api_key for row in project_keys(db) if row.public_id == DEFAULT), None)
    if key is None:
        raise NotFound(f"there is no project {DEFAULT!r} yet: `bloop up` makes it")
    return key
