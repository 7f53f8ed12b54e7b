"""`bloop project`: list, create, set, rotate-key. A key is printed once, when it is created."""

from __future__ import annotations

import re

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.cli_kit.context import as_json, change, database, print_json, print_table, with_settings
from bloop.cli_kit.times import day
from bloop.projects import store as projects
from bloop.projects.model import Oversize
from bloop.projects.read import find_project, list_projects


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
    required=True,
    help="Refuse events with a field that is too long, or cut the field and store them.",
)
@with_settings
def set_(settings: Settings, slug: str, oversize: str) -> None:
    """Change what a project does with its events."""
    change(settings, lambda db: projects.set_oversize(db, find_project(db, slug).id, oversize))
    click.echo(f"{slug}: oversize = {oversize}")


@project.command()
@click.argument("slug")
@as_json
@with_settings
def rotate_key(settings: Settings, slug: str, as_json: bool) -> None:
    """Replace a project's key and print the new one. The old key stops working at once."""
    key = change(settings, lambda db: projects.rotate_key(db, find_project(db, slug).id, clock.now_ms()))
    _print_key(slug, key, as_json=as_json)


def _print_key(slug: str, key: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"slug": slug, "api_key": key})
        return
    click.echo(f"Key of {slug}, not shown again:", err=True)
    click.echo(key)
