"""`bloop`: the operator's commands. Start here to see which there are; each family has a module of its own."""

from __future__ import annotations

import click

from bloop import __version__
from bloop.accounts.cli import user
from bloop.accounts.sign_ins.cli import login_link, welcome
from bloop.alerts.cli import alert
from bloop.alerts.deliveries.cli import delivery
from bloop.backup.cli import backup
from bloop.backup.restore_cli import restore
from bloop.bench.cli import bench
from bloop.cli.doctor import doctor
from bloop.cli.ring import ring
from bloop.cli.status import status
from bloop.cli.system import config, migrate, up
from bloop.demo.cli import demo
from bloop.issues.cli import issue
from bloop.projects.cli import project
from bloop.projects.tokens.cli import token
from bloop.retention.cli import retention
from bloop.transfer.cli import export, import_


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bloop", message="%(prog)s %(version)s")
def main() -> None:
    """Self-hosted error tracking.

    Settings come from ./config.toml (or --config) and BLOOP__SECTION__KEY variables. `bloop config check` shows what
    is in force.
    """


_EVERYDAY = (up, status, doctor, demo, issue, alert, delivery, project, token, user, login_link, welcome)
_UPKEEP = (retention, backup, restore, export, import_, config, migrate, ring, bench)

for command in (*_EVERYDAY, *_UPKEEP):
    main.add_command(command)

if __name__ == "__main__":
    main()
