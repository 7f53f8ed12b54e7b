"""`bloop completion`: what a shell gets after the Tab key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bloop.cli.completion import SHELLS
from bloop.cli.main import main

BIN = str(Path(sys.executable).parent)
COMPLETE = """
eval "$(bloop completion bash)"
COMP_WORDS=({words}) COMP_CWORD={position}
_bloop_completion bloop
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def complete(*words: str) -> list[str]:
    script = COMPLETE.format(words=" ".join(f"'{word}'" for word in words), position=len(words) - 1)
    environ = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=30, env=environ)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("bloop", "iss"), ["issue"]),
        (("bloop", "issue", "as"), ["assign"]),
        (("bloop", "completion", ""), list(SHELLS)),
        (("bloop", "issue", "list", "--pro"), ["--project"]),
    ],
)
def test_bash_completes_commands_arguments_and_options(words: tuple[str, ...], expected: list[str]):
    assert complete(*words) == expected


def test_the_script_for_zsh_registers_a_function_of_its_own():
    done = CliRunner().invoke(main, ["completion", "zsh"], prog_name="bloop")

    assert done.stdout.startswith("#compdef bloop")
    assert "compdef _bloop_completion bloop" in done.stdout


def test_another_shell_is_misuse():
    done = CliRunner().invoke(main, ["completion", "tcsh"])

    assert done.exit_code == 2
    assert "'bash', 'zsh'" in done.stderr
