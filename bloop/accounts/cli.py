"""`bloop user`: list accounts, invite people, change roles, remove accounts. An invited person creates the account."""

from __future__ import annotations

import click

from bloop.accounts.invites.store import DAY_S, TTL_S, create_invite, mark_mailed
from bloop.accounts.people.model import Removal
from bloop.accounts.people.read import UserRow, get_user_by_name, list_people
from bloop.accounts.people.removal import remove_account
from bloop.accounts.people.store import set_role
from bloop.accounts.sign_ins.cli import SIGN_IN_PATH
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.cli_kit.context import as_json, change, database, print_json, print_table, with_settings
from bloop.cli_kit.times import day_of_s
from bloop.db.engine import Db


@click.group()
def user() -> None:
    """Manage accounts."""


@user.command("list")
@as_json
@with_settings
def list_(settings: Settings, as_json: bool) -> None:
    """List all accounts, oldest first."""
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
@click.option("--email", metavar="ADDRESS", help="Also send the link to this address, through the server in [smtp].")
@as_json
@with_settings
def invite(settings: Settings, name: str, email: str | None, as_json: bool) -> None:
    """Print an invitation: a link that creates one account.

    It works once, within seven days. NAME is shown in the list of invitations. Fails if the mail cannot be sent; the
    printed link works all the same.
    """
    from bloop.accounts.invites.mail import send_invitation, validated_email  # only this command needs mail

    address, now_ms = validated_email(email or ""), clock.now_ms()
    created = change(settings, lambda db: create_invite(db, created_by=None, now_ms=now_ms, name=name, email=address))
    url = f"{settings.auth.rp_origin.rstrip('/')}{SIGN_IN_PATH}?invite={created.token}"
    outcome = None
    if address:
        outcome = send_invitation(settings, created, url, email=address, name=name.strip(), invited_by="")
        if outcome.sent:
            change(settings, lambda db: mark_mailed(db, created.id, now_ms))
    if as_json:
        mail = None if outcome is None else outcome._asdict()
        print_json({"id": created.id, "url": url, "expires_at": created.expires_at, "mail": mail})
    else:
        click.echo(f"Works once, within {TTL_S // DAY_S} days:", err=True)
        click.echo(url)
    if outcome is not None and not outcome.sent:
        raise BloopError(f"the mail was not sent: {outcome.detail}")
    if outcome is not None:
        click.echo(f"Sent to {address}", err=True)


@user.command()
@click.argument("name")
@with_settings
def promote(settings: Settings, name: str) -> None:
    """Make a user an admin, with immediate effect."""
    account = _change_role(settings, name, is_admin=True)
    click.echo(f"{account.username} is now an admin", err=True)


@user.command()
@click.argument("name")
@with_settings
def demote(settings: Settings, name: str) -> None:
    """Make an admin an ordinary user, with immediate effect. The last admin cannot be demoted."""
    account = _change_role(settings, name, is_admin=False)
    click.echo(f"{account.username} is now an ordinary user", err=True)


@user.command()
@click.argument("name")
@click.option(
    "--tokens",
    type=click.Choice(["revoke", "keep"]),
    default="revoke",
    show_default=True,
    help="Revoke or keep the API tokens that the person created.",
)
@click.option("--to", "heir_name", metavar="NAME", help="Account that gets alert rules, assigned issues, kept tokens.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_settings
def remove(settings: Settings, name: str, tokens: str, heir_name: str | None, yes: bool) -> None:
    """Remove an account, never the last admin.

    Its passkeys, sessions and unused invitations go with it. Without --to, its issues become unassigned, and its
    alert rules and kept tokens have no owner.
    """
    with database(settings) as db:
        account = get_user_by_name(db, name)
        heir = get_user_by_name(db, heir_name) if heir_name else None
    if heir is not None and heir.id == account.id:
        raise click.UsageError("--to must name another account")
    if not yes:
        click.confirm(f"Remove {account.username} and {tokens} their API tokens?", abort=True, err=True)
    keeps = tokens == "keep"
    removal = Removal(account.id, heir, "operator", "cli", clock.now_ms(), keeps_tokens=keeps)
    settled = change(settings, lambda db: remove_account(db, removal))
    click.echo(f"Removed {account.username}", err=True)
    given = f"given to {heir.username}" if heir else "left without an owner"
    fates = {"tokens": ("API token", given if keeps else "revoked"), "rules": ("alert rule", given)}
    fates["issues"] = ("assigned issue", given if heir else "now unassigned")
    for name, (thing, fate) in fates.items():
        if count := settled[name]:
            click.echo(f"{count} {thing}{'s' if count != 1 else ''} {fate}", err=True)


def _change_role(settings: Settings, name: str, *, is_admin: bool) -> UserRow:
    def run(db: Db) -> UserRow:
        account = get_user_by_name(db, name)
        set_role(db, account.id, is_admin=is_admin)
        return account

    return change(settings, run)
