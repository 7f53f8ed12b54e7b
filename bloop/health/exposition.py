"""What /metrics says, from what was looked at. Pure: nothing is opened or asked here.

X1  Names and labels are an interface: dashboards and rules of other people go by them. docs/operations.md has each.
X2  The number of series is bounded by the routes, outcomes and reasons there are and by PROJECTS_MAX: nothing a client
    sends becomes a label.
X3  What could not be looked at is left out. A number that is missing can be alerted on, one that is made up cannot.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

import bloop
from bloop.base import meters
from bloop.base.meters import Answer, Measured
from bloop.base.outcomes import NO_PROJECT, Outcome
from bloop.base.reasons import Reason
from bloop.health.read import Read, Total
from bloop.ingest.registry import METERS
from bloop.ring.segment import Meters, RingStat

PROJECTS_MAX = 50  # with a label of their own, the oldest; what the others have is added up
REST, NOBODY = "(other)", "(none)"

INGEST, DASHBOARD = "ingest", "dashboard"


class Seen(NamedTuple):
    """Everything a scrape looks at; None where it was not to be had."""

    now_ms: int
    read: Read | None
    ring: RingStat | None
    meters: Meters | None
    oldest_ms: int | None  # when the oldest waiting record was received; None: nothing waits
    disk_free_bytes: int | None
    database_bytes: int | None
    wal_bytes: int | None
    reasons: Sequence[Reason]
    answers: Mapping[Answer, int]  # of the dashboard
    took: Mapping[str, Measured]
    streams: int


class Families:
    """What `prometheus_client` prints."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def collect(self) -> Iterable[Metric]:
        for part in PARTS:
            yield from part(self._seen)


def _build(seen: Seen) -> Iterator[Metric]:
    info = GaugeMetricFamily("bloop_build_info", "Always 1; the labels say what runs.", labels=["version", "python"])
    info.add_metric([bloop.__version__, platform.python_version()], 1)
    yield info


def _health(seen: Seen) -> Iterator[Metric]:
    trouble = GaugeMetricFamily("bloop_trouble", "1 while /health names this reason.", labels=["reason"])
    for reason in Reason:
        trouble.add_metric([reason], float(reason in seen.reasons))
    yield trouble


def _events(seen: Seen) -> Iterator[Metric]:
    if seen.read is None:
        return
    doc = "Records by what became of them, as the ledger has it: received is the sum of the others and of what waits."
    events = CounterMetricFamily("bloop_events", doc, labels=["outcome", "project"])
    counts = {(total.project_id, total.outcome): total.record_count for total in seen.read.totals}
    names = {total.project_id: _project(total) for total in seen.read.totals}
    for project_id, name in names.items():
        for outcome in Outcome:  # zeros too: of a series that begins with its first loss nobody sees an increase
            events.add_metric([outcome.label, name], counts.get((project_id, outcome), 0))
    yield events


def _project(total: Total) -> str:
    if total.slug is None:
        return REST
    return NOBODY if total.project_id == NO_PROJECT else total.slug


def _ring(seen: Seen) -> Iterator[Metric]:
    ring = seen.ring
    if ring is None:
        return
    yield _gauge("bloop_ring_fill_ratio", "How full the buffer is; 1 while records wait on the disk.", ring.fill)
    yield _gauge("bloop_ring_records", "Records that wait to be stored, on the disk too.", ring.pending_records)
    yield _gauge("bloop_ring_capacity_bytes", "Room for records in shared memory.", ring.capacity_bytes)
    age_s = 0.0 if seen.oldest_ms is None else max(0, seen.now_ms - seen.oldest_ms) / 1000
    yield _gauge("bloop_ring_oldest_seconds", "How long the oldest record has been waiting; 0 for none.", age_s)
    yield _gauge("bloop_spill_records", "Records that wait on the disk.", ring.spill_records)
    yield _gauge("bloop_spill_bytes", "Bytes of records that wait on the disk.", ring.spill_bytes)
    spilled = sum(lane.spilled for lane in ring.lanes)
    yield _counter("bloop_spilled_records", "Records that went to the disk since the buffer was made.", spilled)
    lanes = sum(lane.claimed for lane in ring.lanes)
    yield _gauge("bloop_ring_producers", "Processes that take records in: ingest workers and the dashboard.", lanes)


def _writer(seen: Seen) -> Iterator[Metric]:
    if seen.meters is None:
        return
    flush = HistogramMetricFamily("bloop_flush_duration_seconds", "How long the writer took to commit a batch.")
    flush.add_metric([], *_buckets(meters.FLUSH.read(seen.meters.consumer)))
    yield flush
    doc = "From an event's receipt to the moment it can be seen."
    visible = HistogramMetricFamily("bloop_accept_to_visible_seconds", doc)
    visible.add_metric([], *_buckets(meters.VISIBLE.read(seen.meters.consumer)))
    yield visible


def _http(seen: Seen) -> Iterator[Metric]:
    labels = ["server", "method", "route", "code"]
    requests = CounterMetricFamily("bloop_http_requests", "Requests answered, by route as documented.", labels=labels)
    doc = "From a whole request to its whole answer, without waiting for the client."
    took = HistogramMetricFamily("bloop_http_request_duration_seconds", doc, labels=["server", "route"])
    lanes = meters.add_up(seen.meters.lanes) if seen.meters is not None else []
    if lanes:
        for answer, count in METERS.read(lanes).items():
            if count or answer.code == "200":
                requests.add_metric([INGEST, *answer], count)
        for route, timing in METERS.took.items():
            took.add_metric([INGEST, route], *_buckets(timing.read(lanes)))
    for answer, count in seen.answers.items():
        requests.add_metric([DASHBOARD, *answer], count)
    for route, measured in seen.took.items():
        took.add_metric([DASHBOARD, route], *_buckets(measured))
    yield requests
    yield took
    yield _gauge("bloop_sse_clients", "Clients that listen to the live stream.", seen.streams)


def _storage(seen: Seen) -> Iterator[Metric]:
    for name, doc, value in (
        ("bloop_database_bytes", "Size of the database file.", seen.database_bytes),
        ("bloop_wal_bytes", "Size of its write-ahead log.", seen.wal_bytes),
        ("bloop_disk_free_bytes", "Free on the file system of the database.", seen.disk_free_bytes),
    ):
        if value is not None:
            yield _gauge(name, doc, value)


def _alerts(seen: Seen) -> Iterator[Metric]:
    if seen.read is None:
        return
    doc = "Alert messages that wait to be sent, or that nobody has seen to since they failed."
    deliveries = GaugeMetricFamily("bloop_alert_deliveries", doc, labels=["state"])
    for state, count in seen.read.deliveries.items():
        deliveries.add_metric([state], count)
    yield deliveries
    yield _counter("bloop_alert_messages", "Alert messages ever made, one per channel.", seen.read.deliveries_made)


def _backup(seen: Seen) -> Iterator[Metric]:
    if seen.read is None:
        return
    backup = seen.read.backup
    if backup.good_at_ms is not None:
        age_s = max(0, seen.now_ms - backup.good_at_ms) / 1000
        yield _gauge("bloop_backup_age_seconds", "Age of the newest backup that worked.", age_s)
        doc = "When the newest backup that worked was begun."
        yield _gauge("bloop_backup_last_success_timestamp_seconds", doc, backup.good_at_ms / 1000)
    if backup.proven_at_ms is not None:
        doc = "When a backup was last restored on trial."
        yield _gauge("bloop_backup_last_drill_timestamp_seconds", doc, backup.proven_at_ms / 1000)
    yield _gauge("bloop_backup_failing", "1 when the newest attempt that ended failed.", float(backup.is_failing))


def _processes(seen: Seen) -> Iterator[Metric]:
    last = {DASHBOARD: seen.now_ms}
    if seen.ring is not None and seen.ring.heartbeat_ms:
        last["writer"] = seen.ring.heartbeat_ms
    up = {DASHBOARD: True}
    if seen.read is not None:
        last |= {state.name: state.seen_at_ms for state in seen.read.processes}
        up |= {state.name: state.is_alive for state in seen.read.processes}
    silent = (Reason.RING_MISSING, Reason.WRITER_STALE)
    up["writer"] = not any(reason in silent for reason in seen.reasons)
    alive = GaugeMetricFamily("bloop_process_up", "1 while the process says that it lives.", labels=["process"])
    doc = "When the process last said that it lives."
    heard = GaugeMetricFamily("bloop_process_last_seen_timestamp_seconds", doc, labels=["process"])
    for name in sorted(up):
        alive.add_metric([name], float(up[name]))
        if name in last:
            heard.add_metric([name], last[name] / 1000)
    yield alive
    yield heard


PARTS: tuple[Callable[[Seen], Iterator[Metric]], ...] = (
    _build, _health, _processes, _events, _ring, _writer, _http, _storage, _alerts, _backup,
)  # fmt: skip


def _gauge(name: str, doc: str, value: float) -> Metric:
    return GaugeMetricFamily(name, doc, value=value)


def _counter(name: str, doc: str, value: float) -> Metric:
    return CounterMetricFamily(name, doc, value=value)


def _buckets(measured: Measured) -> tuple[list[tuple[str, float]], float]:
    """Added up from below, as the format has it, and the sum."""
    bounds = [*(f"{bound:g}" for bound in measured.bounds_s), "+Inf"]
    so_far, found = 0, []
    for bound, count in zip(bounds, measured.counts, strict=True):
        so_far += count
        found.append((bound, float(so_far)))
    return found, measured.sum_s
