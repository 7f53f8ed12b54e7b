"""`bloop alert` and `bloop delivery`: what they print, and what they change."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bloop.alerts.deliveries import store as deliveries
from bloop.base import clock, config
from bloop.processes.store import store_heartbeat
from tests.integration.cli.conftest import Run
from tests.seed import Seed


@pytest.fixture
def seed(settings: config.Settings) -> Iterator[Seed]:
    made = Seed(settings.database_path)
    yield made
    made.close()


def test_list_says_whom_each_rule_tells(run: Run, seed: Seed) -> None:
    shop = seed.project("shop")
    own = seed.rule(shop, "threshold", '{"threshold": 1, "window_secs": 60}', name="Many", enabled=0)
    seed.channel(own, "https://hooks.example.com/secret")

    done, table = run("alert", "list", "--json"), run("alert", "list").stdout

    assert [(rule["name"], rule["project"], rule["enabled"], rule["tells"]) for rule in json.loads(done.stdout)] == [
        ("New issues", None, True, []),
        ("Regressions", None, True, []),
        ("Many", "shop", False, ["webhook hooks.example.com"]),
    ]
    assert [line.split()[-1] for line in table.splitlines()] == ["CHANNELS", "none", "none", "hooks.example.com"]
    assert "secret" not in done.stdout + table


def test_a_rule_is_switched_by_id_or_name(run: Run, seed: Seed) -> None:
    assert run("alert", "disable", "1").exit_code == 0
    assert run("alert", "disable", "Regressions").stderr == "Regressions (2) is off\n"
    assert seed.rows("SELECT enabled FROM alert_rules") == [(0,), (0,)]

    run("alert", "enable", "New issues")

    assert seed.rows("SELECT enabled FROM alert_rules ORDER BY id") == [(1,), (0,)]
    assert (run("alert", "enable", "Old").exit_code, run("alert", "enable", "Old").stderr) == (
        1,
        "bloop: alert rule 'Old' not found\n",
    )


def test_two_rules_of_a_name_are_told_apart_by_their_ids(run: Run, seed: Seed) -> None:
    seed.rule(name="New issues")

    assert "use the id" in run("alert", "disable", "New issues").stderr


def test_a_test_without_the_process_is_refused_before_anything_is_stored(run: Run, seed: Seed) -> None:
    seed.channel(1)

    done = run("alert", "test", "1")

    assert (done.exit_code, done.stderr) == (1, "bloop: the alerts process does not run: start bloop first\n")
    assert seed.rows("SELECT * FROM alert_firings") == []


@pytest.mark.parametrize(("status", "error", "exit_code"), [(200, None, 0), (404, "nobody here", 1)])
def test_a_test_prints_the_answer_and_fails_with_it(
    run: Run, seed: Seed, monkeypatch: pytest.MonkeyPatch, status: int, error: str | None, exit_code: int
) -> None:
    seed.channel(1)
    now_ms = clock.now_ms()
    store_heartbeat(seed.db, "alerts", started_at_ms=now_ms, now_ms=now_ms, troubles=())
    add = deliveries.add

    def add_and_answer(*arguments: object) -> None:  # in place of the alerts process
        add(*arguments)  # type: ignore[arg-type]
        state, sent = ("sent", now_ms) if error is None else ("failed", None)
        arguments[0].execute(  # type: ignore[attr-defined]
            "UPDATE deliveries SET attempts = 1, state = ?, last_error = ?, last_status = ?, sent_at_ms = ?",
            (state, error, status, sent),
        )

    monkeypatch.setattr(deliveries, "add", add_and_answer)

    done = run("alert", "test", "1", "--json")

    assert done.exit_code == exit_code
    (outcome,) = json.loads(done.stdout)
    assert (outcome["target"], outcome["status"], outcome["detail"]) == ("hooks.example.com", status, error or "")


def test_a_test_of_a_rule_that_tells_nobody_fails(run: Run, seed: Seed) -> None:
    store_heartbeat(seed.db, "alerts", started_at_ms=0, now_ms=clock.now_ms(), troubles=())

    assert run("alert", "test", "1").stderr == "bloop: the rule has no channel: add one\n"


def test_deliveries_are_listed_sent_again_and_given_up(run: Run, seed: Seed) -> None:
    first, second = (seed.delivery(seed.firing(1), attempts=10, last_error="no answer") for _ in range(2))
    sent = seed.delivery(seed.firing(1), "sent")

    listed = json.loads(run("delivery", "list", "--state", "failed", "--json").stdout)
    assert [(row["id"], row["last_error"]) for row in listed] == [(second, "no answer"), (first, "no answer")]
    assert "no answer" in run("delivery", "list").stdout

    assert run("delivery", "retry", str(first)).stderr == "1 to be retried\n"
    assert run("delivery", "dismiss", "--failed").stderr == "1 dismissed\n"
    assert seed.rows("SELECT state, attempts FROM deliveries ORDER BY id") == [
        ("waiting", 0),
        ("dismissed", 10),
        ("sent", 0),
    ]
    assert run("delivery", "retry", str(sent)).stderr == "bloop: it was sent\n"
    assert run("delivery", "retry", "99").stderr == "bloop: delivery 99 not found\n"
    assert run("delivery", "dismiss").exit_code == 2


# Channels, and rules with them


URL = "https://hooks.slack.com/services/T0/B0/very-secret"


@pytest.fixture
def url_file(settings: config.Settings) -> str:
    path = settings.database_path.with_name("url")
    path.write_text(URL + "\n")
    return str(path)


def test_a_channel_is_created_listed_and_deleted_without_its_secret_on_any_line(
    run: Run, seed: Seed, url_file: str
) -> None:
    seed.project("shop")

    made = run("channel", "create", "Team", "--type", "slack", "--url-file", url_file)
    of_shop = run(
        "channel", "create", "Shop", "--type", "email", "--to", "a@example.com", "--project", "shop", "--json"
    )

    assert (made.stdout, made.stderr) == ("1\n", "Created channel Team (1)\n")
    assert URL in seed.value("SELECT config FROM channels WHERE id = 1")
    assert json.loads(of_shop.stdout) == {
        "id": 2, "name": "Shop", "channel_type": "email", "target": "a@example.com", "project": "shop", "rules": [],
    }  # fmt: skip
    table = run("channel", "list").stdout.splitlines()
    assert [line.split() for line in table] == [
        ["ID", "NAME", "TYPE", "TARGET", "PROJECT", "RULES"],
        ["1", "Team", "slack", "hooks.slack.com", "all", "none"],
        ["2", "Shop", "email", "a@example.com", "shop", "none"],
    ]
    assert "very-secret" not in run("channel", "list", "--json").stdout
    assert run("channel", "delete", "Team", "--yes").stderr == "Deleted channel Team\n"
    assert run("channel", "delete", "9", "--yes").stderr == "bloop: channel '9' not found (channels: Shop)\n"


def test_a_config_of_any_type_comes_from_a_file(run: Run, seed: Seed, settings: config.Settings) -> None:
    path = settings.database_path.with_name("config.json")
    path.write_text('{"type": "telegram", "bot_token": "123456:AAhunter2hunter2hunter2hunter2hunt", "chat_id": "-100"}')

    assert run("channel", "create", "Chat", "--type", "telegram", "--config-file", str(path)).exit_code == 0
    assert seed.value("SELECT config ->> 'chat_id' FROM channels") == "-100"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        (("--type", "email"), 2, "--type email needs --to ADDRESS"),
        (("--type", "slack", "--to", "a@example.com"), 2, "--to is for --type email"),
        (("--type", "telegram"), 2, "--type telegram needs --config-file"),
        (("--type", "slack", "--url-file", "nowhere"), 2, "cannot read nowhere"),
        (("--type", "email", "--to", "nobody"), 1, "invalid email address"),
        (("--type", "email", "--to", "a@example.com", "--project", "none"), 1, "none"),
    ],
)
def test_a_channel_that_cannot_be_is_refused_with_the_reason(
    run: Run, seed: Seed, arguments: tuple[str, ...], exit_code: int, reason: str
) -> None:
    done = run("channel", "create", "Team", *arguments)

    assert (done.exit_code, reason in done.stderr) == (exit_code, True), done.stderr
    assert seed.rows("SELECT * FROM channels") == []


def test_a_rule_is_created_with_its_channels_in_one_command(run: Run, seed: Seed) -> None:
    shop = seed.project("shop")
    seed.channel(None, name="Team")
    seed.channel(None, name="Shop", project_id=shop)

    made = run(
        "alert", "create", "New in production", "--project", "shop", "--env", "production",
        "--channel", "Team", "--channel", "Shop",
    )  # fmt: skip

    assert (made.exit_code, made.stdout) == (0, "3\n"), made.stderr
    assert made.stderr == (
        "Created New in production (3): notifies Team, Shop when a new issue appears in Shop, environment production\n"
    )
    assert seed.rows("SELECT rule_id, channel_id FROM rule_channels") == [(3, 1), (3, 2)]
    assert seed.rows("SELECT rule_type, environment_filter, project_id FROM alert_rules WHERE id = 3") == [
        ("new_issue", "production", shop)
    ]


def test_counting_rules_have_the_defaults_of_the_form_and_watch_an_issue(run: Run, seed: Seed) -> None:
    seed.issue(seed.project("shop"), "f00d")

    spike = run("alert", "create", "Spike", "--type", "spike", "--multiplier", "2.5", "--cooldown", "1.5", "--json")
    count = run("alert", "create", "Count", "--type", "threshold", "--window", "60", "--issue", "shop-1")

    assert json.loads(spike.stdout) == {"id": 3, "name": "Spike", "rule_type": "spike", "channels": []}
    assert "no channel yet" in count.stderr
    configs = [json.loads(row[0]) for row in seed.rows("SELECT config FROM alert_rules WHERE id > 2 ORDER BY id")]
    assert (configs[0]["multiplier"], configs[0]["compare_window_secs"], configs[0]["min_count"]) == (2.5, 600, 10)
    assert (configs[1]["threshold"], configs[1]["window_secs"], configs[1]["fingerprint"]) == (100, 3600, "f00d")
    assert seed.value("SELECT cooldown_secs FROM alert_rules WHERE id = 3") == 90


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        (("--threshold", "5"), 2, "--threshold is for --type threshold"),
        (("--issue", "SHOP-1"), 2, "--issue is for --type regression or spike or threshold"),
        (("--type", "regression", "--issue", "SHOP-9"), 1, "issue SHOP-9 not found"),
        (("--type", "spike", "--multiplier", "0.5"), 2, "The multiplier must be a number from 1"),
        (("--channel", "Team"), 1, "channel 'Team' not found (channels: none yet)"),
        (("--project", "nowhere"), 1, "nowhere"),
        (("--type", "sometimes"), 2, "sometimes"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_nothing_is_stored(
    run: Run, seed: Seed, arguments: tuple[str, ...], exit_code: int, reason: str
) -> None:
    done = run("alert", "create", "Rule", *arguments)

    assert (done.exit_code, reason in done.stderr) == (exit_code, True), done.stderr
    assert seed.value("SELECT count(*) FROM alert_rules") == 2


def test_a_test_of_a_channel_prints_the_answer_of_its_receiver(
    run: Run, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed.channel(None, name="Team")
    now_ms = clock.now_ms()
    store_heartbeat(seed.db, "alerts", started_at_ms=now_ms, now_ms=now_ms, troubles=())
    add = deliveries.add

    def add_and_answer(*arguments: object) -> None:
        add(*arguments)  # type: ignore[arg-type]
        arguments[0].execute(  # type: ignore[attr-defined]
            "UPDATE deliveries SET attempts = 1, state = 'failed', last_error = 'hooks.example.com answered 404',"
            " last_answer = 'no such hook', last_duration_ms = 1412"
        )

    monkeypatch.setattr(deliveries, "add", add_and_answer)

    done = run("channel", "test", "Team")

    assert done.exit_code == 1
    assert "1,412 ms  hooks.example.com answered 404: no such hook" in done.stdout
    assert done.stderr == "bloop: not every channel accepted the test\n"
