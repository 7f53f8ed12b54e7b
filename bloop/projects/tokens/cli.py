"""`bloop token`: list, create, revoke. A token is printed once, when it is made; only its hash is kept."""

from __future__ import annotations

from typing import Any

import click

from bloop.auth import scopes as scope_names
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict, NotFound
from bloop.command.context import as_json, change, database, print_json, print_table, with_settings
from bloop.command.times import day_of_s
from bloop.projects.read import find_project, list_projects
from bloop.projects.tokens import store as tokens
from bloop.projects.tokens.read import TokenRow, list_tokens


@click.group()
def token() -> None:
    """API tokens."""


@token.command("list")
@click.option("--project", "slug", help="Only this project's.")
@as_json
@with_settings
def list_(settings: Settings, slug: str | None, as_json: bool) -> None:
    """Every token, newest first, revoked ones included. Tokens themselves are not kept and cannot be shown."""
    with database(settings) as db:
        rows = list_tokens(db, find_project(db, slug).id if slug else None)
        slugs = {row.id: row.slug for row in list_projects(db)}
    if as_json:
        print_json([_public(row, slugs[row.project_id]) for row in rows])
        return
    print_table(
        ("ID", "NAME", "STARTS WITH", "PROJECT", "SCOPES", "EXPIRES", "LAST USED"),
        [
            (
                row.id,
                row.name,
                row.token_prefix,
                slugs[row.project_id],
                row.scopes.replace(" ", ","),
                "revoked" if row.revoked_at else day_of_s(row.expires_at, "never"),
                day_of_s(row.last_used_at, "never"),
            )
            for row in rows
        ],
    )


@token.command()
@click.argument("name")
@click.option("--project", "slug", required=True, help="The project it opens.")
@click.option("--scopes", required=True, metavar="A,B", help=f"Any of {', '.join(scope_names.Scope)}.")
@click.option("--days", type=int, help="Days until it expires; never unless given.")
@as_json
@with_settings
def create(settings: Settings, name: str, slug: str, scopes: str, days: int | None, as_json: bool) -> None:
    """Make a token and print it."""
    granted = scope_names.parse(part.strip() for part in scopes.split(",") if part.strip())
    made = change(
        settings,
        lambda db: tokens.create_token(
            db,
            name=name,
            project_id=find_project(db, slug).id,
            scopes=granted,
            now_ms=clock.now_ms(),
            expires_in_days=days,
        ),
    )
    if as_json:
        shown = {field: value for field, value in made._asdict().items() if field != "project_id"}
        print_json(shown | {"project": slug})
        return
    click.echo(f"Token {made.id} for {slug}; it is not shown again:", err=True)
    click.echo(made.token)


@token.command()
@click.argument("reference", metavar="ID")
@with_settings
def revoke(settings: Settings, reference: str) -> None:
    """End a token, named by its id or by the characters it starts with."""
    with database(settings) as db:
        found = _find(list_tokens(db), reference)
    change(settings, lambda db: tokens.revoke_token(db, found.id, clock.now_ms()))
    click.echo(f"Revoked {found.name} ({found.id})", err=True)


def _public(row: TokenRow, slug: str) -> dict[str, Any]:
    hidden = ("project_id", "project_public_id", "scopes")
    shown = {field: value for field, value in row._asdict().items() if field not in hidden}
    return shown | {"project": slug, "scopes": row.scopes.split()}


def _find(rows: list[TokenRow], reference: str) -> TokenRow:
    found = [row for row in rows if reference in (row.id, row.token_prefix)]
    if not found:
        raise NotFound(f"there is no token {reference!r}")
    if len(found) > 1:
        raise Conflict(f"several tokens start with {reference!r}; name one by its id")
    return found[0]
