"""`bloop export` and `bloop import`: what goes out comes in, twice changes nothing, half of it never happens."""

from __future__ import annotations

import copy
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as options
from hypothesis import strategies as st

from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.read import list_channels, list_rules
from bloop.alerts.rules.store import RuleFields
from bloop.alerts.saved_channels.read import list_saved_channels
from bloop.alerts.saved_channels.store import attach_channel, create_channel, find_or_create_unnamed
from bloop.base import config
from bloop.db import connection
from bloop.db.migrate import migrate
from bloop.projects.read import get_project, list_projects, project_keys
from bloop.projects.store import create_project, ensure_default_project, rotate_key
from bloop.retention.read import overrides, policy_row
from bloop.retention.store import save_policy
from bloop.transfer.document import Document, parse, render
from bloop.transfer.export import export
from bloop.transfer.importing import apply
from tests.integration.cli.conftest import SECRET, Run

NOW_MS = 1_800_000_000_000
SLACK = {"webhook_url": "https://hooks.slack.com/services/T0/B0/verysecret"}


@pytest.fixture
def filled(database: config.Settings) -> config.Settings:
    """Two projects, a rule with three channels, one over all projects, and times of their own."""
    with closing(connection.open_control(database.database_path)) as db, connection.immediate(db):
        shop, _ = create_project(db, name="Shop", slug="shop", now_ms=NOW_MS)
        save_policy(db, raw_events_days=14, overrides=[(shop.id, 30)])
        busy = RuleFields("Busy", "threshold", {"threshold": 5, "window_secs": 60}, environment_filter="production")
        rule_id = alert_rules.create_rule(db, busy, project_id=shop.id, created_by=None, now_ms=NOW_MS)
        for kind, channel in (("slack", SLACK), ("email", {"to": "ops@example.com"})):
            channel_id = find_or_create_unnamed(db, kind, channel, project_id=shop.id, now_ms=NOW_MS)
            attach_channel(db, rule_id, shop.id, channel_id, NOW_MS)
        for enabled in (True, False):
            twin = RuleFields("Twin", "new_issue", {}, enabled=enabled, cooldown_secs=60)
            alert_rules.create_rule(db, twin, project_id=None, created_by=None, now_ms=NOW_MS)
    return database


@pytest.fixture
def other(settings: config.Settings, tmp_path: Path) -> config.Settings:
    """Another installation."""
    path = tmp_path / "other.db"
    migrate(path, NOW_MS)
    with closing(connection.open_control(path)) as db, connection.immediate(db):
        ensure_default_project(db, "y" * 40, NOW_MS)
    return replace(settings, database=replace(settings.database, path=str(path)))


def exported(settings: config.Settings, **flags: bool) -> Document:
    with closing(connection.open_reader(settings.database_path)) as db:
        return export(db, NOW_MS, **flags)


def imported(settings: config.Settings, document: Document) -> tuple[list[str], list[str]]:
    with closing(connection.open_control(settings.database_path)) as db, connection.immediate(db):
        report = apply(db, document, settings, NOW_MS)
    return report.changes, report.notes


def changed(document: Document, change: Any) -> bytes:
    fields = json.loads(render(document))
    change(fields)
    return json.dumps(fields).encode()


def test_what_goes_out_of_one_installation_comes_into_another(filled: config.Settings, other: config.Settings):
    document = parse(render(exported(filled, with_keys=True, with_secrets=True)).encode())

    changes, notes = imported(other, document)

    assert notes == []
    assert len(changes) == 8
    again = exported(other, with_keys=True, with_secrets=True)
    assert sorted(again.alert_rules, key=str) == sorted(document.alert_rules, key=str)
    assert (again.projects, again.retention) == (document.projects, document.retention)


def test_importing_twice_changes_nothing_the_second_time(filled: config.Settings, other: config.Settings):
    for flags in ({}, {"with_keys": True}, {"with_keys": True, "with_secrets": True}):
        document = exported(filled, **flags)
        imported(other, document)

        assert imported(other, document)[0] == []
        assert imported(filled, document) == ([], [])


def test_nothing_secret_goes_out_unasked(run: Run, filled: config.Settings):
    with closing(connection.open_reader(filled.database_path)) as db:
        keys = [key.api_key for key in project_keys(db)]

    said = run("export").stdout

    assert not [secret for secret in (*keys, "verysecret", SECRET) if secret in said]
    assert "hooks.slack.com" in said
    assert "ops@example.com" in said


def test_the_configured_secret_never_goes_out_as_a_key(run: Run, filled: config.Settings):
    everything = run("export", "--with-keys", "--with-secrets").stdout

    assert SECRET not in everything
    assert "verysecret" in everything
    with closing(connection.open_reader(filled.database_path)) as db:
        (shop,) = [key.api_key for key in project_keys(db) if key.slug == "shop"]
    assert shop in everything


def test_a_channel_without_its_secret_is_named_and_not_made(filled: config.Settings, other: config.Settings):
    _, notes = imported(other, exported(filled))

    assert "alert rule Busy: its slack channel to hooks.slack.com is not in the file; add it" in notes
    with closing(connection.open_reader(other.database_path)) as db:
        made = list_channels(db, [row.id for row in list_rules(db)])
    assert [channel.channel_type for channel in made] == ["email"]


def test_keys_come_along_when_they_are_there(filled: config.Settings, other: config.Settings):
    with closing(connection.open_control(filled.database_path)) as db, connection.immediate(db):
        default = get_project(db, "default")
        assert default is not None
        rotated = rotate_key(db, default.id, NOW_MS)

    changes, _ = imported(other, exported(filled, with_keys=True))

    assert "project default: key replaced" in changes
    with closing(connection.open_reader(other.database_path)) as db:
        keys = {key.slug: key.api_key for key in project_keys(db)}
    assert keys["default"] == rotated


def test_what_the_file_does_not_name_stays(filled: config.Settings):
    before = exported(filled, with_keys=True, with_secrets=True)

    assert imported(filled, Document(bloop_settings=1)) == ([], [])
    assert exported(filled, with_keys=True, with_secrets=True) == before


def test_a_dry_run_says_the_same_and_changes_nothing(run: Run, filled: config.Settings, other: config.Settings):
    file = other.database_path.with_name("settings.json")
    assert run("export", "--with-secrets", str(file)).exit_code == 0
    environ = {"BLOOP__DATABASE__PATH": str(other.database_path)}
    before = other.database_path.read_bytes()

    def asked(*arguments: str) -> dict[str, Any]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            said: dict[str, Any] = json.loads(run("import", str(file), "--json", *arguments).stdout)
            return said

    tried = asked("--dry-run")
    assert tried["dry_run"]
    assert other.database_path.read_bytes() == before
    done = asked()

    assert done["changes"] == tried["changes"] != []
    assert asked()["changes"] == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda f: f.update(bloop_settings=3), "upgrade bloop"),
        (lambda f: f.pop("bloop_settings"), "not an export of bloop"),
        (lambda f: f.update(retenshun={}), "retenshun"),
        (lambda f: f["retention"].update(raw_events_days=0), "retention.raw_events_days"),
        (lambda f: f["projects"][1].update(slug="Not A Slug"), "projects[1].slug"),
        (lambda f: f["projects"][1].update(name=7), "projects[1].name"),
        (lambda f: f["projects"][1].update(api_key="guess"), "projects[1].api_key"),
        (lambda f: f["projects"][1].update(raw_events_days=9999), "projects[1].raw_events_days"),
        (lambda f: f["alert_rules"][-1].update(type="loud"), "alert_rules[4].config.type"),
        (lambda f: f["alert_rules"][2]["config"].update(threshold=-1), "alert_rules[2].config.threshold"),
        (lambda f: f["alert_rules"][2].update(project="nowhere"), "alert_rules[2].project"),
        (
            lambda f: f["alert_rules"][2]["channels"].append({"type": "slack", "config": {"webhook_url": "ftp://x"}}),
            "alert_rules[2].channels[2].config.webhook_url",
        ),
    ],
)
def test_what_will_not_do_is_named_and_nothing_of_the_file_is_taken(
    run: Run, filled: config.Settings, tmp_path: Path, change: Any, place: str
):
    before = exported(filled, with_keys=True, with_secrets=True)
    first = copy.copy(before)  # something that would be taken if anything were
    raw = json.loads(changed(first, lambda f: f["projects"].append({"slug": "extra", "name": "Extra"})))
    change(raw)
    (tmp_path / "bad.json").write_text(json.dumps(raw))

    done = run("import", str(tmp_path / "bad.json"))

    assert (done.exit_code, done.stdout) == (1, "")
    assert place in done.stderr
    assert exported(filled, with_keys=True, with_secrets=True) == before


def test_the_key_of_another_project_is_refused(run: Run, filled: config.Settings, tmp_path: Path):
    def swap(fields: dict[str, Any]) -> None:
        fields["projects"][0]["api_key"] = fields["projects"][1]["api_key"]

    (tmp_path / "bad.json").write_bytes(changed(exported(filled, with_keys=True), swap))

    done = run("import", str(tmp_path / "bad.json"))

    assert done.stderr == "bloop: projects[0].api_key: is the key of another project\n"


@pytest.mark.parametrize("slug", ["default", "new"])
def test_the_kept_old_key_of_another_project_is_refused(run: Run, filled: config.Settings, tmp_path: Path, slug: str):
    with closing(connection.open_control(filled.database_path)) as db, connection.immediate(db):
        shop = get_project(db, "shop")
        assert shop is not None
        old = next(key.api_key for key in project_keys(db) if key.id == shop.id)
        rotate_key(db, shop.id, NOW_MS, keep_days=9)

    def claim(fields: dict[str, Any]) -> None:
        fields["projects"] = [{"slug": slug, "name": slug.title(), "api_key": old}]

    (tmp_path / "bad.json").write_bytes(changed(exported(filled, with_keys=True), claim))

    done = run("import", str(tmp_path / "bad.json"))

    assert done.stderr == "bloop: projects[0].api_key: is the key of another project\n"


@pytest.mark.parametrize("raw", ["", "[]", "null", "nonsense", "[" * 50_000, '{"bloop_settings": true}'])
def test_other_files_are_refused(run: Run, filled: config.Settings, tmp_path: Path, raw: str):
    (tmp_path / "x.json").write_text(raw)

    done = run("import", str(tmp_path / "x.json"))

    assert done.exit_code == 1
    assert "the file is not JSON" in done.stderr or "not an export of bloop" in done.stderr


def test_a_file_that_is_there_is_not_overwritten(run: Run, filled: config.Settings, tmp_path: Path):
    file = tmp_path / "settings.json"
    assert run("export", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600

    done = run("export", str(file))

    assert (done.exit_code, done.stderr) == (1, f"bloop: {file} already exists\n")


def test_before_bloop_ever_started_the_default_project_is_left_to_it(
    filled: config.Settings, settings: config.Settings, tmp_path: Path
):
    path = tmp_path / "new.db"
    migrate(path, NOW_MS)
    fresh = replace(settings, database=replace(settings.database, path=str(path)))

    changes, notes = imported(fresh, exported(filled))

    assert "project default is created when bloop starts; import again after that" in " ".join(notes)
    assert "project shop: created" in changes
    with closing(connection.open_reader(path)) as db:
        assert [row.slug for row in list_projects(db)] == ["shop"]


def test_times_of_their_own_come_along(filled: config.Settings, other: config.Settings):
    imported(other, exported(filled))

    with closing(connection.open_reader(other.database_path)) as db:
        assert policy_row(db).raw_events_days == 14
        assert [(row.slug, row.raw_events_days) for row in overrides(db)] == [("shop", 30)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["slug", "name", "type", "config", "channels", "project", "raw_events_days", "to", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@options(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(retention=json_values, projects=st.lists(json_values, max_size=2), rules=st.lists(json_values, max_size=2))
def test_no_file_is_answered_with_a_traceback(
    run: Run, filled: config.Settings, tmp_path: Path, retention: Any, projects: Any, rules: Any
):
    document = {"bloop_settings": 1, "retention": retention, "projects": projects, "alert_rules": rules}
    (tmp_path / "x.json").write_text(json.dumps(document))

    done = run("import", str(tmp_path / "x.json"), "--dry-run")  # an exception would come through

    assert done.exit_code in (0, 1)


# Saved channels


@pytest.fixture
def with_saved(filled: config.Settings) -> config.Settings:
    """A named channel for all projects, used by two rules, and one of the shop that no rule uses."""
    with closing(connection.open_control(filled.database_path)) as db, connection.immediate(db):
        shop = get_project(db, "shop")
        assert shop is not None
        everyone = create_channel(db, "slack", SLACK, project_id=None, name="Everyone", now_ms=NOW_MS)
        create_channel(db, "email", {"to": "shop@example.com"}, project_id=shop.id, name="Shop mail", now_ms=NOW_MS)
        for row in list_rules(db)[:3]:
            attach_channel(db, row.id, row.project_id, everyone, NOW_MS)
    return filled


def saved(settings: config.Settings) -> list[tuple[str | None, str | None, str]]:
    with closing(connection.open_reader(settings.database_path)) as db:
        return [(row.name, row.project_slug, row.config_json) for row in list_saved_channels(db) if row.name]


def test_saved_channels_come_along_and_stay_shared(with_saved: config.Settings, other: config.Settings):
    document = parse(render(exported(with_saved, with_keys=True, with_secrets=True)).encode())

    changes, notes = imported(other, document)

    assert notes == []
    assert saved(other) == saved(with_saved)
    assert "channel Everyone: created" in changes
    assert imported(other, document) == ([], [])
    assert imported(with_saved, document) == ([], [])
    with closing(connection.open_reader(other.database_path)) as db:
        rows = list_channels(db, [row.id for row in list_rules(db)])
    assert len({row.id for row in rows if row.name == "Everyone"}) == 1
    assert len([row for row in rows if row.name == "Everyone"]) == 3


def test_a_saved_channel_without_its_secret_is_noted_and_found_by_its_name(
    with_saved: config.Settings, other: config.Settings
):
    document = exported(with_saved)
    assert "verysecret" not in render(document)

    _, notes = imported(other, document)
    assert "channel Everyone: its slack address is not in the file; create it" in notes
    assert "alert rule Busy: there is no channel Everyone; create it and add it" in notes

    with closing(connection.open_control(other.database_path)) as db, connection.immediate(db):
        create_channel(db, "slack", SLACK, project_id=None, name="Everyone", now_ms=NOW_MS)
    changes, notes = imported(other, document)
    assert "alert rule Busy: notifies hooks.slack.com (slack)" in changes
    assert [note for note in notes if "Everyone" in note] == []


def test_a_saved_channel_with_another_address_is_changed(with_saved: config.Settings):
    def move(fields: dict[str, Any]) -> None:
        fields["channels"][0]["config"]["webhook_url"] = "https://hooks.slack.com/services/T0/B0/other"

    document = parse(changed(exported(with_saved, with_secrets=True), move))

    assert imported(with_saved, document) == (["channel Everyone: changed"], [])
    assert "other" in saved(with_saved)[0][2]


def test_the_file_of_an_older_bloop_uses_the_channels_that_are_there(with_saved: config.Settings):
    def as_before(fields: dict[str, Any]) -> None:
        fields["bloop_settings"] = 1
        del fields["channels"]
        for rule in fields["alert_rules"]:
            for channel in rule.get("channels", ()):
                channel.pop("name", None)
                channel.pop("all_projects", None)
                if channel["type"] == "slack":
                    channel["config"] = SLACK

    document = parse(changed(exported(with_saved, with_secrets=True), as_before))
    before = saved(with_saved)

    assert imported(with_saved, document) == ([], [])
    assert saved(with_saved) == before
