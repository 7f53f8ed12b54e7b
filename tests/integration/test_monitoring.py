"""The shipped rules, dashboard and manual use existing metrics only, and leave none out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bloop.base.meters import Answer, HistogramReading
from bloop.health.exposition import Families, ScrapeData
from bloop.health.read import BackupTimes, DatabaseMetrics, LedgerTotal, ProcessHealth
from bloop.ingest.registry import METERS
from bloop.ring.layout import CONSUMER_METERS, LANE_METERS
from bloop.ring.segment import Meters
from tests.integration.api.conftest import WELL
from tests.seed import NOW_MS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs/prometheus/alerts.yml"
DASHBOARD = json.loads((ROOT / "docs/grafana/bloop.json").read_text())
OPERATIONS = (ROOT / "docs/operations.md").read_text()

FULL = ScrapeData(
    now_ms=NOW_MS,
    read=DatabaseMetrics(
        [LedgerTotal(1, "shop", 1, 5)], {"waiting": 1, "failed": 0}, 3, [ProcessHealth("alerts", NOW_MS, True)],
              BackupTimes(NOW_MS, NOW_MS, False)),
    ring=WELL,
    meters=Meters([0] * CONSUMER_METERS, [[0] * LANE_METERS]),
    oldest_ms=NOW_MS,
    disk_free_bytes=1,
    database_bytes=1,
    wal_bytes=1,
    reasons=[],
    answers={Answer("GET", "/", "200"): 1},
    took={"/": HistogramReading((0.1,), [1, 0], 0.01)},
    streams=1,
)  # fmt: skip


def alerts() -> list[str]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]


def possible_series() -> dict[str, set[str]]:
    """Every possible series name, with its labels."""
    found: dict[str, set[str]] = {}
    for family in Families(FULL).collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def series_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    for name, labels in re.findall(r"\b(?<![:\w])(bloop_\w+)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels)) - {"instance"}


def dashboard_expressions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key in ("expr", "query") and isinstance(value, str))
        for value in node.values():
            yield from dashboard_expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from dashboard_expressions(value)


def test_rules_and_dashboard_use_existing_metrics_only() -> None:
    there = possible_series()
    expressions = [*dashboard_expressions(DASHBOARD)]
    expressions += [rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]

    asked_for = [one for expression in expressions for one in series_in(expression)]

    assert len(asked_for) > 40
    assert [(name, labels) for name, labels in asked_for if name not in there or not labels <= there[name]] == []


def test_the_dashboard_has_a_place_for_each_panel() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_metric_is_on_the_dashboard_or_in_a_rule_or_in_the_list_of_others() -> None:
    shown = json.dumps(DASHBOARD) + RULES.read_text()
    rest = {"bloop_ring_capacity_bytes", "bloop_ring_producers", "bloop_spilled_records_total",
            "bloop_process_last_seen_timestamp_seconds", "bloop_backup_last_success_timestamp_seconds",
            "bloop_backup_last_drill_timestamp_seconds"}  # fmt: skip

    assert {name for name in possible_series() if re.sub("_(sum|count|bucket)$", "", name) not in shown} == rest


def test_the_manual_names_every_metric_and_every_alert() -> None:
    families = {family.name + ("_total" if family.type == "counter" else "") for family in Families(FULL).collect()}

    assert [name for name in sorted(families) if f"`{name}`" not in OPERATIONS] == []
    assert [name for name in alerts() if f"`{name}`" not in OPERATIONS] == []
    assert set(re.findall(r"`(bloop_[a-z_]+)`", OPERATIONS)) <= families
    assert max(METERS.answers.values()) < LANE_METERS
