"""Helpers of these tests: install bloop, query an installation, and send events to it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bloop.base.outcomes import REFUSALS, Outcome
from tests.systemd.machine import PORT, Machine, copy_sources, module
from tests.systemd.tree import ROOT
from tests.waiting import until

UNITS = ("writer", "alerts", "retention", "dashboard", "ingest")
SERVICES = tuple(f"bloop-{name}.service" for name in UNITS)
UP_S = 60.0

Test = Callable[..., None]


def on_a_machine(test: Test) -> Test:
    """Skip the body if no machine boots; the fixture has printed the reason."""

    @functools.wraps(test)
    def run(machine: Machine | None, **fixtures: Any) -> None:
        if machine is not None:
            test(machine, **fixtures)

    return run


def install(machine: Machine, name: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    script = f"/sources/{name}/systemd/install.sh"
    return machine.run(script, "--wheelhouse", "/wheels", *options, check=check, timeout_s=300)


def make_sources(machine: Machine, change: Callable[[Path], None] | None = None, *, name: str) -> str:
    """The sources of a version of bloop, this checkout's unless `change` edits them; replaces those of that name."""
    shutil.rmtree(machine.sources / name, ignore_errors=True)
    folder = copy_sources(machine.sources / name)
    if change is not None:
        change(folder)
    return name


def add_migration(folder: Path, table: str) -> None:
    migrations = folder / "bloop" / "db" / "migrations"
    number = max(int(path.name[:4]) for path in migrations.glob("*.sql")) + 1
    (migrations / f"{number:04d}_{table}.sql").write_text(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY);\n")


def configure(machine: Machine) -> None:
    """Write the settings of a test machine, before bloop is installed."""
    machine.write("/etc/bloop/environment", 'BLOOP__RATE_LIMIT__PER_SECOND=0\nBLOOP__SERVER__WORKERS="2"\n')
    for name in ("dashboard", "ingest"):
        # In a container with the older control groups systemd is not told when the last process of a unit has ended.
        machine.write(f"/etc/systemd/system/bloop-{name}.service.d/90-test.conf", "[Service]\nTimeoutStopSec=4\n")


def are_active(machine: Machine) -> bool:
    states = machine.run("systemctl", "is-active", *SERVICES, check=False).stdout.split()
    return states == ["active"] * len(SERVICES)


def restarts(machine: Machine) -> dict[str, int]:
    return {name: int(machine.unit_property(f"bloop-{name}", "NRestarts")) for name in UNITS}


# Of either layout: an upgrade begins with the release before, whose events had a column for each field.
_STORED = """
import contextlib, json
import apsw
with contextlib.closing(apsw.Connection("/var/lib/bloop/bloop.db", flags=apsw.SQLITE_OPEN_READWRITE)) as db:
    db.set_busy_timeout(5000)
    if db.execute("SELECT 1 FROM pragma_table_info('events') WHERE name = 'message'").fetchone():
        rows = db.execute("SELECT id, project_id, issue_id, timestamp_ms, request_id, message FROM events ORDER BY id")
        print(json.dumps(rows.fetchall()))
    else:
        from bloop.issues.events.read import by_ids
        found = by_ids(db, [row[0] for row in db.execute("SELECT id FROM events")])
        rows = [(e.id, e.project_id, e.issue_id, e.timestamp_ms, e.request_id, e.message) for e in found]
        print(json.dumps(sorted(rows)))
"""
_LEDGER = "SELECT project_id, outcome, count FROM ledger_totals"
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_SELECT = """
import contextlib, json, sys
import apsw
with contextlib.closing(apsw.Connection("/var/lib/bloop/bloop.db", flags=apsw.SQLITE_OPEN_READONLY)) as db:
    db.set_busy_timeout(5000)
    print(json.dumps(db.execute(sys.argv[1]).fetchall()))
"""


def select(machine: Machine, statement: str) -> list[Any]:
    return list(json.loads(machine.python(_SELECT, statement)))


def has_table(machine: Machine, name: str) -> bool:
    return [name] in select(machine, _TABLES)


class StoredEvent(NamedTuple):
    """What both layouts say of an event."""

    id: int
    project_id: int
    issue_id: int
    timestamp_ms: int
    request_id: str | None
    message: str


def stored_events(machine: Machine) -> list[StoredEvent]:
    return [StoredEvent(*row) for row in json.loads(machine.python(_STORED))]


def stored_ids(machine: Machine) -> list[str]:
    return [event.request_id for event in stored_events(machine) if event.request_id is not None]


class Load:
    """Clients that send until `stop`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def stop(self) -> dict[str, Any]:
        output, _ = self._process.communicate(timeout=120)
        return dict(json.loads(output))


@contextlib.contextmanager
def load(machine: Machine, prefix: str, *, patient: bool = False) -> Iterator[Load]:
    """Two clients, whose events have ids that begin with `prefix`; patient ones repeat a request without an answer."""
    secret = machine.output("cat", "/etc/bloop/secret")
    kind = "patient" if patient else "once"
    command = machine.outside(*module("senders", str(PORT), secret, "2", prefix, kind))
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"TZ": "UTC"}
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            assert process.stdout.readline() == "sending\n"
            yield Load(process)
        finally:
            if process.poll() is None:
                process.kill()


def assert_all_is_accounted_for(machine: Machine, answers: dict[str, Any], prefix: str) -> None:
    """Accepted events are stored once, stored events were sent, and the ledger balances.

    An event that a patient client repeated may be stored twice: bloop does not compare request ids.
    """
    accepted, unanswered = set(answers["accepted"]), set(answers["unanswered"])
    until(lambda: accepted <= set(stored_ids(machine)), "accepted events to be stored", 30)
    stored = stored_ids(machine)
    assert len(accepted) > 100, "too little load to mean anything"
    assert answers["refusals"] == []
    assert [i for i, count in Counter(stored).items() if count > 1 and i not in accepted & unanswered] == []
    assert {request_id for request_id in stored if request_id.startswith(prefix)} <= accepted | unanswered
    until(lambda: is_balanced(machine), "the ledger to balance", 30)


def is_balanced(machine: Machine) -> bool:
    ledger = {(project, outcome): count for project, outcome, count in select(machine, _LEDGER)}
    for project in {project for project, _ in ledger}:
        accounted = sum(ledger.get((project, outcome), 0) for outcome in (Outcome.STORED, *REFUSALS))
        if ledger.get((project, Outcome.RECEIVED), 0) != accounted:
            return False
    return True
