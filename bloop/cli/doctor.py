"""`bloop doctor`: looks at everything an installation needs and says what to do about what it finds.

Exit codes: 0 nothing is wrong (there may be warnings), 1 something is.
"""

from __future__ import annotations

import sys

import click

from bloop.base.config import Settings
from bloop.cli.checks import LOCAL, Finding, Verdict
from bloop.cli.checks_running import backups, processes
from bloop.command.context import as_json, print_json, with_settings

_MARKS = {Verdict.OK: "ok     ", Verdict.WARNING: "WARNING", Verdict.WRONG: "WRONG  "}


@click.command()
@as_json
@click.option("--offline", is_flag=True, help="Do not ask bloop's own public address.")
@with_settings
def doctor(settings: Settings, as_json: bool, offline: bool) -> None:
    """Check settings, files, disk, clock, port, database and proxy. Exit code 1 when something is wrong."""
    from bloop.cli.checks_online import public_address  # here, because every other command would wait for its imports

    findings: list[Finding] = []
    here = (*LOCAL, processes, backups)
    for check in here if offline else (*here, public_address):
        for finding in check(settings):
            findings.append(finding)
            if not as_json:
                _print(finding)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    sys.exit(any(finding.verdict is Verdict.WRONG for finding in findings))


def _print(finding: Finding) -> None:
    click.echo(f"{_MARKS[finding.verdict]}  {finding.subject}: {finding.says}")
    if finding.remedy:
        click.echo(f"         → {finding.remedy}")
