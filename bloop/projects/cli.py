"""`bloop project`: list, create, set, rotate-key, keys, end-key. A key is printed once, when it is created."""

from __future__ import annotations

import re

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.cli_kit.context import as_json, change, database, print_json, print_table, with_settings
from bloop.cli_kit.times import day
from bloop.db.engine import Db
from bloop.projects import store as projects
from bloop.projects.model import Oversize
from bloop.projects.old_keys import store as old_keys
from bloop.projects.read import ProjectRow, find_project, list_keys, list_projects


@click.group()
def project() -> None:
    """Manage projects and their keys."""


@project.command("list")
@as_json
@with_settings
def list_(settings: Settings, as_json: bool) -> None:
    """List all projects, oldest first. Keys are not shown."""
    with database(settings) as db:
        rows = list_projects(db)
    if as_json:
        fields = ("public_id", "slug", "name", "created_at_ms", "oversize")
        print_json([{"id" if f == "public_id" else f: getattr(row, f) for f in fields} for row in rows])
    else:
        print_table(("SLUG", "NAME", "CREATED"), [(row.slug, row.name, day(row.created_at_ms)) for row in rows])


@project.command()
@click.argument("name")
@click.option("--slug", help="Short name for URLs; derived from NAME by default.")
@as_json
@with_settings
def create(settings: Settings, name: str, slug: str | None, as_json: bool) -> None:
    """Create a project and print its key."""
    slug = slug or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    row, key = change(settings, lambda db: projects.create_project(db, name=name, slug=slug, now_ms=clock.now_ms()))
    _print_key(row.slug, key, as_json=as_json)


@project.command("set")
@click.argument("slug")
@click.option(
    "--oversize",
    type=click.Choice([choice.value for choice in Oversize]),
    help="Refuse events with a field that is too long, or cut the field and store them.",
)
@click.option("--search-keys", metavar="KEY,KEY", help='Tags and metadata to index; "" for all that fit.')
@with_settings
def set_(settings: Settings, slug: str, oversize: str | None, search_keys: str | None) -> None:
    """Change the options of a project."""
    if oversize is None and search_keys is None:
        raise click.UsageError("use --oversize or --search-keys")

    def run(db: Db) -> ProjectRow:
        row = find_project(db, slug)
        if oversize is not None:
            projects.set_oversize(db, row.id, oversize)
        if search_keys is not None:
            projects.set_search_keys(db, row.id, search_keys.split(","))
        return find_project(db, slug)

    row = change(settings, run)
    if oversize is not None:
        click.echo(f"{slug}: oversize = {row.oversize}")
    if search_keys is not None:
        click.echo(f"{slug}: search_keys = {','.join(row.listed_keys) or 'all that fit'}")


@project.command()
@click.argument("slug")
@click.option(
    "--keep",
    "keep_days",
    type=click.IntRange(0, old_keys.KEEP_DAYS_MAX),
    default=0,
    metavar="DAYS",
    help=f"Days the old key keeps working, up to {old_keys.KEEP_DAYS_MAX}.",
)
@as_json
@with_settings
def rotate_key(settings: Settings, slug: str, keep_days: int, as_json: bool) -> None:
    """Replace a project's key and print the new one.

    Without --keep, the old key and all older ones stop working at once.
    """

    def rotate(db: Db) -> str:
        return projects.rotate_key(db, find_project(db, slug).id, clock.now_ms(), keep_days=keep_days)

    _print_key(slug, change(settings, rotate), as_json=as_json)


@project.command()
@click.argument("slug")
@as_json
@with_settings
def keys(settings: Settings, slug: str, as_json: bool) -> None:
    """List a project's keys, the current one first.

    Shows when each was last used, and when old ones end.
    """
    with database(settings) as db:
        rows = list_keys(db, find_project(db, slug), clock.now_ms())
    if as_json:
        names = {"made_at_ms": "id", "used_at_ms": "last_used_at_ms"}
        print_json([{names.get(name, name): value for name, value in row._asdict().items()} for row in rows])
        return
    print_table(
        ("ID", "STARTS WITH", "STATE", "CREATED", "ENDS", "LAST USED"),
        [
            (
                row.made_at_ms,
                row.start or "(auth.hmac_secret)",
                row.state.value,
                day(row.made_at_ms),
                "" if row.ends_at_ms is None else day(row.ends_at_ms),
                "not noted" if row.used_at_ms is None else day(row.used_at_ms),
            )
            for row in rows
        ],
    )


@project.command()
@click.argument("slug")
@click.argument("key_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@with_settings
def end_key(settings: Settings, slug: str, key_id: int) -> None:
    """End an old key now.

    ID is the one that `bloop project keys` lists.
    """
    change(settings, lambda db: old_keys.end_old_key(db, find_project(db, slug).id, key_id, clock.now_ms()))
    click.echo(f"Ended an old key of {slug}", err=True)


def _print_key(slug: str, key: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"slug": slug, "api_key": key})
        return
    click.echo(f"Key of {slug}, not shown again:", err=True)
    click.echo(key)
