"""`bloop user`: who has an account, who is admin. Accounts are made in the browser, by whoever holds an invitation."""

from __future__ import annotations

import click

from bloop.accounts.people.read import UserRow, list_people, named_user
from bloop.accounts.people.store import delete_user, set_role
from bloop.base.config import Settings
from bloop.command.context import as_json, change, database, print_json, print_table, with_settings
from bloop.command.times import day_of_s
from bloop.db.engine import Db


@click.group()
def user() -> None:
    """Accounts of people."""


@user.command("list")
@as_json
@with_settings
def list_(settings: Settings, as_json: bool) -> None:
    """Every account, oldest first."""
    with database(settings) as db:
        people = list_people(db)
    if as_json:
        print_json(
            [
                {
                    "id": person.user.id,
                    "username": person.user.username,
                    "is_admin": person.user.is_admin,
                    "created_at": person.user.created_at,
                    "passkeys": person.passkey_count,
                    "last_seen_at": person.last_seen_at,
                }
                for person in people
            ]
        )
        return
    print_table(
        ("NAME", "ROLE", "PASSKEYS", "JOINED", "LAST SEEN"),
        [
            (
                person.user.username,
                "admin" if person.user.is_admin else "user",
                person.passkey_count,
                day_of_s(person.user.created_at, ""),
                day_of_s(person.last_seen_at, "never"),
            )
            for person in people
        ],
    )


@user.command()
@click.argument("name")
@with_settings
def promote(settings: Settings, name: str) -> None:
    """Make somebody an admin, at once."""
    found = _change_role(settings, name, is_admin=True)
    click.echo(f"{found.username} is an admin", err=True)


@user.command()
@click.argument("name")
@with_settings
def demote(settings: Settings, name: str) -> None:
    """Make an admin an ordinary user, at once. Never the last one."""
    found = _change_role(settings, name, is_admin=False)
    click.echo(f"{found.username} is an ordinary user", err=True)


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_settings
def remove(settings: Settings, name: str, yes: bool) -> None:
    """Remove an account: its passkeys and sign-ins end at once, what the person made stays. Never the last admin."""
    with database(settings) as db:
        found = named_user(db, name)
    if not yes:
        click.confirm(f"Remove {found.username}?", abort=True, err=True)
    change(settings, lambda db: delete_user(db, found.id))
    click.echo(f"Removed {found.username}", err=True)


def _change_role(settings: Settings, name: str, *, is_admin: bool) -> UserRow:
    def run(db: Db) -> UserRow:
        found = named_user(db, name)
        set_role(db, found.id, is_admin=is_admin)
        return found

    return change(settings, run)
