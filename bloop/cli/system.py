"""`bloop up`, `bloop migrate`, `bloop config check`: the installation as a whole."""

from __future__ import annotations

import os

import click

from bloop.base import clock
from bloop.base import config as settings_module
from bloop.base.config import Settings
from bloop.cli_kit.context import as_json, print_json, with_settings, with_settings_and_secret, worker_command
from bloop.db import migrate as migrations


@click.command()
@click.option("--quiet", is_flag=True, help="Print only the ready line, no key or sign-in link.")
@with_settings_and_secret
def up(settings: Settings, quiet: bool) -> None:
    """Run all of bloop in the foreground.

    Starts ingest, writer, dashboard, alerts and retention. Ctrl-C stops them without losing a record. With --data, a
    missing folder and signing secret are created. The first start prints the key of the project `default`;
    later, `bloop welcome` prints it.
    """
    command = worker_command(settings, "supervisor", *(["--quiet"] if quiet else []))
    # Replaces this process: the supervisor keeps our pid and terminal, and none of our imports.
    os.execv(command[0], command)  # noqa: S606


@click.command()
@click.option("--dry-run", is_flag=True, help="List the migrations without applying them.")
@with_settings
def migrate(settings: Settings, dry_run: bool) -> None:
    """Create the database, or migrate it to the current schema.

    Safe at any time, also while bloop runs.
    """
    path = settings.database_path
    applied = migrations.pending_at(path) if dry_run else migrations.migrate(path, clock.now_ms())
    for migration in applied:
        click.echo(f"{migration.version:04d} {migration.name}")
    if not (dry_run and applied):
        click.echo(f"{path} is up to date", err=True)


@click.group()
def config() -> None:
    """Inspect the settings."""


@config.command()
@as_json
@with_settings
def check(settings: Settings, as_json: bool) -> None:
    """Print the settings in force, or the first invalid one.

    Secrets are hidden. Exit code 1 when a setting is invalid.
    """
    settings_module.check_secret(settings.auth.hmac_secret)
    if as_json:
        print_json(_as_json(settings))
        return
    section = ""
    click.echo(f"# from {settings.source} and the environment; ring {settings.ring_name}")
    for key, value, doc in settings_module.describe(settings):
        name, _, field = key.partition(".")
        if name != section:
            section = name
            click.echo(f"\n[{section}]")
        click.echo(f"{f'{field} = {_toml_value(value)}':<52} # {doc}")
    _print_tuning(settings)
    click.echo("OK", err=True)


def _print_tuning(settings: Settings) -> None:
    cores, memory_bytes, shm_bytes = settings.machine
    memory = f"{memory_bytes >> 20} MiB of memory, {shm_bytes >> 20} MiB of shared memory"
    click.echo(f"\n# chosen for this machine: {cores:g} cores, {memory}")
    for setting, value, why in settings.tuning.choices:
        click.echo(f"# {f'{setting} = {value}':<50} {why}")


def _as_json(settings: Settings) -> dict[str, object]:
    """The settings, and the paths, names and choices that follow from them."""
    return {
        "source": settings.source,
        "database_path": str(settings.database_path),
        "dashboard_path": str(settings.dashboard_path),
        "ring_name": settings.ring_name,
        "machine": settings.machine._asdict(),
        "chosen": [choice._asdict() for choice in settings.tuning.choices],
        "settings": {key: value for key, value, _ in settings_module.describe(settings)},
    }


def _toml_value(value: object) -> str:
    """The value in TOML, close enough to paste."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
