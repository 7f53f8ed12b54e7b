"""The life of data through upgrades: from the commit before this one to this checkout, and back.

Each test continues where the last one ended. This checkout gets one more migration, so that there is always one.
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
    configure,
    has_table,
    install,
    load,
    make_sources,
    on_a_machine,
    select,
    stored_events,
    stored_ids,
)
from tests.systemd.machine import PORT, Machine
from tests.systemd.previous import NoPrevious, unpack
from tests.systemd.tree import ROOT
from tests.waiting import until

CHECKOUT = "bloop"  # where `git pull` happens
ORIGIN = f"http://localhost:{PORT}"
ERRORS = ("CartEmpty", "CardRefused", "AddressUnknown")
UPGRADE_GUIDE = (ROOT / "docs" / "upgrade.md").read_text()

# Rows that no upgrade may change, in columns that stay. Only `Shop` sends the shop's events.
_KEPT_ROWS = {
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
    """A user of bloop: Ada with her passkey, her project with its key, and her token."""

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
        self._keep_cookie(self.post("/auth/register/finish", proof | answer))
        self.key = self.machine.output("bloop", "project", "create", "Shop", "--slug", "shop")
        create = ("bloop", "token", "create", "till", "--project", "shop", "--scopes", "errors:read")
        self.token = self.machine.output(*create)

    def sign_in(self) -> None:
        begun = self.post("/auth/login/start", {}).json
        answer = {"challenge_id": begun["challenge_id"], "credential": self.device.get(begun["publicKey"])}
        self._keep_cookie(self.post("/auth/login/finish", answer))

    def send(self, day: str) -> None:
        """One event of each error, and then another of the first; until they are stored."""
        names = [*ERRORS, ERRORS[0]]
        ids = {f"shop-{day}-{number}" for number in range(len(names))}
        for request_id, name in zip(sorted(ids), names, strict=True):
            raw = json.dumps(event(request_id, error_type=name, message=f"{name} at the till"))
            headers = signed(raw.encode(), self.key, name_key=True)
            assert self.machine.request("POST", "/v1/ingest", headers, raw).json == {"status": "accepted"}
        until(lambda: ids <= set(stored_ids(self.machine)), "the shop's events to be stored", UP_S)

    def errors(self) -> dict[str, int]:
        """How often each error happened, as the API answers its token."""
        answer = self.machine.request("GET", "/v1/errors", {"Authorization": f"Bearer {self.token}"})
        return {row["error_type"]: row["total_count"] for row in answer.json}

    def is_signed_in(self) -> bool:
        return self.machine.request("GET", "/v1/admin/users", {"Cookie": self.cookie}).status == 200

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        headers = {"Content-Type": "application/json", "Host": f"localhost:{PORT}", "Origin": ORIGIN}
        answer = self.machine.request("POST", path, headers, json.dumps(body))
        assert answer.status == 200, answer
        return answer

    def _keep_cookie(self, answer: Answer) -> None:
        self.cookie = answer.headers["set-cookie"].partition(";")[0]


def read_kept_rows(machine: Machine) -> dict[str, list[Any]]:
    ((table,),) = select(machine, _SIGN_INS_TABLE)
    statements = _KEPT_ROWS | {"sign_ins": f"SELECT token, user_id, expires_at FROM {table}"}
    rows = {name: select(machine, statement) for name, statement in statements.items()}
    ((shop,),) = select(machine, "SELECT id FROM projects WHERE slug = 'shop'")
    return rows | {"events": [list(event) for event in stored_events(machine) if event.project_id == shop]}


def backups(machine: Machine) -> list[dict[str, Any]]:
    return list(json.loads(machine.output("bloop", "backup", "list", "--json")))


def current(machine: Machine) -> str:
    return machine.output("readlink", "/opt/bloop/current")


def check_out(machine: Machine, *tables: str, change: Callable[[Path], None] = lambda folder: None) -> str:
    """Make the checkout the current sources, with one more migration per table. Return its name."""

    def build(folder: Path) -> None:
        for table in tables:
            add_migration(folder, table)
        change(folder)

    return make_sources(machine, build, name=CHECKOUT)


def install_previous(machine: Machine, say: Callable[[str], None]) -> None:
    try:
        unpack(machine.sources / CHECKOUT)
    except NoPrevious as none:
        reason = str(none)
    else:
        done = install(machine, CHECKOUT, check=False)
        if done.returncode == 0:
            return
        *_, last = ["no reason given", *done.stderr.splitlines()]
        reason = f"the commit before it does not install: {last}"
        install(machine, check_out(machine), "--uninstall", "--purge")
        configure(machine)
    say(f"The upgrade starts from this checkout itself: {reason}")
    install(machine, check_out(machine))


@pytest.fixture(scope="module")
def shop(machine: Machine | None, say: Callable[[str], None]) -> Shop | None:
    """A shop that uses the previous version of bloop."""
    if machine is None:
        return None
    configure(machine)
    install_previous(machine, say)
    shop = Shop(machine, Authenticator(ORIGIN, "localhost"))
    shop.open()
    shop.send("monday")
    machine.run("bloop", "issue", "resolve", "SHOP-2")
    return shop


@on_a_machine
def test_the_previous_version_is_in_use(machine: Machine, shop: Shop):
    assert are_active(machine)
    assert shop.is_signed_in()
    assert shop.errors() == {"CartEmpty": 2, "CardRefused": 1, "AddressUnknown": 1}
    counts = {name: len(rows) for name, rows in read_kept_rows(machine).items()}
    assert counts == dict.fromkeys(("people", "passkeys", "tokens", "sign_ins", "history"), 1) | {
        "projects": 2,
        "issues": 3,
        "events": 4,
    }
    assert backups(machine) == []


@on_a_machine
def test_migration_that_fails_leaves_the_database_to_the_old_version(machine: Machine, shop: Shop):
    before, old, number = read_kept_rows(machine), current(machine), first_pending(machine)
    blocker = f"/var/lib/bloop/bloop.db.before-{number}"  # the path of the copy
    machine.run("mkdir", "-p", f"{blocker}/folder")

    failed = install(machine, check_out(machine, "upgraded"), check=False)

    assert failed.returncode == 1
    assert "the database could not be migrated; the old version runs again" in failed.stderr
    assert are_active(machine)
    assert current(machine) == old
    assert not has_table(machine, "upgraded")
    assert read_kept_rows(machine) == before
    assert machine.run("test", "-e", "/var/lib/bloop/bloop.db.failed", check=False).returncode == 1
    machine.run("rm", "-r", blocker)


def first_pending(machine: Machine) -> str:
    """The number of the next version's first migration; the copy of the database is named by it."""
    ((newest,),) = select(machine, "SELECT max(version) FROM schema_migrations")
    return f"{newest + 1:04d}"


@on_a_machine
def test_upgrade_under_load_refuses_no_request_and_keeps_every_row(machine: Machine, shop: Shop):
    """The steps of docs/upgrade.md."""
    assert re.search(r"^sudo systemd/install\.sh\s", UPGRADE_GUIDE, re.MULTILINE)
    before, ids, old = read_kept_rows(machine), set(stored_ids(machine)), current(machine)

    with load(machine, "upgraded", patient=True) as clients:
        output = install(machine, CHECKOUT).stdout
        until(machine.is_answering, "readiness", UP_S)
        answers = clients.stop()

    assert are_active(machine), output
    assert answers["no_port"] == 0, "the port was closed"
    assert set(answers["unanswered"]) <= set(answers["accepted"]), "a repeated request got no answer either"
    assert_all_is_accounted_for(machine, answers, "upgraded")
    assert ids <= set(stored_ids(machine))
    assert read_kept_rows(machine) == before
    assert has_table(machine, "upgraded")
    assert current(machine) != old
    assert machine.output("readlink", "/opt/bloop/previous") == old


@on_a_machine
def test_every_unit_runs_the_new_version(machine: Machine, shop: Shop):
    maps = [machine.output("cat", f"/proc/{machine.unit_property(service, 'MainPID')}/maps") for service in SERVICES]

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
def test_users_and_tokens_have_access_as_before(machine: Machine, shop: Shop):
    assert shop.is_signed_in()
    shop.sign_in()
    assert shop.is_signed_in()
    assert shop.errors() == {"CartEmpty": 2, "CardRefused": 1, "AddressUnknown": 1}


@on_a_machine
def test_new_events_join_the_existing_issues(machine: Machine, shop: Shop):
    before = read_kept_rows(machine)["issues"]

    shop.send("tuesday")

    after = read_kept_rows(machine)["issues"]
    assert [row[:3] for row in after] == [row[:3] for row in before]
    assert shop.errors() == {"CartEmpty": 4, "CardRefused": 2, "AddressUnknown": 2}
    assert [row[3] for row in after] == ["unresolved", "regressed", "unresolved"], "the resolved one has regressed"


@on_a_machine
def test_a_version_that_does_not_start_is_rolled_back_with_its_migration(machine: Machine, shop: Shop):
    def break_it(folder: Path) -> None:
        (folder / "workers" / "dashboard.py").write_text("raise SystemExit('broken for a test')\n")

    ids, good, before = set(stored_ids(machine)), current(machine), read_kept_rows(machine)

    with load(machine, "broken", patient=True) as clients:
        failed = install(machine, check_out(machine, "upgraded", "broken", change=break_it), check=False)
        until(machine.is_answering, "readiness", UP_S)
        answers = clients.stop()

    assert failed.returncode == 1
    assert "the old version runs again" in failed.stderr
    assert "broken for a test" in failed.stderr
    assert current(machine) == good
    assert not has_table(machine, "broken")
    assert answers["no_port"] == 0, "the port was closed"
    assert_all_is_accounted_for(machine, answers, "broken")
    assert ids <= set(stored_ids(machine))
    assert read_kept_rows(machine) == before


@on_a_machine
def test_an_older_version_that_cannot_read_the_database_is_refused_before_anything_stops(machine: Machine, shop: Shop):
    before, pids = current(machine), [machine.unit_property(s, "MainPID") for s in SERVICES]

    refused = install(machine, CHECKOUT, "--back", check=False)

    assert refused.returncode == 1
    assert "upgrade bloop; nothing that runs was touched" in refused.stderr
    assert current(machine) == before
    assert [machine.unit_property(s, "MainPID") for s in SERVICES] == pids


@on_a_machine
def test_installing_again_changes_nothing(machine: Machine, shop: Shop):
    pids = [machine.unit_property(service, "MainPID") for service in SERVICES]

    output = install(machine, check_out(machine, "upgraded")).stdout

    assert "is installed already" in output
    assert [machine.unit_property(service, "MainPID") for service in SERVICES] == pids


@on_a_machine
def test_downgrade_uses_the_copy_from_before_the_migration(machine: Machine, shop: Shop):
    """The steps of docs/upgrade.md."""
    copy = machine.output("sh", "-c", "ls -d /var/lib/bloop/bloop.db.before-* | sort | head -n 1")
    (restore_command,) = re.findall(r"^sudo (sh -c .*)$", UPGRADE_GUIDE, re.MULTILINE)
    old = machine.output("readlink", "/opt/bloop/previous")

    machine.run("systemctl", "stop", "bloop.target")
    machine.run("sh", "-c", restore_command.replace("NNNN", copy[-4:]))
    install(machine, CHECKOUT, "--back")

    assert are_active(machine)
    assert current(machine) == old
    assert not has_table(machine, "upgraded")
    assert shop.errors() == {"CartEmpty": 2, "CardRefused": 1, "AddressUnknown": 1}
    with load(machine, "back") as clients:
        until(lambda: any(request_id.startswith("back") for request_id in stored_ids(machine)), "an event to be stored")
        answers = clients.stop()
    until(lambda: set(answers["accepted"]) <= set(stored_ids(machine)), "every accepted event to be stored", UP_S)
