"""docs/cli.md, made from the commands: `python -m tests.cli_reference` prints it; a test compares the two."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from bloop.cli.main import main

COMMON = ("config_path", "data", "help")
INTRODUCTION = """\
# Commands

`bloop` manages an installation from the server's command line. `bloop COMMAND --help` prints the same as this page.

- A command works on the data in `--data DIR`, else on the database that the [settings](configuration.md) name, else on
  `./data`. Settings come from `./config.toml` or `-c PATH`, and from environment variables. Every command that works on
  an installation takes `-c, --config PATH` and `--data DIR`; they are not repeated below.
- Results are printed to stdout, messages to stderr. Exit codes: 0 done, 1 failed, 2 misuse. `--json` prints JSON.
- An issue is named by its ID, such as `STORE-142`, or by its fingerprint.
- A query is what the dashboard's search box takes.

To complete commands and options with the Tab key, add one line to the shell's start-up file. Both need `bloop` on the
path.

```sh
echo 'eval "$(bloop completion bash)"' >> ~/.bashrc
echo 'eval "$(bloop completion zsh)"' >> ~/.zshrc   # after compinit
```
"""


def reference() -> str:
    """The whole document."""
    commands = list(_commands(main, ("bloop",)))
    summaries = [f"| [`{' '.join(path)}`](#{'-'.join(path)}) | {_summary(command)} |" for path, command in commands]
    parts = [INTRODUCTION, "\n".join(["| Command | |", "|---|---|", *summaries]) + "\n"]
    parts += [_section(path, command) for path, command in commands]
    return "\n".join(parts)


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is not a group of others, and groups that do something themselves, by name."""
    for name in sorted(group.commands):
        command = group.commands[name]
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        elif not command.hidden:
            yield (*path, name), command


def _section(path: tuple[str, ...], command: click.Command) -> str:
    name = " ".join(path)
    context = click.Context(command, info_name=name)
    pieces = command.collect_usage_pieces(context)
    lines = [f"## {name}\n", "```", " ".join([name, *pieces]), "```\n", _help(command)]
    options = [option for option in command.params if isinstance(option, click.Option) and option.name not in COMMON]
    if options:
        lines += ["", "| Option | |", "|---|---|", *(_option(option, context) for option in options)]
    return "\n".join(lines) + "\n"


def _option(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None, "no option is hidden"
    names, text = (part.replace("|", "\\|") for part in record)
    text = re.sub(r"\s*\[", " [", text)
    return f"| `{names}` | {text} |"


def _help(command: click.Command) -> str:
    """Its help as Markdown: lines after `\\b` stay as they are."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(
        "```\n" + text.removeprefix("\b\n") + "\n```" if text.startswith("\b") else text.replace("<", "\\<")
        for text in paragraphs
    )


def _summary(command: click.Command) -> str:
    return command.get_short_help_str(limit=1000)


if __name__ == "__main__":
    print(reference(), end="")
