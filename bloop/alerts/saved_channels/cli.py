"""`bloop channel`: create, list, test and delete channels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from bloop.alerts.firing import send_test as trial
from bloop.alerts.firing.cli_test import run_and_print
from bloop.alerts.rules.words import CHANNELS, channel_label, channel_name
from bloop.alerts.saved_channels import store
from bloop.alerts.saved_channels.read import ChannelUse, SavedChannel, list_saved_channels, list_uses
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict, NotFound
from bloop.cli_kit.context import as_json, change, database, print_json, print_table, with_settings
from bloop.db.engine import Db
from bloop.projects.read import find_project

STANDARD_INPUT = Path("-")
CONFIG_BYTES_MAX = 65_536
_URL_FIELDS = {"slack": "webhook_url", "discord": "webhook_url", "teams": "webhook_url", "webhook": "url"}


@click.group()
def channel() -> None:
    """Manage the channels that alert rules notify."""


@channel.command("list")
@as_json
@with_settings
def list_(settings: Settings, as_json: bool) -> None:
    """List all channels and the rules that notify them. Secrets are not shown."""
    with database(settings) as db:
        rows = list_saved_channels(db)
        uses = list_uses(db, [row.id for row in rows])
    if as_json:
        print_json([_public(row, uses.get(row.id, [])) for row in rows])
        return
    print_table(
        ("ID", "NAME", "TYPE", "TARGET", "PROJECT", "RULES"),
        [
            (
                row.id,
                label_of(row),
                row.channel_type,
                target_of(row),
                row.project_slug or "all",
                ", ".join(use.rule_name for use in uses.get(row.id, ())) or "none",
            )
            for row in rows
        ],
    )


@channel.command()
@click.argument("name")
@click.option("--type", "channel_type", type=click.Choice([*CHANNELS]), required=True, help="Where it sends.")
@click.option("--project", "slug", metavar="SLUG", help="For rules of this project only (default: of all projects).")
@click.option("--to", metavar="ADDRESS", help="Mail address, for --type email; up to ten with commas between.")
@click.option(
    "--url-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with the URL; - reads stdin. Without it, bloop asks for the URL.",
)
@click.option(
    "--config-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with the whole config as JSON, as in the API; - reads stdin.",
)
@as_json
@with_settings
def create(
    settings: Settings,
    name: str,
    channel_type: str,
    slug: str | None,
    to: str | None,
    url_file: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Create a channel.

    No option takes the URL itself: every user of a machine can read the command lines of its processes.
    """
    from bloop.alerts import channels

    config = channels.check(channel_type, _read_config(channel_type, to, url_file, config_file), settings)

    def save(db: Db) -> SavedChannel:
        project_id = find_project(db, slug).id if slug else None
        channel_id = store.create_channel(
            db, channel_type, config, project_id=project_id, name=name, now_ms=clock.now_ms()
        )
        return next(row for row in list_saved_channels(db) if row.id == channel_id)

    row = change(settings, save)
    if as_json:
        print_json(_public(row, []))
        return
    click.echo(f"Created channel {row.name} ({row.id})", err=True)
    click.echo(row.id)


@channel.command()
@click.argument("reference", metavar="ID|NAME")
@as_json
@with_settings
def test(settings: Settings, reference: str, as_json: bool) -> None:
    """Send a test to a channel and print the answer. Fails unless the receiver accepts it."""
    from bloop.alerts import channels

    origin = settings.auth.rp_origin

    def find(db: Db) -> Any:
        row = find_channel(list_saved_channels(db), reference)
        return lambda now_ms: trial.start_of_channel(db, row, channels.target, origin=origin, now_ms=now_ms)

    run_and_print(settings, find, as_json=as_json, empty="the channel was deleted")


@channel.command()
@click.argument("reference", metavar="ID|NAME")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_settings
def delete(settings: Settings, reference: str, yes: bool) -> None:
    """Delete a channel. Rules stop notifying it; messages that wait for it are dismissed."""
    with database(settings) as db:
        row = find_channel(list_saved_channels(db), reference)
        uses = list_uses(db, [row.id]).get(row.id, [])
    if not yes:
        used = f" It leaves {len(uses)} rule{'s' if len(uses) != 1 else ''}." if uses else ""
        click.confirm(f"Delete channel {label_of(row)}?{used}", abort=True, err=True)
    change(settings, lambda db: store.delete_channel(db, row.id))
    click.echo(f"Deleted channel {label_of(row)}", err=True)


def find_channel(rows: list[SavedChannel], reference: str) -> SavedChannel:
    """The channel with this id or name. Raises: NotFound, Conflict."""
    matches = [row for row in rows if reference in (str(row.id), row.name)]
    if not matches:
        known = ", ".join(row.name for row in rows if row.name) or "none yet"
        raise NotFound(f"channel {reference!r} not found (channels: {known})")
    if len(matches) > 1:
        raise Conflict(f"several channels are named {reference!r}; use the id")
    return matches[0]


def target_of(row: SavedChannel) -> str:
    from bloop.alerts import channels  # here and above: every other command would wait for HTTP, mail and templates

    return channels.target(row.channel_type, row.config)


def label_of(row: SavedChannel) -> str:
    """The name, or type and receiver of a channel without one."""
    return row.name or channel_label(row.channel_type, target_of(row))


def _read_config(channel_type: str, to: str | None, url_file: Path | None, config_file: Path | None) -> dict[str, Any]:
    if config_file is not None:
        if to or url_file:
            raise click.UsageError("--config-file holds the whole config: leave --to and --url-file out")
        return _parse_config(_read(config_file))
    if channel_type == "email":
        if not to:
            raise click.UsageError("--type email needs --to ADDRESS")
        return {"to": to}
    if to:
        raise click.UsageError(f"--to is for --type email, not {channel_type}")
    if channel_type not in _URL_FIELDS:
        raise click.UsageError(f"--type {channel_type} needs --config-file FILE")
    if url_file is not None:
        return {_URL_FIELDS[channel_type]: _read(url_file).decode("utf-8", "replace").strip()}
    return {_URL_FIELDS[channel_type]: click.prompt(f"{channel_name(channel_type)} URL", hide_input=True, err=True)}


def _read(path: Path) -> bytes:
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(CONFIG_BYTES_MAX)
    try:
        with path.open("rb") as file:
            return file.read(CONFIG_BYTES_MAX)
    except OSError as error:
        raise click.UsageError(f"cannot read {path}: {error.strerror}") from error


def _parse_config(raw: bytes) -> dict[str, Any]:
    try:
        config = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"--config-file is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise click.UsageError("--config-file must hold a JSON object")
    return {name: value for name, value in config.items() if name != "type"}


def _public(row: SavedChannel, uses: list[ChannelUse]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "channel_type": row.channel_type,
        "target": target_of(row),
        "project": row.project_slug,
        "rules": [use.rule_name for use in uses],
    }
