"""The life of an installation on a machine that systemd booted, from nothing to nothing. Each test goes on there."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bloop.outcomes import REFUSALS, Outcome
from tests.acceptance.harness import until
from tests.systemd.machine import PORT, Machine, module, source
from tests.systemd.tree import ROOT

UNITS = ("writer", "alerts", "retention", "dashboard", "ingest")
SERVICES = tuple(f"bloop-{name}.service" for name in UNITS)
EXPOSURE_MAX = 2.0
WATCHDOG_S = 15
UP_S = 60.0

Test = Callable[..., None]


def on_a_machine(test: Test) -> Test:
    """Where nothing boots there is nothing to test; the fixture has said so, and why."""

    @functools.wraps(test)
    def run(machine: Machine | None, **others: Any) -> None:
        if machine is not None:
            test(machine, **others)

    return run


def install(machine: Machine, name: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    script = f"/sources/{name}/systemd/install.sh"
    return machine.run(script, "--wheelhouse", "/wheels", *options, check=check, timeout_s=300)


def version(machine: Machine, change: Callable[[Path], None] | None = None, *, name: str) -> str:
    """The sources of a version of bloop, this checkout's if nothing changes them."""
    folder = source(machine.sources / name)
    if change is not None:
        change(folder)
    return name


def add_migration(folder: Path, table: str) -> None:
    migrations = folder / "bloop" / "storage" / "migrations"
    number = max(int(path.name[:4]) for path in migrations.glob("*.sql")) + 1
    (migrations / f"{number:04d}_{table}.sql").write_text(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY);\n")


def are_active(machine: Machine) -> bool:
    states = machine.run("systemctl", "is-active", *SERVICES, check=False).stdout.split()
    return states == ["active"] * len(SERVICES)


def restarts(machine: Machine) -> dict[str, int]:
    return {name: int(machine.shows(f"bloop-{name}", "NRestarts")) for name in UNITS}


_STORED = "SELECT request_id FROM events WHERE request_id IS NOT NULL"
_LEDGER = "SELECT project_id, outcome, count FROM ledger_totals"
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_SELECT = """
import contextlib, json, sys
from pathlib import Path
from bloop.storage import connection
with contextlib.closing(connection.open_reader(Path("/var/lib/bloop/bloop.db"))) as db:
    print(json.dumps(db.execute(sys.argv[1]).fetchall()))
"""


def select(machine: Machine, statement: str) -> list[Any]:
    return list(json.loads(machine.python(_SELECT, statement)))


def stored_ids(machine: Machine) -> list[str]:
    return [row[0] for row in select(machine, _STORED)]


class Load:
    """Clients that send until `stop`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def stop(self) -> dict[str, Any]:
        said, _ = self._process.communicate(timeout=120)
        return dict(json.loads(said))


@contextlib.contextmanager
def load(machine: Machine, prefix: str) -> Iterator[Load]:
    """Two clients, whose events have ids that begin with `prefix`."""
    secret = machine.output("cat", "/etc/bloop/secret")
    command = machine.outside(*module("senders", str(PORT), secret, "2", prefix))
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


def assert_all_is_accounted_for(machine: Machine, told: dict[str, Any], prefix: str) -> None:
    """Accepted is stored, once; what is stored was sent; and the ledger balances."""
    accepted, unanswered = set(told["accepted"]), set(told["unanswered"])
    until(lambda: accepted <= set(stored_ids(machine)), "what was accepted to be stored", 30)
    stored = stored_ids(machine)
    assert len(accepted) > 100, "too little load to mean anything"
    assert told["refusals"] == []
    assert [one for one, count in Counter(stored).items() if count > 1] == []
    assert {one for one in stored if one.startswith(prefix)} <= accepted | unanswered
    until(lambda: is_balanced(machine), "the ledger to balance", 30)


def is_balanced(machine: Machine) -> bool:
    ledger = {(project, outcome): count for project, outcome, count in select(machine, _LEDGER)}
    for project in {project for project, _ in ledger}:
        accounted = sum(ledger.get((project, outcome), 0) for outcome in (Outcome.STORED, *REFUSALS))
        if ledger.get((project, Outcome.RECEIVED), 0) != accounted:
            return False
    return True


@on_a_machine
def test_installation_ends_with_every_unit_up_and_a_command_that_sends_the_first_event(machine: Machine):
    machine.write("/etc/bloop/environment", 'BLOOP__RATE_LIMIT__PER_SECOND=0\nBLOOP__SERVER__WORKERS="2"\n')
    watchdogs = f"[Service]\nWatchdogSec={WATCHDOG_S}\nTimeoutAbortSec=1\n"
    machine.write("/etc/systemd/system/bloop-.service.d/90-test.conf", watchdogs)
    for name in ("dashboard", "ingest"):
        # In a container with the older control groups systemd is not told when the last process of a unit has ended.
        machine.write(f"/etc/systemd/system/bloop-{name}.service.d/90-test.conf", "[Service]\nTimeoutStopSec=4\n")

    said = install(machine, version(machine, name="first")).stdout

    assert are_active(machine), said
    assert machine.shows("bloop.target", "ActiveState") == "active"
    assert machine.output("systemctl", "is-enabled", "bloop.target") == "enabled"
    curl = re.search(r"^  (curl .*)$", said, re.MULTILINE)
    assert curl, said
    sent = subprocess.run(machine.outside("sh", "-c", curl[1]), capture_output=True, text=True, timeout=20)
    assert json.loads(sent.stdout) == {"status": "accepted"}, sent.stderr
    until(lambda: select(machine, "SELECT message FROM events") == [["The first event"]], "the event to be stored")


@on_a_machine
def test_page_and_api_show_the_event(machine: Machine):
    token = machine.output("bloop", "token", "create", "test", "--project", "default", "--scopes", "errors:read")

    errors = machine.request("GET", "/v1/errors", {"Authorization": f"Bearer {token}"})
    page = machine.request("GET", "/auth/login")

    assert [row["message"] for row in errors.json] == ["The first event"]
    assert page.status == 200
    assert b"<html" in page.body
    assert machine.request("GET", "/ready").json == {"ready": True, "reasons": []}


@on_a_machine
def test_systemd_finds_nothing_wrong_with_the_units(machine: Machine):
    verified = machine.run("systemd-analyze", "verify", "bloop.target", "bloop-ingest.socket", *SERVICES)

    assert (verified.stdout, verified.stderr) == ("", "")


@on_a_machine
def test_every_unit_is_locked_up(machine: Machine):
    for service in SERVICES:
        said = machine.output("systemd-analyze", "security", "--no-pager", service)
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
        assert exposure, said
        assert float(exposure[1]) <= EXPOSURE_MAX, said

        pid = machine.shows(service, "MainPID")
        status = dict(line.split(":\t", 1) for line in machine.output("cat", f"/proc/{pid}/status").splitlines())
        user = machine.output("id", "-u", "bloop")
        assert status["Uid"].split() == [user] * 4
        assert int(status["CapBnd"], 16) == 0
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@on_a_machine
def test_only_alerts_have_a_network(machine: Machine):
    ours = machine.output("readlink", "/proc/1/ns/net")

    connected = {
        name
        for name in UNITS
        if machine.output("readlink", f"/proc/{machine.shows(f'bloop-{name}', 'MainPID')}/ns/net") == ours
    }

    assert connected == {"alerts"}


@on_a_machine
def test_secret_is_for_root_and_the_data_for_bloop_alone(machine: Machine):
    paths = ("/etc/bloop/secret", "/etc/bloop/environment", "/etc/bloop/config.toml", "/var/lib/bloop")

    modes = machine.output("stat", "--format=%U:%G %a", *paths).splitlines()

    assert modes == ["root:root 600", "root:root 600", "bloop:bloop 600", "bloop:bloop 700"]
    assert machine.output("find", "/var/lib/bloop", "-type", "f", "-perm", "/077") == ""
    assert (
        machine.output(
            "find", "/opt/bloop", "(", "-not", "-user", "root", "-o", "-perm", "/022", ")", "-not", "-type", "l"
        )
        == ""
    )


@on_a_machine
def test_journal_has_who_and_how_bad_and_no_second_time(machine: Machine):
    (ready,) = [
        entry
        for line in machine.journal("--output=json", "--unit=bloop-writer").splitlines()
        if (entry := json.loads(line))["MESSAGE"].startswith("ready")
    ]

    assert ready["MESSAGE"] == "ready, 0 records waiting"
    assert ready["SYSLOG_IDENTIFIER"] == "bloop-writer"
    assert ready["PRIORITY"] == "6"
    assert machine.journal("--priority=err", "--unit=bloop-*") == ""
    assert machine.shows("bloop-writer", "StatusText") == "storing"


@on_a_machine
def test_units_that_are_killed_or_hang_come_back_and_nothing_that_was_accepted_is_lost(machine: Machine):
    before = restarts(machine)
    machine.run("systemctl", "kill", "--signal=STOP", "bloop-retention")

    with load(machine, "killed") as clients:
        for name in ("writer", "alerts", "dashboard", "ingest"):
            machine.run("systemctl", "kill", "--signal=KILL", f"bloop-{name}")
            until(lambda name=name: restarts(machine)[name] == before[name] + 1, f"{name} to be started again", UP_S)
            until(lambda: are_active(machine), "every unit to be up", UP_S)
        until(lambda: restarts(machine)["retention"] > before["retention"], "the watchdog", WATCHDOG_S + UP_S)
        until(lambda: are_active(machine) and machine.answers(), "readiness", UP_S)
        told = clients.stop()

    assert told["no_port"] == 0, "the port was closed"
    assert_all_is_accounted_for(machine, told, "killed")
    assert "Watchdog timeout" in machine.journal("--unit=bloop-retention")
    # Once each: the others went on saying that they live.
    assert restarts(machine) == {name: count + 1 for name, count in before.items()}


@on_a_machine
def test_setting_that_will_not_do_is_not_tried_again_and_named(machine: Machine):
    machine.write(
        "/run/systemd/system/bloop-retention.service.d/bad.conf", "[Service]\nEnvironment=BLOOP__SERVER__PORT=x\n"
    )
    machine.run("systemctl", "daemon-reload")

    machine.run("systemctl", "restart", "bloop-retention", check=False)

    until(lambda: machine.shows("bloop-retention", "ActiveState") == "failed", "it to give up")
    assert machine.shows("bloop-retention", "ExecMainStatus") == "78"
    assert "server.port" in machine.journal("--priority=err", "--unit=bloop-retention")
    machine.run("rm", "-r", "/run/systemd/system/bloop-retention.service.d")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "bloop-retention")


@on_a_machine
def test_stop_ends_the_producers_first_and_stores_what_they_took(machine: Machine):
    past = len(machine.journal("--unit=bloop-*").splitlines())
    with load(machine, "stopped") as clients:
        until(lambda: any(one.startswith("stopped") for one in stored_ids(machine)), "some load")
        machine.run("systemctl", "stop", "bloop.target")
        assert [machine.shows(service, "ActiveState") for service in SERVICES] == ["inactive"] * len(SERVICES)
        told = clients.stop()

    said = machine.journal("--unit=bloop-*").splitlines()[past:]
    ended = [unit[1] for line in said if (unit := re.match(r"Stopped bloop-(\w+)\.service", line))]
    assert ended[:2] == ["ingest", "dashboard"], said
    assert sorted(ended[2:4]) == ["alerts", "retention"], said
    assert ended[4:] == ["writer"], said
    waiting = json.loads(machine.output("bloop", "ring", "stat", "--json"))
    assert waiting["pending_records"] == 0
    assert set(told["accepted"]) <= set(stored_ids(machine))
    machine.run("systemctl", "start", "bloop.target")
    until(machine.answers, "readiness", UP_S)
    assert_all_is_accounted_for(machine, told, "stopped")


@on_a_machine
def test_second_bloop_is_kept_off_the_data(machine: Machine):
    refused = machine.run("bloop", "up", check=False)

    assert refused.returncode == 78
    assert "already runs on this data" in refused.stderr
    assert machine.answers()


@on_a_machine
def test_upgrade_under_load_refuses_nobody_and_keeps_everything(machine: Machine):
    ids, old = set(stored_ids(machine)), machine.output("readlink", "/opt/bloop/current")
    upgraded = version(machine, lambda folder: add_migration(folder, "upgraded"), name="second")

    with load(machine, "upgraded") as clients:
        said = install(machine, upgraded).stdout
        until(machine.answers, "readiness", UP_S)
        told = clients.stop()

    assert are_active(machine), said
    assert told["no_port"] == 0, "the port was closed"
    assert_all_is_accounted_for(machine, told, "upgraded")
    assert ids <= set(stored_ids(machine))
    assert ["upgraded"] in select(machine, _TABLES)
    assert machine.output("readlink", "/opt/bloop/current") != old
    assert machine.output("readlink", "/opt/bloop/previous") == old


@on_a_machine
def test_version_that_does_not_come_up_is_taken_back_with_its_migration(machine: Machine):
    def break_it(folder: Path) -> None:
        add_migration(folder, "upgraded")
        add_migration(folder, "broken")
        (folder / "workers" / "dashboard.py").write_text("raise SystemExit('broken for a test')\n")

    ids, good = set(stored_ids(machine)), machine.output("readlink", "/opt/bloop/current")

    with load(machine, "broken") as clients:
        failed = install(machine, version(machine, break_it, name="third"), check=False)
        until(machine.answers, "readiness", UP_S)
        told = clients.stop()

    assert failed.returncode == 1
    assert "the old version runs again" in failed.stderr
    assert "broken for a test" in failed.stderr
    assert machine.output("readlink", "/opt/bloop/current") == good
    assert ["broken"] not in select(machine, _TABLES)
    assert told["no_port"] == 0, "the port was closed"
    assert_all_is_accounted_for(machine, told, "broken")
    assert ids <= set(stored_ids(machine))


@on_a_machine
def test_older_version_that_does_not_know_the_database_is_refused_before_anything_stops(machine: Machine):
    before, pids = machine.output("readlink", "/opt/bloop/current"), [machine.shows(s, "MainPID") for s in SERVICES]

    refused = install(machine, "first", check=False)

    assert refused.returncode == 1
    assert "upgrade bloop; nothing that runs was touched" in refused.stderr
    assert machine.output("readlink", "/opt/bloop/current") == before
    assert [machine.shows(s, "MainPID") for s in SERVICES] == pids


@on_a_machine
def test_running_it_again_changes_nothing(machine: Machine):
    pids = [machine.shows(service, "MainPID") for service in SERVICES]

    said = install(machine, "second").stdout

    assert "is installed already" in said
    assert [machine.shows(service, "MainPID") for service in SERVICES] == pids


@on_a_machine
def test_way_back_to_an_older_version_is_the_copy_from_before_the_migration(machine: Machine):
    """As docs/upgrade.md has it."""
    number = max(version for (version,) in select(machine, "SELECT version FROM schema_migrations"))
    ids = {one for one in stored_ids(machine) if one.startswith(("killed", "stopped"))}
    (way_back,) = re.findall(r"^sudo (sh -c .*)$", (ROOT / "docs" / "upgrade.md").read_text(), re.MULTILINE)

    machine.run("systemctl", "stop", "bloop.target")
    machine.run("sh", "-c", way_back.replace("NNNN", f"{number:04d}"))
    install(machine, "first")

    assert are_active(machine)
    assert ["upgraded"] not in select(machine, _TABLES)
    assert ids <= set(stored_ids(machine))
    with load(machine, "back") as clients:
        until(lambda: any(one.startswith("back") for one in stored_ids(machine)), "an event to be stored")
        told = clients.stop()
    until(lambda: set(told["accepted"]) <= set(stored_ids(machine)), "all of them to be stored", UP_S)


@on_a_machine
def test_port_follows_the_settings(machine: Machine):
    machine.run("sed", "-i", "s/^port = .*/port = 5333/", "/etc/bloop/config.toml")

    install(machine, "second")

    assert machine.shows("bloop-ingest.socket", "Listen").split()[0].endswith(":5333")
    assert "systemd listens on port" not in machine.journal("--unit=bloop-ingest")
    assert not machine.answers()


@on_a_machine
def test_uninstalling_keeps_settings_and_data_until_they_are_purged(machine: Machine):
    install(machine, "second", "--uninstall")

    everything = ("find", "/etc", "/opt", "/usr/local", "/run", "/dev/shm", "/var/lib", "-iname", "*bloop*")
    kept = [path for path in machine.output(*everything).splitlines() if "service.d" not in path]  # ours
    assert {path for path in kept if not path.startswith("/var/lib/bloop/")} == {
        "/etc/bloop",
        "/run/bloop-install.lock",
        "/var/lib/bloop",
    }
    assert machine.output("ls", "/etc/bloop").split() == ["config.toml", "environment", "secret"]
    assert machine.run("test", "-s", "/var/lib/bloop/bloop.db", check=False).returncode == 0
    machine.run("sh", "-c", "rm -r /etc/systemd/system/bloop-*.d")

    install(machine, "second", "--uninstall", "--purge")

    assert machine.output(*everything) == "/run/bloop-install.lock"
    assert machine.run("id", "bloop", check=False).returncode == 1
    assert machine.output("systemctl", "list-units", "--all", "--plain", "--no-legend", "bloop*") == ""
