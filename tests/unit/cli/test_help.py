"""The help of every command: a summary that ends, a word about each option; docs/cli.md says the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bloop.cli.main import main
from tests.cli_reference import reference

DOCUMENT = Path(__file__).parents[3] / "docs" / "cli.md"
COLUMNS = 80
COMMANDS_MIN = 40


def every_command(
    command: click.Command = main, path: tuple[str, ...] = ("bloop",)
) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        for name, member in command.commands.items():
            yield from every_command(member, (*path, name))


COMMANDS = dict(every_command())


def test_all_commands_are_looked_at():
    assert len(COMMANDS) >= COMMANDS_MIN


@pytest.mark.parametrize("path", [path for path, command in COMMANDS.items() if isinstance(command, click.Group)])
def test_the_list_of_a_groups_commands_is_one_whole_line_each(path: str):
    group = COMMANDS[path]
    assert isinstance(group, click.Group)
    context = click.Context(group, info_name=path, terminal_width=COLUMNS)
    lines = group.get_help(context).partition("Commands:\n")[2].splitlines()

    assert len(lines) == sum(not command.hidden for command in group.commands.values())
    assert [line for line in lines if line.endswith("...")] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_begins_with_a_sentence_that_ends(path: str):
    first_line = (COMMANDS[path].help or "").strip().partition("\n")[0]

    assert first_line[:1].isupper()
    assert first_line.endswith(".")


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_has_its_help(path: str):
    options = [param for param in COMMANDS[path].params if isinstance(param, click.Option)]

    assert [option.opts[0] for option in options if not option.help] == []


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [(["isue"], "issue"), (["issue", "shw"], "show"), (["issue", "list", "--jsn"], "--json")],
)
def test_a_mistyped_name_is_answered_with_the_nearest(arguments: list[str], nearest: str):
    done = CliRunner().invoke(main, arguments)

    assert done.exit_code == 2
    assert f"Did you mean '{nearest}'?" in done.stderr


def test_the_document_of_commands_says_what_their_help_says():
    expected = reference()

    assert DOCUMENT.read_text(encoding="utf-8") == expected, "run: python -m tests.cli_reference > docs/cli.md"
