"""`bloop up`, `bloop migrate`, `bloop config check`: the installation as a whole."""

from __future__ import annotations

import os

import click

from bloop.base import clock
from bloop.base import config as settings_module
from bloop.base.config import Settings
from bloop.command.context import as_json, print_json, with_settings, with_settings_and_secret, worker_command
from bloop.db import migrate as migrations


@click.command()
@click.option("--quiet", is_flag=True, help="Print no key and no sign-in link, only that it is ready.")
@with_settings_and_secret
def up(settings: Settings, quiet: bool) -> None:
    """Run everything: ingest, writer, dashboard. Ctrl-C stops it without losing a record.

    With --data, the folder and a random signing secret are made if they are missing.
    """
    command = worker_command(settings, "supervisor", *(["--quiet"] if quiet else []))
    # In place of this process: the supervisor keeps our pid and terminal, and none of our imports.
    os.execv(command[0], command)  # noqa: S606


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be applied.")
@with_settings
def migrate(settings: Settings, dry_run: bool) -> None:
    """Bring the database up to date, making it if there is none. Safe at any time, also while bloop runs."""
    path = settings.database_path
    applied = migrations.pending_at(path) if dry_run else migrations.migrate(path, clock.now_ms())
    for migration in applied:
        click.echo(f"{migration.version:04d} {migration.name}")
    if not (dry_run and applied):
        click.echo(f"{path} is up to date", err=True)


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@as_json
@with_settings
def check(settings: Settings, as_json: bool) -> None:
    """Print the settings in force, secrets hidden; fail with the first one that will not do."""
    settings_module.check_secret(settings.auth.hmac_secret)
    if as_json:
        print_json(_as_json(settings))
        return
    section = ""
    click.echo(f"# from {settings.source} and the environment; ring {settings.ring_name}")
    for key, value, doc in settings_module.describe(settings):
        name, _, rest = key.partition(".")
        if name != section:
            section = name
            click.echo(f"\n[{section}]")
        click.echo(f"{f'{rest} = {_shown(value)}':<52} # {doc}")
    _say_what_is_chosen(settings)
    click.echo("OK", err=True)


def _say_what_is_chosen(settings: Settings) -> None:
    cores, memory_bytes, shm_bytes = settings.machine
    memory = f"{memory_bytes >> 20} MiB of memory, {shm_bytes >> 20} MiB of shared memory"
    click.echo(f"\n# what this machine is given: {cores:g} cores, {memory}")
    for setting, value, why in settings.tuning.choices:
        click.echo(f"# {f'{setting} = {value}':<50} {why}")


def _as_json(settings: Settings) -> dict[str, object]:
    """The settings, and what follows from them for somebody who looks after the files."""
    return {
        "source": settings.source,
        "database_path": str(settings.database_path),
        "dashboard_path": str(settings.dashboard_path),
        "ring_name": settings.ring_name,
        "machine": settings.machine._asdict(),
        "chosen": [choice._asdict() for choice in settings.tuning.choices],
        "settings": {key: value for key, value, _ in settings_module.describe(settings)},
    }


def _shown(value: object) -> str:
    """As TOML writes it, near enough to paste."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
