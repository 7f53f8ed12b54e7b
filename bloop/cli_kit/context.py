"""Common to every command: finds settings, database and ring, and reports errors.

COMMAND-1  Results go to stdout, messages to stderr. Exit codes: 0 done, 1 failed, 2 misuse.
COMMAND-2  Expected trouble is one line that names the setting or object; a traceback means a bug.
COMMAND-3  If no setting names a database, commands use the one in the data folder: `--data`, or `./data` if it has one.
    If no setting has a secret, it is read from the file `secret` beside the database.
COMMAND-4  A command works on the bloop of that data folder and no other. Settings that nobody gave it (port, address,
    ring) are those of the `bloop up` that runs on the data, by its pid file. A command that nobody told which data to
    use says which it uses.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from bloop.base import config
from bloop.base.config import Settings
from bloop.base.errors import BloopError, RingMissing, StorageError
from bloop.base.pid_file import find_running
from bloop.db import connection, migrate
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.ring import Segment

DATA_FOLDER = Path("data")
DATABASE_NAME = "bloop.db"
SECRET_NAME = "secret"  # noqa: S105
SECRET_VARIABLE = "BLOOP__AUTH__HMAC_SECRET_FILE"  # noqa: S105
DATABASE_VARIABLE = "BLOOP__DATABASE__PATH"

FILE = click.Path(readable=False)  # completed by the shell; whether it exists is the command's question
FOLDER = click.Path(file_okay=False, readable=False)

T = TypeVar("T")

_NEGATED_TERM = re.compile(r"-[A-Za-z][^\s:]*:")


class Refusal(click.ClickException):
    """One line on stderr, exit code 1."""

    def show(self, file: Any = None) -> None:
        click.echo(f"bloop: {self.message}", err=True, file=file)


@contextlib.contextmanager
def errors_as_refusals() -> Iterator[None]:
    """Turn expected errors into a Refusal."""
    try:
        yield
    except BloopError as error:
        raise Refusal(str(error)) from error
    except db_errors.BusyError as error:
        raise Refusal("the database is busy; try again") from error
    except db_errors.Error as error:
        raise Refusal(f"database error: {error}") from error
    except BrokenPipeError:  # click ends quietly when the reader of stdout is gone
        raise
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        raise Refusal(f"{file}{error.strerror or error}") from error


def with_settings(command: Callable[..., T]) -> Callable[..., T]:
    """Give a command `--config` and `--data`, and pass it the settings."""
    return _with_settings(command, make_secret=False)


def with_settings_and_secret(command: Callable[..., T]) -> Callable[..., T]:
    """The same for commands that start processes: with `--data`, a missing secret is generated there."""
    return _with_settings(command, make_secret=True)


def _with_settings(command: Callable[..., T], *, make_secret: bool) -> Callable[..., T]:
    @click.option(
        "-c", "--config", "config_path", type=FILE, metavar="PATH", help="Settings file (default: config.toml)."
    )
    @click.option("--data", type=FOLDER, metavar="DIR", help="Folder of database and secret if no setting names them.")
    @functools.wraps(command)
    def run(*args: Any, config_path: str | None, data: str | None, **kwargs: Any) -> T:
        with errors_as_refusals():
            environ = os.environ
            is_named = data is not None or _names_database(config_path, environ)
            settings = find_settings(config_path, data, environ, make_secret=make_secret and data is not None)
            if not is_named and os.path.exists(settings.database_path):
                click.echo(f"bloop: using {settings.database_path}", err=True)
            return command(settings, *args, **kwargs)

    return run


def worker_command(settings: Settings, name: str, *flags: str) -> list[str]:
    """The command line of a process with these settings; settings without a file are passed in the environment."""
    config_flags = [] if settings.source == config.NO_FILE else ["--config", settings.source]
    # -P: a folder named `workers` in the operator's current folder must not be imported instead of ours.
    return [sys.executable, "-P", "-m", f"workers.{name}", *config_flags, *flags]


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def find_settings(
    config_path: str | None, data: str | None, environ: MutableMapping[str, str], *, make_secret: bool = False
) -> Settings:
    """The settings by COMMAND-3. The database path and secret file go into `environ`, for processes started later.

    With `make_secret`, a missing secret is generated beside the database.
    """
    folder = Path(data) if data else DATA_FOLDER
    is_given = data or os.path.exists(folder / DATABASE_NAME)  # not Path.exists: it raises where we may not look
    defaults: dict[str, dict[str, Any]] = {}
    if is_given:
        defaults["database"] = {"path": str(folder / DATABASE_NAME)}
    settings = config.load(config_path, environ, secret_required=False, defaults=defaults)
    running = find_running(settings.run_dir)
    if running is not None:
        for key, value in running.settings.items():
            section, _, name = key.partition(".")
            defaults.setdefault(section, {})[name] = value
        settings = config.load(config_path, environ, secret_required=False, defaults=defaults)
    environ[DATABASE_VARIABLE] = str(settings.database_path)
    if settings.auth.hmac_secret:
        return settings
    secret_file = settings.database_path.parent / SECRET_NAME
    if make_secret and not secret_file.exists():
        generate_secret(secret_file)
    if not secret_file.exists():
        return settings
    environ[SECRET_VARIABLE] = str(secret_file)
    return config.load(config_path, environ, defaults=defaults)


def no_database(settings: Settings) -> str:
    """Where a database was looked for and not found."""
    places = [settings.database_path]
    if not settings.is_set("database.path"):
        places.insert(0, (DATA_FOLDER / DATABASE_NAME).absolute())
    return f"there is no database {' or '.join(map(str, places))}"


def _names_database(config_path: str | None, environ: Mapping[str, str]) -> bool:
    """Whether the settings file or the environment says which database to use."""
    return config.load(config_path, environ, secret_required=False).is_set("database.path")


def generate_secret(path: Path) -> None:
    """Write a new secret, readable by this user only; a rename at the end, so that a kill leaves no partial file."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary_path = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(temporary_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    temporary_path.rename(path)


def read_credential(file: Path | None, variable: str) -> str:
    """A credential from a file or an environment variable; empty where neither has one.

    No command takes one as an argument: every user of a machine can read the command lines of its processes.
    """
    if file is None:
        return os.environ.get(variable, "").strip()
    try:
        value = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"cannot read {file}: {getattr(error, 'strerror', None) or 'not text'}") from error
    if not value:
        raise click.UsageError(f"{file} is empty")
    return value


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[Db]:
    """The control connection to an existing, up-to-date database."""
    path = settings.database_path
    if not path.exists():
        raise StorageError(f"{no_database(settings)}: `bloop up` creates it, --config or --data name another")
    with contextlib.closing(connection.open_control(path)) as db:
        if migrate.pending(db):
            raise StorageError(f"the database {path} is from an older bloop: run `bloop migrate` first")
        yield db


def change(settings: Settings, action: Callable[[Db], T]) -> T:
    """Run `action` in one transaction, then tell running processes to reload what the control plane changed."""
    with database(settings) as db:
        with connection.immediate(db):
            result = action(db)
        with contextlib.suppress(RingMissing), contextlib.closing(Segment.attach(settings.ring_name)) as ring:
            ring.bump_generation()
        return result


class SearchCommand(click.Command):
    """A command whose arguments are a search: a term such as `-env:staging` is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        options, rest = args[:end], args[end + 1 :]
        terms = [arg for arg in options if _NEGATED_TERM.match(arg)]
        options = [arg for arg in options if not _NEGATED_TERM.match(arg)]
        return super().parse_args(ctx, [*options, "--", *terms, *rest])


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table with columns as wide as their widest cell."""
    lines = [[str(cell) for cell in row] for row in (heading, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
