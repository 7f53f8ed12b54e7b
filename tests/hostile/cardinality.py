"""`python -m tests.hostile.cardinality --seconds 60`: a public key sends names that never repeat, to a bloop with its
default limits; then pages are timed, everything is deleted by one command, and the database's size is told.

The test beside it does the same for ten seconds with small limits.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

from tests.acceptance.harness import BloopServer, event, signed
from tests.hostile.latency import Request, measure
from tests.hostile.ordinary import ordinary_requests
from tests.waiting import until

SECONDS = 10.0
NAMES = 30_000
BATCH = 50
THREADS = 2
MIB = 1024 * 1024
PAGES = 200  # whose answers are timed


class Attacker(threading.Thread):
    """Sends batches for `seconds` over one connection; `answers` counts events by what was said of them."""

    def __init__(self, server: BloopServer, seed: int, seconds: float, names: int) -> None:
        super().__init__(daemon=True)
        self._server, self._random = server, random.Random(seed)
        self._seconds, self._names = seconds, names
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        until_s = time.monotonic() + self._seconds
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)) as client:
            while time.monotonic() < until_s:
                body = json.dumps({"events": [self._event() for _ in range(BATCH)]}).encode()
                client.request("POST", "/v1/ingest/batch", body, signed(body, self._server.secret))
                answer = json.loads(client.getresponse().read())
                self.answers["accepted"] += answer["accepted"]
                self.answers["sent"] += BATCH

    def _event(self) -> dict[str, Any]:
        def name(start: str) -> str:
            return f"{start}{self._random.randrange(self._names)}"

        return event(
            name("request-"),
            fingerprint=name("fingerprint-"),
            release=name("release-"),
            route_or_procedure=name("/route/"),
            environment=name("environment-"),
            source=name("s"),
            user_id_hash=name("user-"),
            message=f"{self._random.getrandbits(800):0200x}",
            stack="\n".join(f"    at f{self._random.getrandbits(64)} (app.js:{line}:7)" for line in range(20)),
        )


def attack(server: BloopServer, seconds: float = SECONDS, names: int = NAMES) -> Counter[str]:
    """All of it, and until everything that was taken in is stored and counted."""
    attackers = [Attacker(server, seed, seconds, names) for seed in range(THREADS)]
    for attacker in attackers:
        attacker.start()
    for attacker in attackers:
        attacker.join(seconds + 60)
        assert not attacker.is_alive()
    answers = sum((attacker.answers for attacker in attackers), Counter())
    until(lambda: sum(counts(server, "SELECT event_count FROM issues")) == answers["accepted"], "all counted", 60)
    return answers


def counts(server: BloopServer, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(server.database_path)) as db:
        return [row[0] for row in db.execute(sql)]


def used_bytes(server: BloopServer) -> int:
    """Of the database's pages that are not free."""
    ((used,)) = counts(
        server,
        "SELECT (page_count - freelist_count) * page_size"
        " FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )
    return int(used)


@click.command()
@click.option("--seconds", type=click.IntRange(1, 600), default=60)
@click.option("--names", type=int, default=1_000_000, help="drawn from so many of each kind")
def main(seconds: int, names: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = BloopServer(Path(folder) / "data", quiet=True, BLOOP__INGEST__SPILL_BYTES_MAX="0")
        try:
            server.start()
            empty = used_bytes(server)
            answers = attack(server, seconds, names)
            (records,) = counts(server, "SELECT sum(byte_count) FROM day_bytes")
            (issues,) = counts(server, "SELECT count(*) FROM issues")
            grown = used_bytes(server) - empty
            click.echo(f"{answers['accepted']:,} of {answers['sent']:,} events accepted, {issues:,} issues")
            click.echo(
                f"database: {grown / MIB:.0f} MiB more, of which {records / MIB:.0f} MiB are the events themselves;"
                f" {(grown - records) / answers['accepted']:.0f} B an event beside its record"
            )
            requests = ordinary_requests(server)
            page = requests["a page"]
            measure({"a page": page}, 2)
            times = sorted(_time_ms(page) for _ in range(PAGES))
            click.echo(f"inbox: p50 {times[PAGES // 2]:.1f} ms, p95 {times[PAGES * 95 // 100]:.1f} ms")
            started_s = time.monotonic()
            answer = server.cli("issue", "delete", "--all-matching", "last:1d", "--project", "default", "--yes")
            click.echo(answer.stdout.strip())
            until(lambda: counts(server, "SELECT count(*) FROM events") == [0], "all events are deleted", 600)
            until(lambda: used_bytes(server) < empty + grown // 10, "space is given back", 600)
            click.echo(
                f"after {time.monotonic() - started_s:.0f} s: {(used_bytes(server) - empty) / MIB:.0f} MiB more than"
                " empty"
            )
        finally:
            server.remove_traces()


def _time_ms(request: Request) -> float:
    started_s = time.monotonic()
    assert request() == 200
    return (time.monotonic() - started_s) * 1000


if __name__ == "__main__":
    main()
