"""`bloop`: the operator's commands. Start here to see which there are; each family has a module of its own."""

from __future__ import annotations

import click

from bloop import __version__
from bloop.cli.alerts import alert
from bloop.cli.backups import backup
from bloop.cli.bench import bench
from bloop.cli.deliveries import delivery
from bloop.cli.demo import demo
from bloop.cli.doctor import doctor
from bloop.cli.issues import issue
from bloop.cli.projects import project
from bloop.cli.restore import restore
from bloop.cli.retention import retention
from bloop.cli.ring import ring
from bloop.cli.sign_in import login_link, welcome
from bloop.cli.status import status
from bloop.cli.system import config, migrate, up
from bloop.cli.tokens import token
from bloop.cli.transfer import export, import_
from bloop.cli.users import user


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
