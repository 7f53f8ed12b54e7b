"""The benchmark's view of a running bloop: right parts, right counts, nothing left behind. No test checks a figure."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import burst, soak
from benchmarks.bench import Bench, Scale, target
from benchmarks.report import Report
from bloop.bench.instance import BenchInstance, InstanceError, free_port
from bloop.bench.measure import CountError, measure
from bloop.bench.schedule import Load
from tests.waiting import until


def test_a_load_on_a_temporary_instance_is_counted_to_the_last_event_and_charged_to_the_right_parts(
    tmp_path: Path,
) -> None:
    with BenchInstance(tmp_path) as instance:
        parts = {
            "supervisor": 1,
            "writer": 1,
            "ingest": 1,
            "ingest worker": instance.settings.ingest_workers,
            "dashboard": 1,
            "dashboard worker": 1,
            "retention": 1,
            "alerts": 1,
        }
        # It is ready once one of its ingest workers answers.
        until(lambda: Counter(instance.processes().values()) == parts, "every part of it")
        singles = measure(instance, Load(target(instance), "one", requests=200, rate=2000, connections=4))
        batches = measure(instance, Load(target(instance), "many", requests=10, batch=50, rate=100, connections=4))
        memory = instance.memory()

    assert (singles.result.accepted, batches.result.accepted) == (200, 500)
    assert singles.clean
    assert batches.clean
    assert set(singles.cpu_s) == set(parts)
    assert {part for _, part in memory} == set(parts)
    assert all(process.pss > 0 for process in memory.values())


def test_a_burst_is_offered_at_twice_the_measured_speed_and_accounted_for(tmp_path: Path) -> None:
    report = Report()

    burst.run(Bench(report, Scale(probe_s=0.4, burst_s=0.4), tmp_path, lambda text: None))

    figures = {figure.name: figure for figure in report.figures}
    ledger, offered = figures["burst.offered_per_s"].detail["ledger"], figures["burst.offered_per_s"].detail
    assert offered["accepted"] > 0
    assert offered["dropped"] == ledger.get("ring_full", 0) == 0
    assert ledger["received"] == ledger["stored"]
    assert figures["burst.drained_in"].value >= 0


def test_a_missing_event_ends_the_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bloop.bench.measure.stored_of_run", lambda db, run, after_id: (19, 19))

    with BenchInstance(tmp_path) as instance, pytest.raises(CountError, match="20 accepted, 19 rows"):
        measure(instance, Load(target(instance), "one", requests=20, rate=1000, connections=2))


def test_an_instance_that_cannot_start_reports_the_reason(tmp_path: Path) -> None:
    port = free_port()
    with BenchInstance(tmp_path, BLOOP__SERVER__PORT=str(port)):
        (tmp_path / "second").mkdir()
        with pytest.raises(InstanceError, match=f"cannot listen on 127.0.0.1 port {port}"):
            BenchInstance(tmp_path / "second", BLOOP__SERVER__PORT=str(port)).__enter__()


def test_a_soak_runs_with_reads_deletions_and_alerts(tmp_path: Path) -> None:
    report = Report()
    scale = Scale(soak_s=6.0, soak_rate=300.0, dataset_events=3000)

    soak.run(Bench(report, scale, tmp_path, lambda text: None))

    figures = {figure.name: figure.value for figure in report.figures}
    assert figures["soak.accepted"] == 1800
    assert figures["soak.deleted"] > 0
    assert figures["soak.alerts"] > 0
    assert figures["soak.read_p99"] > 0
