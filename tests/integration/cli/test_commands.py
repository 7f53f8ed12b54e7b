"""What each command prints where, and with which exit code."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shlex
import tomllib
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from bloop.accounts.people.store import create_user
from bloop.alerts.rules.store import RuleFields, create_rule
from bloop.auth.scopes import Scope
from bloop.base import config, credentials
from bloop.cli.welcome import first_event
from bloop.db import connection
from bloop.projects.read import project_keys
from bloop.projects.tokens.read import find_grant
from bloop.projects.tokens.store import create_token
from bloop.ring import Producer, Segment, Spill
from tests.integration.cli.conftest import SECRET, Run


@pytest.fixture
def db(database: config.Settings):
    with closing(connection.open_reader(database.database_path)) as reader:
        yield reader


@pytest.fixture
def ring(database: config.Settings):
    segment = Segment.create(database.ring_name, lane_count=2, lane_bytes=64 * 1024)
    yield segment
    segment.close()
    Segment.unlink(database.ring_name)


def keys(db: apsw.Connection) -> dict[str, str]:
    return {row.slug: row.api_key for row in project_keys(db)}


class TestProject:
    def test_create_prints_the_key_alone_on_stdout(self, run: Run, db: apsw.Connection):
        done = run("project", "create", "Mobile App (iOS)")

        assert done.exit_code == 0
        assert done.stdout.strip() == keys(db)["mobile-app-ios"]
        assert "not shown again" in done.stderr

    def test_create_takes_a_slug_and_prints_json(self, run: Run, db: apsw.Connection):
        done = run("project", "create", "Whatever", "--slug", "short", "--json")

        assert json.loads(done.stdout) == {"slug": "short", "api_key": keys(db)["short"]}
        assert done.stderr == ""

    def test_slug_that_is_taken_is_refused(self, run: Run, database: config.Settings):
        done = run("project", "create", "Default")

        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == "bloop: a project with that slug already exists\n"

    def test_name_without_a_letter_needs_a_slug(self, run: Run, database: config.Settings):
        done = run("project", "create", "???")

        assert (done.exit_code, done.stderr) == (1, "bloop: slug is required\n")

    def test_list_shows_no_keys(self, run: Run, database: config.Settings):
        run("project", "create", "Other")

        table, listed = run("project", "list").stdout, json.loads(run("project", "list", "--json").stdout)

        assert [line.split()[0] for line in table.splitlines()] == ["SLUG", "default", "other"]
        assert [row["slug"] for row in listed] == ["default", "other"]
        assert SECRET not in table + str(listed)

    def test_project_is_told_to_trim_and_the_workers_learn_of_it(self, run: Run, db: apsw.Connection, ring: Segment):
        before = ring.generation

        done = run("project", "set", "default", "--oversize", "trim")

        assert (done.exit_code, done.stdout) == (0, "default: oversize = trim\n")
        assert [row["oversize"] for row in json.loads(run("project", "list", "--json").stdout)] == ["trim"]
        assert ring.generation != before
        listed = run("project", "set", "default", "--search-keys", "plan,region")
        assert (listed.exit_code, listed.stdout) == (0, "default: search_keys = plan,region\n")
        cleared = run("project", "set", "default", "--search-keys", "")
        assert cleared.stdout == "default: search_keys = all that fit\n"
        assert run("project", "set", "default").exit_code == 2
        assert run("project", "set", "default", "--oversize", "cut").exit_code == 2
        assert run("project", "set", "nope", "--oversize", "trim").exit_code == 1

    def test_rotated_key_replaces_the_old_one_and_tells_the_workers(self, run: Run, db: apsw.Connection, ring: Segment):
        before = ring.generation

        done = run("project", "rotate-key", "default")

        assert done.stdout.strip() == keys(db)["default"] != SECRET
        assert ring.generation != before

    def test_an_old_key_is_kept_listed_and_ended(self, run: Run, db: apsw.Connection):
        first = run("project", "create", "Shop").stdout.strip()

        second = run("project", "rotate-key", "shop", "--keep", "3").stdout.strip()

        listed = json.loads(run("project", "keys", "shop", "--json").stdout)
        assert [(key["start"], key["state"]) for key in listed] == [(second[:12], "current"), (first[:12], "old")]
        assert listed[1]["ends_at_ms"] - listed[1]["replaced_at_ms"] == 3 * 86_400_000
        assert [line.split()[2] for line in run("project", "keys", "shop").stdout.splitlines()[1:]] == [
            "current",
            "old",
        ]
        assert run("project", "end-key", "shop", str(listed[1]["id"])).exit_code == 0
        assert db.execute("SELECT count(*) FROM old_keys WHERE key IS NOT NULL").get == 0
        again = run("project", "end-key", "shop", str(listed[1]["id"]))
        assert (again.exit_code, again.stderr) == (1, "bloop: old key not found or already ended\n")
        for days in ("31", "-1"):
            assert run("project", "rotate-key", "shop", "--keep", days).exit_code == 2
        assert run("project", "end-key", "shop", str(2**63)).exit_code == 2

    def test_key_can_be_rotated_while_nothing_runs(self, run: Run, db: apsw.Connection):
        assert run("project", "rotate-key", "default").exit_code == 0

    def test_unknown_project_is_named_with_those_there_are(self, run: Run, database: config.Settings):
        done = run("project", "rotate-key", "nope")

        assert (done.exit_code, done.stderr) == (1, "bloop: project 'nope' not found (projects: default)\n")


class TestToken:
    def test_created_token_opens_its_project_with_its_scopes(self, run: Run, db: apsw.Connection):
        done = run("token", "create", "ci", "--project", "default", "--scopes", "errors:read, alerts:write")

        grant = find_grant(db, credentials.token_hash(done.stdout.strip()), 1_700_000_000_000)
        assert grant is not None
        assert (grant.name, grant.scopes) == ("ci", "errors:read alerts:write")

    def test_token_with_days_expires(self, run: Run, database: config.Settings):
        run("token", "create", "ci", "--project", "default", "--scopes", "errors:read", "--days", "30")

        (listed,) = json.loads(run("token", "list", "--json").stdout)

        assert listed["expires_at"] - listed["created_at"] == 30 * 86_400
        assert listed["project"] == "default"
        assert listed["scopes"] == ["errors:read"]

    def test_list_can_be_narrowed_to_a_project(self, run: Run, database: config.Settings):
        run("project", "create", "Other")
        run("token", "create", "one", "--project", "default", "--scopes", "errors:read")
        run("token", "create", "two", "--project", "other", "--scopes", "errors:read")

        lines = run("token", "list", "--project", "other").stdout.splitlines()

        assert len(lines) == 2
        assert "two" in lines[1]

    @pytest.mark.parametrize("by", ["id", "token_prefix"])
    def test_revoked_token_opens_nothing(self, run: Run, db: apsw.Connection, by: str):
        made = json.loads(
            run("token", "create", "ci", "--project", "default", "--scopes", "errors:read", "--json").stdout
        )

        done = run("token", "revoke", made[by])

        assert (done.exit_code, done.stdout) == (0, "")
        assert find_grant(db, credentials.token_hash(made["token"]), 1_700_000_000_000) is None
        assert "revoked" in run("token", "list").stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("create", "x", "--project", "nope", "--scopes", "errors:read"), 1, "project 'nope' not found"),
            (("create", "x", "--project", "default", "--scopes", "all"), 1, "invalid scope: all"),
            (("create", "x", "--project", "default", "--scopes", ","), 1, "at least one scope is required"),
            (("create", "x", "--project", "default"), 2, "Missing option '--scopes'"),
            (
                ("create", "x", "--project", "default", "--scopes", "errors:read", "--days", "0"),
                1,
                "expires_in_days must",
            ),
            (("revoke", "nope"), 1, "token 'nope' not found"),
        ],
    )
    def test_refusals(self, run: Run, database: config.Settings, arguments: tuple[str, ...], code: int, said: str):
        done = run("token", *arguments)

        assert (done.exit_code, done.stdout) == (code, "")
        assert said in done.stderr


@pytest.fixture
def people(database: config.Settings) -> dict[str, str]:
    """Two accounts; the first is an admin. Name → id."""
    with closing(connection.open_control(database.database_path)) as db, connection.immediate(db):
        return {name: create_user(db, username=name, now_ms=1_700_000_000_000) for name in ("ada", "ben")}


class TestUser:
    def test_list_shows_who_is_admin(self, run: Run, people: dict[str, str]):
        lines = run("user", "list").stdout.splitlines()

        assert [line.split() for line in lines] == [
            ["NAME", "ROLE", "PASSKEYS", "JOINED", "LAST", "SEEN"],
            ["ada", "admin", "0", "2023-11-14", "never"],
            ["ben", "user", "0", "2023-11-14", "never"],
        ]
        assert json.loads(run("user", "list", "--json").stdout)[1] == {
            "id": people["ben"],
            "username": "ben",
            "is_admin": False,
            "created_at": 1_700_000_000,
            "passkeys": 0,
            "last_seen_at": None,
        }

    def test_roles_change_and_the_last_admin_stays(self, run: Run, people: dict[str, str], db: apsw.Connection):
        def admins() -> list[str]:
            return [name for (name,) in db.execute("SELECT username FROM webauthn_users WHERE is_admin ORDER BY 1")]

        refused = run("user", "demote", "ada")
        assert (refused.exit_code, refused.stderr) == (
            1,
            "bloop: there must be an admin: make another account an admin first\n",
        )
        assert run("user", "promote", "Ben").stderr == "ben is now an admin\n"
        assert admins() == ["ada", "ben"]
        assert run("user", "demote", "ada").stderr == "ada is now an ordinary user\n"
        assert admins() == ["ben"]

    def test_remove_asks_first(self, run: Run, people: dict[str, str], db: apsw.Connection):
        def names() -> list[str]:
            return [name for (name,) in db.execute("SELECT username FROM webauthn_users ORDER BY 1")]

        assert run("user", "remove", "ben").exit_code == 1  # nobody answers
        assert names() == ["ada", "ben"]
        assert run("user", "remove", "ben", "--yes").stderr == "Removed ben\n"
        assert names() == ["ada"]
        assert run("user", "remove", "ada", "--to", "ada", "--yes").exit_code == 2
        assert run("user", "remove", "eve", "--yes").stderr == "bloop: account 'eve' not found (accounts: ada)\n"
        assert "there must be an admin" in run("user", "remove", "ada", "--yes").stderr

    @pytest.mark.parametrize(
        ("flags", "said", "owner", "is_valid"),
        [
            ((), "1 API token revoked\n1 alert rule left without an owner\n", None, False),
            (("--to", "ada"), "1 API token revoked\n1 alert rule given to ada\n", "ada", False),
            (
                ("--tokens", "keep", "--to", "ada"),
                "1 API token given to ada\n1 alert rule given to ada\n",
                "ada",
                True,
            ),
        ],
    )
    def test_remove_settles_what_the_account_owned(
        self,
        run: Run,
        database: config.Settings,
        people: dict[str, str],
        flags: tuple[str, ...],
        said: str,
        owner: str | None,
        is_valid: bool,
    ):
        ben = people["ben"]
        with closing(connection.open_control(database.database_path)) as db:
            with connection.immediate(db):
                made = create_token(
                    db, name="ci", project_id=1, scopes=[Scope.ERRORS_READ], now_ms=1_700_000_000_000, created_by=ben
                )
                rule = RuleFields("new", "new_issue", {})
                create_rule(db, rule, project_id=1, created_by=ben, now_ms=1_700_000_000_000)

            done = run("user", "remove", "ben", "--yes", *flags)

            assert done.stderr == f"Removed ben\n{said}"
            owners = db.execute("SELECT created_by FROM alert_rules WHERE name = 'new'").fetchall()
            assert owners == [(people.get(owner or ""),)]
            grant = find_grant(db, credentials.token_hash(made.token), 1_700_000_000_000)
            assert (grant is not None) is is_valid


class TestSignIn:
    def test_link_is_alone_on_stdout_and_its_token_is_stored_hashed(self, run: Run, db: apsw.Connection):
        done = run("login-link")

        found = re.fullmatch(r"http://localhost:5332/auth/login\?token=(\S{43})\n", done.stdout)
        assert found
        stored = db.execute("SELECT token_hash FROM login_links").get
        assert stored == credentials.token_hash(found[1])

    def test_link_as_json_says_how_long(self, run: Run, database: config.Settings):
        assert json.loads(run("login-link", "--json").stdout)["expires_in_s"] == 900

    def test_welcome_shows_key_link_and_a_command_that_is_signed(self, run: Run, database: config.Settings):
        said = run("welcome").stdout

        assert SECRET in said
        assert "/auth/login?token=" in said
        assert "curl -X POST http://localhost:5332/v1/ingest" in said

    def test_welcome_of_a_later_start_says_how_to_read_the_key(self, run: Run, database: config.Settings):
        said = run("welcome", "--without-key").stdout

        assert SECRET not in said
        assert "curl" not in said
        assert f"  BLOOP__DATABASE__PATH={database.database_path} bloop welcome\n" in said

    def test_once_somebody_has_an_account_links_are_for_one_person(
        self, run: Run, database: config.Settings, people: dict[str, str], db: apsw.Connection
    ):
        refused = run("login-link")

        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == "bloop: use --user NAME (accounts: ada, ben)\n"
        made = run("login-link", "--user", "BEN")
        token = made.stdout.strip().rpartition("=")[2]
        found = list(db.execute("SELECT token_hash, user_id FROM login_links"))
        assert found == [(credentials.token_hash(token), people["ben"])]
        unknown = run("login-link", "--user", "eve")
        assert (unknown.exit_code, unknown.stderr) == (1, "bloop: account 'eve' not found (accounts: ada, ben)\n")

    def test_welcome_makes_no_link_once_somebody_has_an_account(
        self, run: Run, database: config.Settings, people: dict[str, str], db: apsw.Connection
    ):
        said = run("welcome").stdout

        assert "Sign in:\n  http://localhost:5332/auth/login\n" in said
        assert list(db.execute("SELECT * FROM login_links")) == []

    def test_signature_of_the_first_event_is_that_of_its_body(self):
        words = shlex.split(first_event(5332, "it's a key", 1_700_000_000_000))

        body = words[words.index("-d") + 1]
        signature = hmac.new(b"it's a key", body.encode(), hashlib.sha256).hexdigest()
        assert f"X-Signature: {signature}" in words
        assert json.loads(body)["timestamp"] == 1_700_000_000_000

    def test_welcome_before_the_first_start_says_what_is_missing(self, run: Run):
        run("migrate")

        done = run("welcome")

        assert (done.exit_code, done.stderr) == (1, "bloop: there is no project 'default' yet: `bloop up` makes it\n")


class TestRing:
    def test_stat_shows_lanes_and_what_waits(self, run: Run, ring: Segment):
        with closing(Producer.claim(ring)) as lane:
            lane.push(1, b"waiting")

            said, found = run("ring", "stat").stdout, json.loads(run("ring", "stat", "--json").stdout)

        assert "waiting  1 records" in said
        assert "writer   absent, seen never" in said
        assert found["pending_records"] == 1
        assert [lane["claimed"] for lane in found["lanes"]] == [True, False]

    def test_stat_shows_what_waits_on_the_disk(self, run: Run, ring: Segment, tmp_path: Path):
        spill = Spill(tmp_path / "spill", 1 << 20, 0)
        with closing(Producer.claim(ring, spill)) as lane:
            pushed = sum(lane.push(1, bytes(1000)) for _ in range(70))

        said, found = run("ring", "stat").stdout, json.loads(run("ring", "stat", "--json").stdout)

        assert (pushed, found["pending_records"], found["fill"]) == (70, 70, 1.0)
        assert found["spill_records"] == found["lanes"][0]["spilled"] > 0
        assert found["spill_bytes"] == found["spill_records"] * 1016
        assert f"waiting  70 records, of them {found['spill_records']} on disk ({found['spill_bytes']} bytes)" in said

    def test_ring_that_is_not_there_is_said(self, run: Run):
        done = run("ring", "stat")

        assert done.exit_code == 1
        assert done.stderr.startswith("bloop: bloop is not running: no ring /bloop-")


class TestSystem:
    def test_migrate_makes_the_database_and_then_has_nothing_to_do(self, run: Run, settings: config.Settings):
        first, second = run("migrate"), run("migrate")

        assert first.stdout.startswith("0001 initial\n")
        assert (second.exit_code, second.stdout) == (0, "")
        assert settings.database_path.exists()

    def test_migrate_says_what_it_would_do_and_does_nothing(self, run: Run, settings: config.Settings):
        before = run("migrate", "--dry-run")
        assert not settings.database_path.exists()
        applied = run("migrate")
        after = run("migrate", "--dry-run")

        assert before.stdout == applied.stdout != ""
        assert before.stderr == ""
        assert (after.stdout, after.stderr) == ("", f"{settings.database_path} is up to date\n")

    def test_config_check_gives_scripts_what_they_look_after(self, run: Run, settings: config.Settings):
        found = json.loads(run("config", "check", "--json").stdout)

        assert found["database_path"] == str(settings.database_path)
        assert found["dashboard_path"] == str(settings.dashboard_path)
        assert found["ring_name"] == settings.ring_name
        assert found["settings"]["server.port"] == 5332
        assert SECRET not in json.dumps(found)

    def test_commands_say_how_a_database_comes_to_be(self, run: Run, settings: config.Settings):
        done = run("project", "list")

        assert done.exit_code == 1
        assert f"there is no database {settings.database_path}: " in done.stderr
        assert not settings.database_path.exists()

    def test_database_of_an_older_bloop_wants_to_be_migrated(self, run: Run, settings: config.Settings):
        settings.database_path.touch()

        done = run("project", "list")

        assert done.exit_code == 1
        assert "run `bloop migrate` first" in done.stderr

    def test_config_check_shows_what_is_in_force_and_hides_secrets(self, run: Run, monkeypatch: pytest.MonkeyPatch):
        Path("config.toml").write_text("[server]\nport = 6000\ntrusted_proxies = ['::1']")

        done = run("config", "check")

        assert done.exit_code == 0
        assert "from config.toml" in done.stdout
        assert re.search(r"^port = 6000 +# ", done.stdout, re.MULTILINE)
        assert 'trusted_proxies = ["::1"]' in done.stdout
        assert SECRET not in done.output
        assert done.stderr == "OK\n"

    def test_config_check_says_what_is_chosen_for_the_machine_and_why(self, run: Run, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("BLOOP__SERVER__THREADS", "8")

        said, found = run("config", "check").stdout, json.loads(run("config", "check", "--json").stdout)

        assert re.search(r"^# server\.threads = 8 +set$", said, re.MULTILINE)
        assert re.search(r"^# server\.workers = \d+ +(one per core|\d+ cores, at most )", said, re.MULTILINE)
        assert {"setting": "server.threads", "value": 8, "why": "set"} in found["chosen"]
        assert found["machine"]["cores"] > 0

    def test_config_check_output_is_toml_but_for_the_secret(self, run: Run):
        said = run("config", "check").stdout

        parsed = tomllib.loads(said)
        assert parsed["server"]["port"] == 5332
        assert parsed["rate_limit"]["per_second"] == 100

    def test_config_check_names_the_first_setting_that_will_not_do(self, run: Run, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("BLOOP__SERVER__PORT", "99999")

        done = run("config", "check")

        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == "bloop: server.port: must be at most 65535, not 99999\n"

    def test_config_check_misses_a_secret(self, run: Run, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("BLOOP__AUTH__HMAC_SECRET")

        done = run("config", "check")

        assert done.exit_code == 1
        assert done.stderr.startswith("bloop: auth.hmac_secret: is not set")

    def test_unknown_command_is_misuse(self, run: Run):
        assert run("fly").exit_code == 2

    @pytest.mark.parametrize("command", [(), ("project",), ("token",), ("ring",), ("config",), ("up",), ("demo",)])
    def test_every_command_explains_itself(self, run: Run, command: tuple[str, ...]):
        done = run(*command, "--help")

        assert done.exit_code == 0
        assert "Usage: " in done.stdout


def test_an_invitation_prints_its_link_whatever_becomes_of_the_mail(run: Run, database: config.Settings) -> None:
    plain, mailed = run("user", "invite", "Hedy"), run("user", "invite", "Hedy", "--email", "hedy@example.com")
    refused = run("user", "invite", "Hedy", "--email", "nobody")

    for done in (plain, mailed):
        assert re.fullmatch(r"http\S+/auth/login\?invite=[A-Za-z0-9_-]{43}\n", done.stdout)
    assert (plain.exit_code, plain.stderr) == (0, "Works once, within 7 days:\n")
    assert (mailed.exit_code, mailed.stderr.splitlines()[-1]) == (
        1,
        "bloop: the mail was not sent: mail is switched off: smtp.enabled is false",
    )
    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", "bloop: invalid email address\n")
