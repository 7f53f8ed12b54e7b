"""`bloop doctor`: checks everything an installation needs and names a remedy for each problem.

Exit codes: 0 no errors (warnings are possible), 1 at least one error.
"""

from __future__ import annotations

import sys

import click

from bloop.base.config import Settings
from bloop.cli.checks import LOCAL, Finding, Verdict
from bloop.cli.checks_running import backups, instance, processes
from bloop.cli_kit.context import as_json, print_json, with_settings

_MARKS = {Verdict.OK: "ok     ", Verdict.WARNING: "WARNING", Verdict.WRONG: "WRONG  "}


@click.command()
@as_json
@click.option("--offline", is_flag=True, help="Skip the checks of bloop's public address.")
@with_settings
def doctor(settings: Settings, as_json: bool, offline: bool) -> None:
    """Check the installation and name a remedy for each problem.

    Checks settings, files, disk, clock, port, database and proxy. Exit code 1 when there is an error.
    """
    from bloop.cli.checks_online import public_address  # here, because every other command would wait for its imports

    findings: list[Finding] = []
    local_checks = (instance, *LOCAL, processes, backups)
    for check in local_checks if offline else (*local_checks, public_address):
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
