"""The ring alone: one process pushes records, another reads and releases them."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import closing
from multiprocessing.connection import Connection

from benchmarks.bench import Bench
from bloop.ring import Consumer, Producer, Segment

LANE_BYTES = 8 * 1024 * 1024
READ_RECORDS = 4000
READ_BYTES = 8 * 1024 * 1024
PAYLOAD_BYTES = (100, 1300)  # a small record, and the usual error event


def run(bench: Bench) -> None:
    """Measure it with small and with usual records."""
    for payload_bytes in PAYLOAD_BYTES:
        bench.say(f"ring, {payload_bytes} bytes a record")
        per_s = records_per_s(payload_bytes, bench.scale.ring_s)
        bench.report.add(
            f"ring.records_per_s_{payload_bytes}b",
            per_s,
            "records/s",
            "Python code around one checksum and one copy on each side; a core each",
            mb_per_s=per_s * payload_bytes / 1e6,
        )


def records_per_s(payload_bytes: int, seconds: float) -> float:
    """Records through one lane, until `seconds` are over and it is empty."""
    name = f"bloop-bench-{time.monotonic_ns()}"
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with closing(Segment.create(name, lane_count=1, lane_bytes=LANE_BYTES)) as segment:
        child = context.Process(target=_push, args=(theirs, name, payload_bytes, seconds), daemon=True)
        try:
            with closing(Consumer.claim(segment)) as consumer:
                child.start()
                ours.recv()  # ready
                count = _drain(consumer, ours)
                started: float
                started, pushed = ours.recv()
                ended = time.monotonic()
                while count < pushed:
                    count += _drain_once(consumer)
                    ended = time.monotonic()
        finally:
            child.join(10)
            if child.is_alive():
                child.kill()
                child.join()
            child.close()
            ours.close()
            theirs.close()
            Segment.unlink(name)
    assert count == pushed, (count, pushed)
    return count / (ended - started)


def _drain(consumer: Consumer, pipe: Connection) -> int:
    """Drain until the producer reports that it is done."""
    count = 0
    while not pipe.poll():
        count += _drain_once(consumer)
    return count


def _drain_once(consumer: Consumer) -> int:
    batch = consumer.read(READ_RECORDS, READ_BYTES)
    consumer.release(batch)
    return len(batch.records)


def _push(pipe: Connection, name: str, payload_bytes: int, seconds: float) -> None:
    payloads = [bytes([n]) * payload_bytes for n in range(256)]
    pushed = 0
    with closing(Segment.attach(name)) as segment, closing(Producer.claim(segment)) as producer:
        pipe.send("ready")
        started = time.monotonic()
        until = started + seconds
        while time.monotonic() < until:
            for payload in payloads:
                while not producer.push(1, payload):
                    pass
            pushed += len(payloads)
        pipe.send((started, pushed))
