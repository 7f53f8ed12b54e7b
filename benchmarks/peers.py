"""Compares bloop with plain alternatives in the same run on the same machine: ratios depend less on the machine."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bench import Bench
from benchmarks.profile_ingest import PROJECT_KEY
from benchmarks.profile_writer import encoded_records, run_bare, run_store
from benchmarks.trees import ROOT
from bloop.bench.instance import free_port
from bloop.bench.load import run_load
from bloop.bench.rendering import Target
from bloop.bench.schedule import Load

LISTENS_WITHIN_S = 15.0
REQUESTS_PER_S_MAX = 45_000
STORE_BATCH = 2000


def run(bench: Bench) -> None:
    """Compare the HTTP server with Gunicorn's threads, and the store with bare inserts."""
    _servers(bench)
    _inserts(bench)


def _servers(bench: Bench) -> None:
    rates: dict[tuple[str, str, int], float] = {}
    for server, app, workers in (
        ("bloop", "ingest", 1),
        ("bloop", "ingest", 2),
        ("gthread", "ingest", 1),
        ("gthread", "ingest", 2),
        ("bloop", "hello", 2),
    ):
        bench.say(f"{app} app on {server}, {workers} workers")
        rates[server, app, workers] = rate = _requests_per_s(bench, server, app, workers)
        bench.report.add(
            f"peer.{app}_{server}_{workers}w",
            rate,
            "requests/s",
            "closed loop, 16 connections; no ring, no writer",
        )
    for workers in (1, 2):
        ratio = rates["bloop", "ingest", workers] / rates["gthread", "ingest", workers]
        bench.report.add(
            f"peer.ingest_vs_gthread_{workers}w", ratio, "times as fast", "same app, same requests, same run"
        )
    share = rates["bloop", "ingest", 2] / rates["bloop", "hello", 2]
    bench.report.add("peer.ingest_vs_hello", share, "of a Falcon hello", "what signature, JSON and fingerprint leave")


def _requests_per_s(bench: Bench, server: str, app: str, workers: int) -> float:
    port = free_port()
    target = Target(port=port, secret=PROJECT_KEY, project_key=PROJECT_KEY)
    seconds = bench.scale.peer_s
    with _serving(server, app, workers, port):
        run_load(Load(target, "warm", requests=2000, duration_s=0.5))
        load = Load(target, "peer", requests=int(REQUESTS_PER_S_MAX * seconds), duration_s=seconds)
        result = run_load(load)
    assert result.accepted == result.requests, (server, app, result.refused)
    return result.requests_per_s


@contextmanager
def _serving(server: str, app: str, workers: int, port: int) -> Iterator[None]:
    flags = ["--server", server, "--app", app, "--workers", str(workers), "--port", str(port)]
    command = [sys.executable, "-m", "benchmarks.peer_server", *flags]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + LISTENS_WITHIN_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server} did not start")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _inserts(bench: Bench) -> None:
    bench.say("bare inserts and the store")
    records = encoded_records(bench.scale.bare_events)
    bare, full = run_bare(records, STORE_BATCH), run_store(records, STORE_BATCH, by_step=False)
    bench.report.add(
        "peer.bare_inserts",
        bare.per_s,
        "events/s",
        f"SQLite: one prepared INSERT, no keys, batches of {STORE_BATCH}; {bare.us(bare.cpu_s):.1f} µs cpu",
    )
    bench.report.add(
        "peer.store",
        full.per_s,
        "events/s",
        f"decoding, issues, users, aggregates, hours, ledger, fsync; {full.us(full.cpu_s):.1f} µs cpu, one core",
        wal_bytes_per_event=full.wal_bytes / full.events,
    )
    bench.report.add("peer.store_vs_bare", full.per_s / bare.per_s, "of bare inserts", "same rows, pragmas, batches")
