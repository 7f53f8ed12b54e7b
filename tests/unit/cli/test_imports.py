"""What a command waits for before it begins (bloop/cli/main.py)."""

from __future__ import annotations

import subprocess
import sys

ELSEWHERE = ("jinja2", "urllib3", "requests", "ssl", "email", "falcon", "gunicorn", "rich", "prometheus_client")
COMMAND = f"""
import sys
from bloop.cli.main import main
for name, command in main.commands.items():
    assert command.name == name, name
print(*sorted(sys.modules.keys() & set({ELSEWHERE!r})))
"""


def test_no_command_waits_for_what_only_others_need():
    ended = subprocess.run([sys.executable, "-c", COMMAND], capture_output=True, text=True, check=True, timeout=30)

    assert ended.stdout.split() == []
