"""`bloop`: the list of the operator's commands; each group of commands has a module of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pkgutil import resolve_name

import click

from bloop import __version__, features

# Of no feature, or of several; the features' own are in bloop/features.py.
_COMMANDS = {
    "up": "bloop.cli.system:up",
    "status": "bloop.cli.status:status",
    "doctor": "bloop.cli.doctor:doctor",
    "demo": "bloop.demo.cli:demo",
    "welcome": "bloop.cli.welcome:welcome",
    "export": "bloop.transfer.cli:export",
    "import": "bloop.transfer.cli:import_",
    "config": "bloop.cli.system:config",
    "migrate": "bloop.cli.system:migrate",
    "ring": "bloop.cli.ring:ring",
    "bench": "bloop.bench.cli:bench",
    "completion": "bloop.cli.completion:completion",
}


class Commands(Mapping[str, click.Command]):
    """By name, imported when they are asked for: each command waits for its own modules only."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def __getitem__(self, name: str) -> click.Command:
        command: click.Command = resolve_name(self._names[name])
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@click.group(
    commands=Commands(_COMMANDS | features.commands()),  # click only reads it
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="bloop", message="%(prog)s %(version)s")
def main() -> None:
    """Self-hosted error tracking.

    Settings come from ./config.toml (or --config) and BLOOP__SECTION__KEY variables. `bloop config check` shows the
    settings in force.
    """


if __name__ == "__main__":
    main()
