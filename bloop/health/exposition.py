"""Turns a scrape's data into metrics. Pure: reads nothing itself.

METRICS-1  Names and labels are an interface: users' dashboards and rules depend on them. docs/operations.md lists them.
METRICS-2  The number of series is bounded by the routes, outcomes and reasons and by PROJECTS_MAX: no label comes from
           a client.
METRICS-3  Values that could not be read are left out. A missing number can raise an alert, an invented one cannot.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

import bloop
from bloop.base import meters
from bloop.base.meters import Answer, HistogramReading
from bloop.base.outcomes import NO_PROJECT, Outcome
from bloop.base.reasons import Reason
from bloop.health.read import DatabaseMetrics, LedgerTotal
from bloop.ingest.registry import METERS
from bloop.ring.segment import Meters, RingStat

PROJECTS_MAX = 50  # the oldest have labels of their own; the others are added up
OTHER, NO_PROJECT_LABEL = "(other)", "(none)"

INGEST, DASHBOARD = "ingest", "dashboard"


class ScrapeData(NamedTuple):
    """Everything a scrape reads; None where it was unavailable."""

    now_ms: int
    read: DatabaseMetrics | None
    ring: RingStat | None
    meters: Meters | None
    oldest_ms: int | None  # when the oldest waiting record was received; None: nothing waits
    disk_free_bytes: int | None
    database_bytes: int | None
    wal_bytes: int | None
    reasons: Sequence[Reason]
    answers: Mapping[Answer, int]  # of the dashboard
    took: Mapping[str, HistogramReading]
    streams: int


class Families:
    """The collector for `prometheus_client`."""

    def __init__(self, data: ScrapeData) -> None:
        self._data = data

    def collect(self) -> Iterable[Metric]:
        for part in PARTS:
            yield from part(self._data)


def _build(data: ScrapeData) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "bloop_build_info", "Always 1; the labels hold the versions.", labels=["version", "python"]
    )
    info.add_metric([bloop.__version__, platform.python_version()], 1)
    yield info


def _health(data: ScrapeData) -> Iterator[Metric]:
    trouble = GaugeMetricFamily("bloop_trouble", "1 while /health reports this reason.", labels=["reason"])
    for reason in Reason:
        trouble.add_metric([reason], float(reason in data.reasons))
    yield trouble


def _events(data: ScrapeData) -> Iterator[Metric]:
    if data.read is None:
        return
    doc = "Records by outcome, as in the ledger: received is the sum of the others and of those waiting."
    events = CounterMetricFamily("bloop_events", doc, labels=["outcome", "project"])
    counts = {(total.project_id, total.outcome): total.record_count for total in data.read.totals}
    names = {total.project_id: _project(total) for total in data.read.totals}
    for project_id, name in names.items():
        for outcome in Outcome:  # zeros too: a series that starts with its first loss shows no increase
            events.add_metric([outcome.label, name], counts.get((project_id, outcome), 0))
    yield events


def _project(total: LedgerTotal) -> str:
    if total.slug is None:
        return OTHER
    return NO_PROJECT_LABEL if total.project_id == NO_PROJECT else total.slug


def _ring(data: ScrapeData) -> Iterator[Metric]:
    ring = data.ring
    if ring is None:
        return
    yield _gauge("bloop_ring_fill_ratio", "Fill level of the buffer; 1 while records wait on disk.", ring.fill)
    yield _gauge("bloop_ring_records", "Records waiting to be stored, in memory and on disk.", ring.pending_records)
    yield _gauge("bloop_ring_capacity_bytes", "Capacity for records in shared memory.", ring.capacity_bytes)
    age_s = 0.0 if data.oldest_ms is None else max(0, data.now_ms - data.oldest_ms) / 1000
    yield _gauge("bloop_ring_oldest_seconds", "Age of the oldest waiting record; 0 for none.", age_s)
    yield _gauge("bloop_spill_records", "Records waiting on disk.", ring.spill_records)
    yield _gauge("bloop_spill_bytes", "Bytes of records waiting on disk.", ring.spill_bytes)
    spilled = sum(lane.spilled for lane in ring.lanes)
    yield _counter("bloop_spilled_records", "Records spilled to disk since the buffer was created.", spilled)
    lanes = sum(lane.claimed for lane in ring.lanes)
    yield _gauge("bloop_ring_producers", "Processes that accept records: ingest workers and the dashboard.", lanes)


def _writer(data: ScrapeData) -> Iterator[Metric]:
    if data.meters is None:
        return
    flush = HistogramMetricFamily("bloop_flush_duration_seconds", "Time the writer took to commit a batch.")
    flush.add_metric([], *_buckets(meters.FLUSH.read(data.meters.consumer)))
    yield flush
    doc = "Time from an event's receipt until it is visible."
    visible = HistogramMetricFamily("bloop_accept_to_visible_seconds", doc)
    visible.add_metric([], *_buckets(meters.VISIBLE.read(data.meters.consumer)))
    yield visible


def _http(data: ScrapeData) -> Iterator[Metric]:
    labels = ["server", "method", "route", "code"]
    requests = CounterMetricFamily("bloop_http_requests", "Requests answered, by route as documented.", labels=labels)
    doc = "Time from the complete request to the complete answer, without waiting for the client."
    took = HistogramMetricFamily("bloop_http_request_duration_seconds", doc, labels=["server", "route"])
    lanes = meters.add_up(data.meters.lanes) if data.meters is not None else []
    if lanes:
        for answer, count in METERS.read(lanes).items():
            if count or answer.code == "200":
                requests.add_metric([INGEST, *answer], count)
        for route, timing in METERS.took.items():
            took.add_metric([INGEST, route], *_buckets(timing.read(lanes)))
    for answer, count in data.answers.items():
        requests.add_metric([DASHBOARD, *answer], count)
    for route, reading in data.took.items():
        took.add_metric([DASHBOARD, route], *_buckets(reading))
    yield requests
    yield took
    yield _gauge("bloop_sse_clients", "Clients connected to the live stream.", data.streams)


def _storage(data: ScrapeData) -> Iterator[Metric]:
    for name, doc, value in (
        ("bloop_database_bytes", "Size of the database file.", data.database_bytes),
        ("bloop_wal_bytes", "Size of its write-ahead log.", data.wal_bytes),
        ("bloop_disk_free_bytes", "Free space on the file system of the database.", data.disk_free_bytes),
    ):
        if value is not None:
            yield _gauge(name, doc, value)


def _alerts(data: ScrapeData) -> Iterator[Metric]:
    if data.read is None:
        return
    doc = "Alert messages that are waiting, or failed and were neither retried nor dismissed."
    deliveries = GaugeMetricFamily("bloop_alert_deliveries", doc, labels=["state"])
    for state, count in data.read.deliveries.items():
        deliveries.add_metric([state], count)
    yield deliveries
    yield _counter("bloop_alert_messages", "Alert messages ever created, one per channel.", data.read.deliveries_made)


def _backup(data: ScrapeData) -> Iterator[Metric]:
    if data.read is None:
        return
    backup = data.read.backup
    if backup.good_at_ms is not None:
        age_s = max(0, data.now_ms - backup.good_at_ms) / 1000
        yield _gauge("bloop_backup_age_seconds", "Age of the newest successful backup.", age_s)
        doc = "Start of the newest successful backup."
        yield _gauge("bloop_backup_last_success_timestamp_seconds", doc, backup.good_at_ms / 1000)
    if backup.proven_at_ms is not None:
        doc = "Time of the last successful test restore."
        yield _gauge("bloop_backup_last_drill_timestamp_seconds", doc, backup.proven_at_ms / 1000)
    yield _gauge("bloop_backup_failing", "1 when the newest finished backup failed.", float(backup.is_failing))


def _processes(data: ScrapeData) -> Iterator[Metric]:
    last = {DASHBOARD: data.now_ms}
    if data.ring is not None and data.ring.heartbeat_ms:
        last["writer"] = data.ring.heartbeat_ms
    up = {DASHBOARD: True}
    if data.read is not None:
        last |= {state.name: state.seen_at_ms for state in data.read.processes}
        up |= {state.name: state.is_alive for state in data.read.processes}
    silent = (Reason.RING_MISSING, Reason.WRITER_STALE)
    up["writer"] = not any(reason in silent for reason in data.reasons)
    alive = GaugeMetricFamily("bloop_process_up", "1 while the process reports that it runs.", labels=["process"])
    doc = "Time of the process's last report."
    heard = GaugeMetricFamily("bloop_process_last_seen_timestamp_seconds", doc, labels=["process"])
    for name in sorted(up):
        alive.add_metric([name], float(up[name]))
        if name in last:
            heard.add_metric([name], last[name] / 1000)
    yield alive
    yield heard


PARTS: tuple[Callable[[ScrapeData], Iterator[Metric]], ...] = (
    _build, _health, _processes, _events, _ring, _writer, _http, _storage, _alerts, _backup,
)  # fmt: skip


def _gauge(name: str, doc: str, value: float) -> Metric:
    return GaugeMetricFamily(name, doc, value=value)


def _counter(name: str, doc: str, value: float) -> Metric:
    return CounterMetricFamily(name, doc, value=value)


def _buckets(reading: HistogramReading) -> tuple[list[tuple[str, float]], float]:
    """Cumulative buckets, as the format requires, and the sum."""
    bounds = [*(f"{bound:g}" for bound in reading.bounds_s), "+Inf"]
    cumulative, buckets = 0, []
    for bound, count in zip(bounds, reading.counts, strict=True):
        cumulative += count
        buckets.append((bound, float(cumulative)))
    return buckets, reading.sum_s
