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
    assert [line.split()[-1] for line in table.splitlines()] == ["TELLS", "nobody", "nobody", "hooks.example.com"]
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
