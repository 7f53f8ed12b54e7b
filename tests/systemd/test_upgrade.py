"""The life of data through upgrades: from the commit before this one to this checkout, and back.

Each test goes on where the one before it ended. This checkout gets one more migration, so that there is always one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Answer, event, sign_in_link, signed
from tests.authenticator import Authenticator
from tests.systemd.life import (
    SERVICES,
    UP_S,
    add_migration,
    are_active,
    assert_all_is_accounted_for,
    has_table,
    install,
    load,
    on_a_machine,
    select,
    settle_down,
    stored_events,
    stored_ids,
    version,
)
from tests.systemd.machine import PORT, Machine
from tests.systemd.previous import NoPrevious, unpack
from tests.systemd.tree import ROOT
from tests.waiting import until

CHECKOUT = "bloop"  # where `git pull` happens
ORIGIN = f"http://localhost:{PORT}"
ERRORS = ("CartEmpty", "CardRefused", "AddressUnknown")
UPGRADE_GUIDE = (ROOT / "docs" / "upgrade.md").read_text()

# What no upgrade may change, in columns that stay. The shop's events come from `Shop` alone.
_KEPT = {
    "people": "SELECT id, username, is_admin FROM webauthn_users",
    "passkeys": "SELECT id, user_id, hex(credential_id), hex(public_key) FROM passkeys",
    "tokens": "SELECT id, name, token_hash, project_id, scopes FROM api_tokens",
    "projects": "SELECT id, public_id, slug, name, api_key FROM projects",
    "issues": """
SELECT i.id, i.fingerprint, i.short_number, i.status, i.event_count, i.error_type, i.message
  FROM issues AS i JOIN projects AS p ON p.id = i.project_id WHERE p.slug = 'shop' ORDER BY i.id""",
    "history": "SELECT issue_id, count(*) FROM status_changes GROUP BY issue_id ORDER BY issue_id",
}

# Migration 0010 gave it the second name.
_SIGN_INS_TABLE = "SELECT max(name) FROM sqlite_schema WHERE type = 'table' AND name IN ('sessions', 'sign_ins')"


@dataclass
class Shop:
    """Somebody who uses bloop: Ada with her passkey, her project with its key, a token of hers."""

    machine: Machine
    device: Authenticator
    key: str = ""
    token: str = ""
    cookie: str = ""

    def open(self) -> None:
        link = sign_in_link(self.machine.output("bloop", "login-link"))
        proof = {"username": "ada", "setup_token": link.partition("token=")[2]}
        begun = self.post("/auth/register/start", proof).json
        answer = {"challenge_id": begun["challenge_id"], "credential": self.device.create(begun["publicKey"])}
        self._came_in(self.post("/auth/register/finish", proof | answer))
        self.key = self.machine.output("bloop", "project", "create", "Shop", "--slug", "shop")
        create = ("bloop", "token", "create", "till", "--project", "shop", "--scopes", "errors:read")
        self.token = self.machine.output(*create)

    def sign_in(self) -> None:
        begun = self.post("/auth/login/start", {}).json
        answer = {"challenge_id": begun["challenge_id"], "credential": self.device.get(begun["publicKey"])}
        self._came_in(self.post("/auth/login/finish", answer))

    def send(self, day: str) -> None:
        """One event of each error, and then another of the first; until they are stored."""
        names = [*ERRORS, ERRORS[0]]
        ids = {f"shop-{day}-{number}" for number in range(len(names))}
        for one, name in zip(sorted(ids), names, strict=True):
            raw = json.dumps(event(one, error_type=name, message=f"{name} at the till"))
            headers = signed(raw.encode(), self.key, name_key=True)
            assert self.machine.request("POST", "/v1/ingest", headers, raw).json == {"status": "accepted"}
        until(lambda: ids <= set(stored_ids(self.machine)), "the shop's events to be stored", UP_S)

    def errors(self) -> dict[str, int]:
        """What its token is told: how often each error happened."""
        answer = self.machine.request("GET", "/v1/errors", {"Authorization": f"Bearer {self.token}"})
        return {row["error_type"]: row["total_count"] for row in answer.json}

    def is_signed_in(self) -> bool:
        return self.machine.request("GET", "/v1/admin/users", {"Cookie": self.cookie}).status == 200

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        headers = {"Content-Type": "application/json", "Host": f"localhost:{PORT}", "Origin": ORIGIN}
        answer = self.machine.request("POST", path, headers, json.dumps(body))
        assert answer.status == 200, answer
        return answer

    def _came_in(self, answer: Answer) -> None:
        self.cookie = answer.headers["set-cookie"].partition(";")[0]


def kept(machine: Machine) -> dict[str, list[Any]]:
    ((table,),) = select(machine, _SIGN_INS_TABLE)
    statements = _KEPT | {"sign_ins": f"SELECT token, user_id, expires_at FROM {table}"}
    found = {name: select(machine, statement) for name, statement in statements.items()}
    ((shop,),) = select(machine, "SELECT id FROM projects WHERE slug = 'shop'")
    return found | {"events": [list(event) for event in stored_events(machine) if event.project_id == shop]}


def backups(machine: Machine) -> list[dict[str, Any]]:
    return list(json.loads(machine.output("bloop", "backup", "list", "--json")))


def current(machine: Machine) -> str:
    return machine.output("readlink", "/opt/bloop/current")


def pull(machine: Machine, *tables: str, change: Callable[[Path], None] = lambda folder: None) -> str:
    """The checkout is of today; each of these tables is a migration more. Return the checkout's name."""

    def build(folder: Path) -> None:
        for table in tables:
            add_migration(folder, table)
        change(folder)

    return version(machine, build, name=CHECKOUT)


def install_previous(machine: Machine, say: Callable[[str], None]) -> None:
    try:
        unpack(machine.sources / CHECKOUT)
    except NoPrevious as none:
        reason = str(none)
    else:
        done = install(machine, CHECKOUT, check=False)
        if done.returncode == 0:
            return
        *_, last = ["no word why", *done.stderr.splitlines()]
        reason = f"the commit before it does not install: {last}"
        install(machine, pull(machine), "--uninstall", "--purge")
        settle_down(machine)
    say(f"The upgrade begins with this checkout itself: {reason}")
    install(machine, pull(machine))


@pytest.fixture(scope="module")
def shop(machine: Machine | None, say: Callable[[str], None]) -> Shop | None:
    """It runs on the version before this one."""
    if machine is None:
        return None
    settle_down(machine)
    install_previous(machine, say)
    made = Shop(machine, Authenticator(ORIGIN, "localhost"))
    made.open()
    made.send("monday")
    machine.run("bloop", "issue", "resolve", "SHOP-2")
    return made


@on_a_machine
def test_version_before_this_one_is_in_use(machine: Machine, shop: Shop):
    assert are_active(machine)
    assert shop.is_signed_in()
    assert shop.errors() == {"CartEmpty": 2, "CardRefused": 1, "AddressUnknown": 1}
    counts = {name: len(rows) for name, rows in kept(machine).items()}
    assert counts == dict.fromkeys(("people", "passkeys", "tokens", "sign_ins", "history"), 1) | {
        "projects": 2,
        "issues": 3,
        "events": 4,
    }
    assert backups(machine) == []


@on_a_machine
def test_migration_that_fails_leaves_the_database_to_the_old_version(machine: Machine, shop: Shop):
    before, old, number = kept(machine), current(machine), first_pending(machine)
    in_the_way = f"/var/lib/bloop/bloop.db.before-{number}"  # where the copy is to be
    machine.run("mkdir", "-p", f"{in_the_way}/folder")

    failed = install(machine, pull(machine, "upgraded"), check=False)

    assert failed.returncode == 1
    assert "the database could not be migrated; the old version runs again" in failed.stderr
    assert are_active(machine)
    assert current(machine) == old
    assert not has_table(machine, "upgraded")
    assert kept(machine) == before
    assert machine.run("test", "-e", "/var/lib/bloop/bloop.db.failed", check=False).returncode == 1
    machine.run("rm", "-r", in_the_way)


def first_pending(machine: Machine) -> str:
    """The number of the first migration that the next version brings, which the copy from before it is named by."""
    ((newest,),) = select(machine, "SELECT max(version) FROM schema_migrations")
    return f"{newest + 1:04d}"


@on_a_machine
def test_upgrade_under_load_refuses_nobody_and_keeps_everything(machine: Machine, shop: Shop):
    """As docs/upgrade.md has it."""
    assert re.search(r"^sudo systemd/install\.sh\s", UPGRADE_GUIDE, re.MULTILINE)
    before, ids, old = kept(machine), set(stored_ids(machine)), current(machine)

    with load(machine, "upgraded", patient=True) as clients:
        said = install(machine, CHECKOUT).stdout
        until(machine.answers, "readiness", UP_S)
        told = clients.stop()

    assert are_active(machine), said
    assert told["no_port"] == 0, "the port was closed"
    assert set(told["unanswered"]) <= set(told["accepted"]), "one that was sent again got no answer either"
    assert_all_is_accounted_for(machine, told, "upgraded")
    assert ids <= set(stored_ids(machine))
    assert kept(machine) == before
    assert has_table(machine, "upgraded")
    assert current(machine) != old
    assert machine.output("readlink", "/opt/bloop/previous") == old


@on_a_machine
def test_every_unit_runs_the_new_version(machine: Machine, shop: Shop):
    maps = [machine.output("cat", f"/proc/{machine.shows(service, 'MainPID')}/maps") for service in SERVICES]

    assert [set(re.findall(r"/opt/bloop/versions/[^/]+", text)) for text in maps] == [{current(machine)}] * len(maps)


@on_a_machine
def test_backup_was_made_before_the_database_changed(machine: Machine, shop: Shop):
    newest = backups(machine)[0]
    ((migrated,),) = select(machine, "SELECT max(version) FROM schema_migrations")
    verified = machine.run("sh", "-c", f"cd /root && bloop backup verify {Path(newest['file']).name}")

    assert newest["schema_version"] < migrated
    assert newest["rows"]["webauthn_users"] == newest["rows"]["api_tokens"] == 1
    assert newest["rows"]["events"] >= len(ERRORS) + 1
    assert "is good" in verified.stderr


@on_a_machine
def test_people_and_programs_come_in_as_before(machine: Machine, shop: Shop):
    assert shop.is_signed_in()
    shop.sign_in()
    assert shop.is_signed_in()
    assert shop.errors() == {"CartEmpty": 2, "CardRefused": 1, "AddressUnknown": 1}


@on_a_machine
def test_new_events_go_to_the_issues_there_were(machine: Machine, shop: Shop):
    before = kept(machine)["issues"]

    shop.send("tuesday")

    after = kept(machine)["issues"]
    assert [row[:3] for row in after] == [row[:3] for row in before]
    assert shop.errors() == {"CartEmpty": 4, "CardRefused": 2, "AddressUnknown": 2}
    assert [row[3] for row in after] == ["unresolved", "regressed", "unresolved"], "the one that was resolved is back"


@on_a_machine
def test_version_that_does_not_come_up_is_taken_back_with_its_migration(machine: Machine, shop: Shop):
    def break_it(folder: Path) -> None:
        (folder / "workers" / "dashboard.py").write_text("raise SystemExit('broken for a test')\n")

    ids, good, before = set(stored_ids(machine)), current(machine), kept(machine)

    with load(machine, "broken", patient=True) as clients:
        failed = install(machine, pull(machine, "upgraded", "broken", change=break_it), check=False)
        until(machine.answers, "readiness", UP_S)
        told = clients.stop()

    assert failed.returncode == 1
    assert "the old version runs again" in failed.stderr
    assert "broken for a test" in failed.stderr
    assert current(machine) == good
    assert not has_table(machine, "broken")
    assert told["no_port"] == 0, "the port was closed"
    assert_all_is_accounted_for(machine, told, "broken")
    assert ids <= set(stored_ids(machine))
    assert kept(machine) == before


@on_a_machine
def test_older_version_that_does_not_know_the_database_is_refused_before_anything_stops(machine: Machine, shop: Shop):
    before, pids = current(machine), [machine.shows(s, "MainPID") for s in SERVICES]

    refused = install(machine, CHECKOUT, "--back", check=False)

    assert refused.returncode == 1
    assert "upgrade bloop; nothing that runs was touched" in refused.stderr
    assert current(machine) == before
    assert [machine.shows(s, "MainPID") for s in SERVICES] == pids


@on_a_machine
def test_running_it_again_changes_nothing(machine: Machine, shop: Shop):
    pids = [machine.shows(service, "MainPID") for service in SERVICES]

    said = install(machine, pull(machine, "upgraded")).stdout

    assert "is installed already" in said
    assert [machine.shows(service, "MainPID") for service in SERVICES] == pids


@on_a_machine
def test_way_back_to_the_older_version_is_the_copy_from_before_the_migration(machine: Machine, shop: Shop):
    """As docs/upgrade.md has it."""
    copy = machine.output("sh", "-c", "ls -d /var/lib/bloop/bloop.db.before-* | sort | head -n 1")
    (way_back,) = re.findall(r"^sudo (sh -c .*)$", UPGRADE_GUIDE, re.MULTILINE)
    old = machine.output("readlink", "/opt/bloop/previous")

    machine.run("systemctl", "stop", "bloop.target")
    machine.run("sh", "-c", way_back.replace("NNNN", copy[-4:]))
    install(machine, CHECKOUT, "--back")

    assert are_active(machine)
    assert current(machine) == old
    assert not has_table(machine, "upgraded")
    assert shop.errors() == {"CartEmpty": 2, "CardRefused": 1, "AddressUnknown": 1}
    with load(machine, "back") as clients:
        until(lambda: any(one.startswith("back") for one in stored_ids(machine)), "an event to be stored")
        told = clients.stop()
    until(lambda: set(told["accepted"]) <= set(stored_ids(machine)), "all of them to be stored", UP_S)
