"""`bloop token`: list, create, revoke. A token is printed once, when it is created; only its hash is stored."""

from __future__ import annotations

from typing import Any

import click

from bloop.auth import scopes as scope_names
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict, NotFound
from bloop.cli_kit.context import as_json, change, database, print_json, print_table, with_settings
from bloop.cli_kit.times import day_of_s
from bloop.projects.read import find_project, list_projects
from bloop.projects.tokens import store as tokens
from bloop.projects.tokens.read import TokenRow, list_tokens


@click.group()
def token() -> None:
    """Manage API tokens."""


@token.command("list")
@click.option("--project", "slug", help="Only tokens of this project.")
@as_json
@with_settings
def list_(settings: Settings, slug: str | None, as_json: bool) -> None:
    """List all tokens, newest first, revoked ones included. The secrets are not stored and cannot be shown."""
    with database(settings) as db:
        rows = list_tokens(db, find_project(db, slug).id if slug else None)
        slugs = {row.id: row.slug for row in list_projects(db)}
    if as_json:
        print_json([_token_json(row, slugs[row.project_id]) for row in rows])
        return
    print_table(
        ("ID", "NAME", "STARTS WITH", "PROJECT", "SCOPES", "OWNER", "EXPIRES", "LAST USED"),
        [
            (
                row.id,
                row.name,
                row.token_prefix,
                slugs[row.project_id],
                row.scopes.replace(" ", ","),
                row.created_by_name or "-",
                "revoked" if row.revoked_at else day_of_s(row.expires_at, "never"),
                day_of_s(row.last_used_at, "never"),
            )
            for row in rows
        ],
    )


@token.command()
@click.argument("name")
@click.option("--project", "slug", required=True, help="Project the token gives access to.")
@click.option(
    "--scopes", required=True, metavar="A,B", help=f"Comma-separated scopes, any of {', '.join(scope_names.Scope)}."
)
@click.option("--days", type=int, help="Days until it expires (default: never).")
@as_json
@with_settings
def create(settings: Settings, name: str, slug: str, scopes: str, days: int | None, as_json: bool) -> None:
    """Create a token and print it."""
    granted = scope_names.parse(part.strip() for part in scopes.split(",") if part.strip())
    created = change(
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
        fields = {field: value for field, value in created._asdict().items() if field != "project_id"}
        print_json(fields | {"project": slug})
        return
    click.echo(f"Token {created.id} for {slug}, not shown again:", err=True)
    click.echo(created.token)


@token.command()
@click.argument("reference", metavar="ID")
@with_settings
def revoke(settings: Settings, reference: str) -> None:
    """Revoke a token, given its id or the prefix that `list` shows."""
    with database(settings) as db:
        row = _find_token(list_tokens(db), reference)
    change(settings, lambda db: tokens.revoke_token(db, row.id, clock.now_ms()))
    click.echo(f"Revoked {row.name} ({row.id})", err=True)


def _token_json(row: TokenRow, slug: str) -> dict[str, Any]:
    hidden = ("project_id", "project_public_id", "scopes")
    fields = {field: value for field, value in row._asdict().items() if field not in hidden}
    return fields | {"project": slug, "scopes": row.scopes.split()}


def _find_token(rows: list[TokenRow], reference: str) -> TokenRow:
    matches = [row for row in rows if reference in (row.id, row.token_prefix)]
    if not matches:
        raise NotFound(f"token {reference!r} not found")
    if len(matches) > 1:
        raise Conflict(f"several tokens start with {reference!r}; use the id")
    return matches[0]
