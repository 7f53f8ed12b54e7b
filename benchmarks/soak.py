"""Holds half of the machine's highest rate for half an hour, while bloop does its other work too.

Two clients read the API, two weeks of old events are deleted a day at a time, and alerts go to a receiver. Memory may
not grow with events: after the warm-up a line is fitted through the sum of all processes' PSS over events stored.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from statistics import linear_regression, mean

from benchmarks import dataset
from benchmarks.bench import Bench
from bloop.alerts.rules.store import RuleFields, create_rule
from bloop.base.clock import DAY_MS, now_ms
from bloop.bench.background import BackgroundLoad
from bloop.bench.instance import BenchInstance
from bloop.bench.measure import CountError
from bloop.bench.places import TemporaryPlace
from bloop.bench.profiles import Options, Profile
from bloop.bench.results import Findings, Second
from bloop.bench.rows import reading
from bloop.bench.session import Session
from bloop.db import connection
from bloop.retention import store as storage

SHARE = 0.5  # of the highest held rate
READERS = 2
OLD_DAYS = 14
EVENTS_PER_ISSUE = 100
WARM_UP_SHARE = 0.2  # of the time: caches fill, the heap reaches its size
RAMP_START = 4000.0
RAMP_STEP_S = 10.0
GROWTH_PER = 100_000  # events
_THRESHOLD = RuleFields("much of one", "threshold", {"threshold": 200, "window_secs": 60}, cooldown_secs=300)

_DELETED = "SELECT coalesce(sum(raw_events_deleted), 0) FROM retention_runs"
_DELIVERIES = "SELECT count(*), count(*) FILTER (WHERE state = 'failed') FROM deliveries"
_FIRED = "SELECT count(*) FROM alert_firings"


def run(bench: Bench) -> None:
    """Measure memory growth, latencies and alerts over a long time."""
    rate = bench.scale.soak_rate or SHARE * _find_limit(bench)
    folder = bench.folder / "soak"
    folder.mkdir()
    bench.say(f"building {bench.scale.dataset_events:,} events of {OLD_DAYS} days")
    events = bench.scale.dataset_events
    dataset.build(folder / "bloop.db", events, events // EVENTS_PER_ISSUE, span_ms=OLD_DAYS * DAY_MS)
    with closing(connection.open_control(folder / "bloop.db")) as db, connection.immediate(db):
        storage.save_policy(db, raw_events_days=OLD_DAYS)
        create_rule(db, _THRESHOLD, project_id=None, created_by=None, now_ms=now_ms())
    seconds = bench.scale.soak_s
    with _receiver() as url:
        alerting = {"BLOOP__ALERTING__WEBHOOK_URL": url, "BLOOP__ALERTING__ALLOW_PRIVATE": "true"}
        with BenchInstance(folder, **alerting) as instance:
            options = Options(Profile.SOAK, rate, seconds, readers=READERS)
            session = Session(TemporaryPlace(instance), options, lambda what, s: bench.say(f"{what} for {s:.0f} s"))
            with ShorterRetention(instance.database, seconds):
                findings = session.run()
            _report(bench, findings, instance.database)


class ShorterRetention(BackgroundLoad):
    """Shortens the retention day by day, so that there is always something to delete."""

    def __init__(self, database: Path, seconds: float) -> None:
        super().__init__()
        self._database, self._every_s = database, seconds / OLD_DAYS

    def _run(self) -> None:
        days = OLD_DAYS
        while days > 1 and not self._over.wait(self._every_s):
            days -= 1
            with closing(connection.open_control(self._database)) as db, connection.immediate(db):
                storage.save_policy(db, raw_events_days=days)
                storage.ask_for_run(db, asked_by="bench", now_ms=now_ms())


def _find_limit(bench: Bench) -> float:
    """The highest rate of single events that is held without the spill."""
    folder = bench.folder / "ramp"
    folder.mkdir()
    with BenchInstance(folder, BLOOP__INGEST__SPILL_BYTES_MAX="0") as instance:
        options = Options(Profile.RAMP, RAMP_START, min(RAMP_STEP_S, bench.scale.probe_s))
        findings = Session(
            TemporaryPlace(instance), options, lambda what, s: bench.say(f"ramp: {what} for {s:.0f} s")
        ).run()
    assert findings.limit_per_s, "no rate was held; is the machine busy?"
    bench.report.add("soak.limit_per_s", findings.limit_per_s, "events/s", "single events, held without the spill")
    return findings.limit_per_s


@contextmanager
def _receiver() -> Iterator[str]:
    """The URL of a receiver that accepts every alert."""

    class AcceptAll(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()

        def log_request(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), AcceptAll) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def growth_mib(seconds: Sequence[Second]) -> float:
    """MiB of PSS per GROWTH_PER events stored, of a line through all seconds."""
    stored, pss, total = [], [], 0
    for second in seconds:
        total += second.stored or 0
        if second.pss_mib is not None:
            stored.append(float(total))
            pss.append(second.pss_mib)
    return linear_regression(stored, pss).slope * GROWTH_PER


def _report(bench: Bench, findings: Findings, database: Path) -> None:
    accounts, step = findings.accounts, findings.steps[0]
    assert accounts is not None
    if accounts.breaches:
        raise CountError("; ".join(accounts.breaches))
    steady = findings.timeline[int(len(findings.timeline) * WARM_UP_SHARE) :]
    memory = [second.pss_mib for second in steady if second.pss_mib is not None]
    tenth = max(1, len(memory) // 10)
    growth = growth_mib(steady)
    add = bench.report.add
    add(
        "soak.accepted",
        accounts.accepted,
        "events",
        f"at {step.rate:,.0f}/s for {step.seconds / 60:.0f} min; stored once each, {accounts.dropped} dropped, "
        "the ledger balances",
        ledger=accounts.ledger,
        cpu_s=step.cpu_s,
    )
    add("soak.answer_p99", step.latency["p99"], "ms", "open loop, of the whole time", **step.latency)
    assert step.visible is not None
    add("soak.visible_p99", step.visible["p99"], "ms after the answer", "of the whole time", **step.visible)
    first, last = mean(memory[:tenth]), mean(memory[-tenth:])
    parts = ", ".join(f"{part} {size:.0f}" for part, size in findings.memory_mib.items())
    add("soak.pss_max", sum(findings.memory_mib.values()), "MiB, all processes", parts)
    add(
        "soak.growth",
        growth,
        f"MiB per {GROWTH_PER:,} events",
        f"after the first {WARM_UP_SHARE:.0%} of the time; {first:.0f} MiB then, {last:.0f} MiB at the end",
    )
    if findings.reads:
        took = findings.reads.latency["p99"]
        failed = f"{findings.reads.failed} failed {findings.reads.reasons or ''}".rstrip()
        add("soak.read_p99", took, "ms", f"{findings.reads.count:,} reads of the API, {failed}")
    with reading(database) as db:
        (deleted,), (messages, failed), (fired,) = (_row(db.execute(sql)) for sql in (_DELETED, _DELIVERIES, _FIRED))
    add("soak.deleted", deleted, "events", "by retention during the load, a day at a time")
    add("soak.alerts", fired, "firings", f"in {messages} messages, {failed} failed")


def _row(cursor: Iterator[Sequence[int]]) -> Sequence[int]:
    return next(cursor)
