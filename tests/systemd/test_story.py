"""The life of an installation on a machine booted by systemd, from install to purge. Each test continues the last."""

from __future__ import annotations

import json
import re
import subprocess

from tests.systemd.life import (
    SERVICES,
    UNITS,
    UP_S,
    are_active,
    assert_all_is_accounted_for,
    configure,
    install,
    load,
    make_sources,
    on_a_machine,
    restarts,
    stored_events,
    stored_ids,
)
from tests.systemd.machine import Machine
from tests.waiting import until

EXPOSURE_MAX = 2.0
WATCHDOG_S = 15


@on_a_machine
def test_installation_ends_with_every_unit_up_and_a_command_that_sends_the_first_event(machine: Machine):
    configure(machine)
    watchdogs = f"[Service]\nWatchdogSec={WATCHDOG_S}\nTimeoutAbortSec=1\n"
    machine.write("/etc/systemd/system/bloop-.service.d/90-test.conf", watchdogs)

    output = install(machine, make_sources(machine, name="first")).stdout

    assert are_active(machine), output
    assert machine.unit_property("bloop.target", "ActiveState") == "active"
    assert machine.output("systemctl", "is-enabled", "bloop.target") == "enabled"
    curl = re.search(r"^  (curl .*)$", output, re.MULTILINE)
    assert curl, output
    sent = subprocess.run(machine.outside("sh", "-c", curl[1]), capture_output=True, text=True, timeout=20)
    assert json.loads(sent.stdout) == {"status": "accepted"}, sent.stderr
    until(lambda: [event.message for event in stored_events(machine)] == ["The first event"], "the event to be stored")


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
def test_commands_see_every_process_although_each_is_sandboxed(machine: Machine):
    status = json.loads(machine.output("bloop", "status", "--json"))
    findings = json.loads(machine.run("bloop", "doctor", "--json", check=False).stdout)

    assert (status["state"], status["reasons"]) == ("well", [])
    assert {process["name"].partition(" ")[0] for process in status["processes"]} == set(UNITS)
    assert [finding for finding in findings if finding["verdict"] == "wrong"] == []
    assert {finding["subject"] for finding in findings} >= {"port", "processes"}


@on_a_machine
def test_systemd_finds_nothing_wrong_with_the_units(machine: Machine):
    verified = machine.run("systemd-analyze", "verify", "bloop.target", "bloop-ingest.socket", *SERVICES)

    assert (verified.stdout, verified.stderr) == ("", "")


@on_a_machine
def test_every_unit_is_sandboxed(machine: Machine):
    for service in SERVICES:
        report = machine.output("systemd-analyze", "security", "--no-pager", service)
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", report)
        assert exposure, report
        assert float(exposure[1]) <= EXPOSURE_MAX, report

        pid = machine.unit_property(service, "MainPID")
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
        if machine.output("readlink", f"/proc/{machine.unit_property(f'bloop-{name}', 'MainPID')}/ns/net") == ours
    }

    assert connected == {"alerts"}


@on_a_machine
def test_only_root_reads_the_secret_and_only_bloop_the_data(machine: Machine):
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
def test_journal_has_the_process_and_the_priority_and_one_time_stamp(machine: Machine):
    (ready,) = [
        entry
        for line in machine.journal("--output=json", "--unit=bloop-writer").splitlines()
        if (entry := json.loads(line))["MESSAGE"].startswith("ready")
    ]

    assert ready["MESSAGE"] == "ready, 0 records waiting"
    assert ready["SYSLOG_IDENTIFIER"] == "bloop-writer"
    assert ready["PRIORITY"] == "6"
    assert machine.journal("--priority=err", "--unit=bloop-*") == ""
    assert machine.unit_property("bloop-writer", "StatusText") == "storing"


@on_a_machine
def test_units_that_are_killed_or_hang_restart_and_no_accepted_event_is_lost(machine: Machine):
    before = restarts(machine)
    machine.run("systemctl", "kill", "--signal=STOP", "bloop-retention")

    with load(machine, "killed") as clients:
        for name in ("writer", "alerts", "dashboard", "ingest"):
            machine.run("systemctl", "kill", "--signal=KILL", f"bloop-{name}")
            until(lambda name=name: restarts(machine)[name] == before[name] + 1, f"{name} to be started again", UP_S)
            until(lambda: are_active(machine), "every unit to be up", UP_S)
        until(lambda: restarts(machine)["retention"] > before["retention"], "the watchdog", WATCHDOG_S + UP_S)
        until(lambda: are_active(machine) and machine.is_answering(), "readiness", UP_S)
        answers = clients.stop()

    assert answers["no_port"] == 0, "the port was closed"
    assert_all_is_accounted_for(machine, answers, "killed")
    assert "Watchdog timeout" in machine.journal("--unit=bloop-retention")
    # Once each: the others kept sending their watchdog messages.
    assert restarts(machine) == {name: count + 1 for name, count in before.items()}


@on_a_machine
def test_a_wrong_setting_is_named_and_the_unit_not_restarted(machine: Machine):
    machine.write(
        "/run/systemd/system/bloop-retention.service.d/bad.conf", "[Service]\nEnvironment=BLOOP__SERVER__PORT=x\n"
    )
    machine.run("systemctl", "daemon-reload")

    machine.run("systemctl", "restart", "bloop-retention", check=False)

    until(lambda: machine.unit_property("bloop-retention", "ActiveState") == "failed", "it to give up")
    assert machine.unit_property("bloop-retention", "ExecMainStatus") == "78"
    assert "server.port" in machine.journal("--priority=err", "--unit=bloop-retention")
    machine.run("rm", "-r", "/run/systemd/system/bloop-retention.service.d")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "bloop-retention")


@on_a_machine
def test_stop_ends_the_producers_first_and_stores_their_events(machine: Machine):
    old_lines = len(machine.journal("--unit=bloop-*").splitlines())
    with load(machine, "stopped") as clients:
        until(lambda: any(request_id.startswith("stopped") for request_id in stored_ids(machine)), "some load")
        machine.run("systemctl", "stop", "bloop.target")
        assert [machine.unit_property(service, "ActiveState") for service in SERVICES] == ["inactive"] * len(SERVICES)
        answers = clients.stop()

    lines = machine.journal("--unit=bloop-*").splitlines()[old_lines:]
    ended = [unit[1] for line in lines if (unit := re.match(r"Stopped bloop-(\w+)\.service", line))]
    assert ended[:2] == ["ingest", "dashboard"], lines
    assert sorted(ended[2:4]) == ["alerts", "retention"], lines
    assert ended[4:] == ["writer"], lines
    waiting = json.loads(machine.output("bloop", "ring", "stat", "--json"))
    assert waiting["pending_records"] == 0
    assert set(answers["accepted"]) <= set(stored_ids(machine))
    machine.run("systemctl", "start", "bloop.target")
    until(machine.is_answering, "readiness", UP_S)
    assert_all_is_accounted_for(machine, answers, "stopped")


@on_a_machine
def test_a_second_bloop_on_the_same_data_is_refused(machine: Machine):
    refused = machine.run("bloop", "up", check=False)

    assert refused.returncode == 78
    assert "already runs on this data" in refused.stderr
    assert machine.is_answering()


@on_a_machine
def test_port_follows_the_settings(machine: Machine):
    machine.run("sed", "-i", "s/^port = .*/port = 5333/", "/etc/bloop/config.toml")

    install(machine, "first")

    assert machine.unit_property("bloop-ingest.socket", "Listen").split()[0].endswith(":5333")
    assert "systemd listens on port" not in machine.journal("--unit=bloop-ingest")
    assert not machine.is_answering()


@on_a_machine
def test_uninstalling_keeps_settings_and_data_until_they_are_purged(machine: Machine):
    install(machine, "first", "--uninstall")

    find_all = ("find", "/etc", "/opt", "/usr/local", "/run", "/dev/shm", "/var/lib", "-iname", "*bloop*")
    kept = [path for path in machine.output(*find_all).splitlines() if "service.d" not in path]  # ours
    assert {path for path in kept if not path.startswith("/var/lib/bloop/")} == {
        "/etc/bloop",
        "/run/bloop-install.lock",
        "/var/lib/bloop",
    }
    assert machine.output("ls", "/etc/bloop").split() == ["config.toml", "environment", "secret"]
    assert machine.run("test", "-s", "/var/lib/bloop/bloop.db", check=False).returncode == 0
    machine.run("sh", "-c", "rm -r /etc/systemd/system/bloop-*.d")

    install(machine, "first", "--uninstall", "--purge")

    assert machine.output(*find_all) == "/run/bloop-install.lock"
    assert machine.run("id", "bloop", check=False).returncode == 1
    assert machine.output("systemctl", "list-units", "--all", "--plain", "--no-legend", "bloop*") == ""
