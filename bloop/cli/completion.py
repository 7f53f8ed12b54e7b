"""`bloop completion`: the script that completes commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh")
VARIABLE = "_BLOOP_COMPLETE"  # click derives it from the program's name


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for bash or zsh.

    \b
    bash: eval "$(bloop completion bash)" in ~/.bashrc
    zsh:  eval "$(bloop completion zsh)" in ~/.zshrc, after compinit
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click completes for every shell in SHELLS"
    root = ctx.find_root()
    click.echo(kind(root.command, {}, "bloop", VARIABLE).source())
