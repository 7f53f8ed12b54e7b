"""Prometheus' own tool (tests/tools.py) checks the output of /metrics and the shipped rules."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.integration.api.conftest import Server, settings_for
from tests.integration.test_monitoring import ROOT, RULES, alerts
from tests.seed import Seed
from tests.tools import tool

CONFIG = ROOT / "docs/prometheus/prometheus.yml"
VECTORS = ROOT / "tests/vectors/prometheus_rules.yml"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with closing(Seed(tmp_path / "bloop.db")) as seed:
        seed.project("shop")
        seed.db.execute("INSERT INTO ledger_totals VALUES (1, 0, 2, 7)")
        insert = "INSERT INTO backup_runs (cause, state, asked_at_ms, started_at_ms, proven_at_ms)"
        seed.db.execute(f"{insert} VALUES ('asked', 'done', 0, 1, 1)")
        made = Server(seed, settings_for(seed.path))
        yield made
        made.database.close()


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    """The output of a successful run."""
    command = [tool("bin/promtool"), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_reports_no_problem_in_our_metrics(server: Server) -> None:
    text = server.call("GET", "/metrics", host="localhost", remote_addr="127.0.0.1").text

    assert promtool("check", "metrics", text=text).strip() == ""


def test_the_rules_and_the_example_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)
    assert "SUCCESS" in promtool("check", "config", CONFIG)


def test_each_rule_fires_when_it_should_and_not_on_a_healthy_bloop() -> None:
    promtool("test", "rules", VECTORS)

    tested = {test["alertname"] for case in yaml.safe_load(VECTORS.read_text())["tests"]
              for test in case["alert_rule_test"] if test["exp_alerts"]}  # fmt: skip
    assert tested == set(alerts())
