"""`python -m tests.hostile.fuzz --requests 150000`: sends to a bloop of its own what nobody should send.

FUZZ-1  No answer is a 5xx but those the description of the API names for requests like these: 501 and 505 for what is
    not HTTP/1.1, and 503.
FUZZ-2  Every connection ends in time, though the sender only ends its own side.
FUZZ-3  No process is replaced, and no log has a traceback.
FUZZ-4  No planted marker is in any log.
FUZZ-5  Afterwards bloop is healthy, stores an event, and the ledger balances.
"""

from __future__ import annotations

import functools
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import click

from bloop.base.outcomes import REFUSALS, Outcome
from bloop.projects.read import project_keys
from tests.acceptance.harness import BloopServer, event
from tests.acceptance.test_openapi import Client
from tests.hostile import wire
from tests.hostile.described import send_described
from tests.hostile.raw import Keys, RawRequest, RawRequests
from tests.waiting import until

DOCUMENTED = frozenset({501, 503, 505})
SENDERS = 8
SHARE_DESCRIBED = 3  # every third request is made from the description
EXAMPLES_MAX = 20  # of findings of one kind that are shown
SHOWN_BYTES_MAX = 400


@dataclass
class Report:
    """What was sent and what came of it. Several threads write to it."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    closed: int = 0  # without an answer
    slowest_s: float = 0.0
    findings: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def book(self, request: str, outcome: wire.Outcome) -> None:
        with self._lock:
            self.sent += 1
            self.statuses.update(outcome.statuses)
            self.closed += not outcome.statuses
            self.slowest_s = max(self.slowest_s, outcome.seconds)
            for status in outcome.statuses:
                if status >= 500 and status not in DOCUMENTED:
                    self._find(f"answered {status}", request)
            if outcome.hung:
                self._find("hung", request)

    def find(self, kind: str, example: str = "") -> None:
        with self._lock:
            self._find(kind, example)

    def _find(self, kind: str, example: str) -> None:
        self.findings[kind] += 1
        if self.findings[kind] <= EXAMPLES_MAX:
            self.examples.append(f"{kind}: {example}")

    def lines(self) -> list[str]:
        statuses = ", ".join(f"{status} {count}" for status, count in sorted(self.statuses.items()))
        return [
            f"{self.sent} requests; {self.closed} closed without an answer; slowest {self.slowest_s:.1f} s",
            f"answers: {statuses}",
            *(f"FOUND {count} × {kind}" for kind, count in self.findings.items()),
            *self.examples,
        ]


def fuzz(server: BloopServer, requests: int, seed: int) -> Report:
    """Send so many requests to a running bloop, and look at what is left of it."""
    report = Report()
    before = {process.pid for process in server.family()}
    client = Client(server)
    try:
        send_described(client, requests // SHARE_DESCRIBED, seed, report.book)
    finally:
        client.close()
    keys = _keys(server, seed)  # after requests that may have rotated some
    send_raw(server, keys, requests - report.sent, seed, report)
    if server.process is None or server.process.poll() is not None:
        report.find("bloop ended")
        return report
    for pid in before - {process.pid for process in server.family()}:
        report.find("process replaced", str(pid))
    _check_logs(server, keys.marker, report)
    _check_health(server, report)
    return report


def send_raw(server: BloopServer, keys: Keys, count: int, seed: int, report: Report) -> None:
    """Through the public port and the dashboard's own socket, from several threads."""
    doors: list[wire.Connect] = [
        functools.partial(socket.create_connection, ("127.0.0.1", server.port), wire.HANG_S),
        functools.partial(_connect_unix, server.settings.dashboard_path),
    ]

    def send(number: int) -> None:
        supply, rng = RawRequests(seed * SENDERS + number, keys), random.Random(seed + number)
        for _ in range(count // SENDERS + (number < count % SENDERS)):
            request = supply.make()
            outcome = wire.exchange(rng.choices(doors, (3, 1))[0], request)
            report.book(_shown(request), outcome)

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(send, range(SENDERS)))


def _connect_unix(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(wire.HANG_S)
    client.connect(str(path))
    return client


def _keys(server: BloopServer, seed: int) -> Keys:
    with server.reader() as db:
        project_key = next(row.api_key for row in project_keys(db))
    return Keys(
        secret=server.secret,
        project_key=project_key,
        token=server.token(scopes="errors:read,errors:write,alerts:read,alerts:write"),
        cookie=server.session(),
        marker=f"planted{random.Random(seed).getrandbits(64):016x}",
        origin=f"http://localhost:{server.port}",
    )


def _check_logs(server: BloopServer, marker: str, report: Report) -> None:
    for path in sorted(server.folder.glob("std*.txt")):
        for line in path.read_text(errors="replace").splitlines():
            if marker in line:
                report.find("secret in a log", line[:SHOWN_BYTES_MAX])
            if "Traceback" in line:
                report.find("traceback in a log", line[:SHOWN_BYTES_MAX])


def _check_health(server: BloopServer, report: Report) -> None:
    if server.request("GET", "/health").json["status"] != "ok":
        report.find("unhealthy afterwards", server.request("GET", "/health").body.decode())
    answer = server.send(event("after-the-fuzzing"))
    if answer.json != {"status": "accepted"}:
        report.find("no event taken afterwards", repr(answer))
        return
    until(lambda: "after-the-fuzzing" in server.stored_ids(), "an event to be stored afterwards")
    try:
        until(lambda: _balance(server) == 0, "the ledger to balance")
    except AssertionError:
        report.find("ledger off balance", str(_balance(server)))


def _balance(server: BloopServer) -> int:
    counts: Counter[int] = Counter()
    for (_, outcome), count in server.ledger().items():
        counts[outcome] += count
    return counts[Outcome.RECEIVED] - counts[Outcome.STORED] - sum(counts[outcome] for outcome in REFUSALS)


def _shown(request: RawRequest) -> str:
    shown = repr(request.wire[:SHOWN_BYTES_MAX])
    return shown if len(request.wire) <= SHOWN_BYTES_MAX else f"{shown}… of {len(request.wire)} bytes"


@click.command()
@click.option("--requests", default=20_000, show_default=True, type=click.IntRange(SENDERS), help="How many to send.")
@click.option("--seed", type=int, default=None, help="Repeat the raw requests of an earlier run.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Instead of /tmp.")
def main(requests: int, seed: int | None, folder: Path | None) -> None:
    """Fuzz a temporary bloop on loopback. Exit status 1 when something was found."""
    seed = random.SystemRandom().randrange(1, 1 << 32) if seed is None else seed
    click.echo(f"seed {seed}", err=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bloop-fuzz-", dir=folder) as temporary:
        server = make_server(Path(temporary))
        try:
            report = fuzz(server.start(), requests, seed)
        finally:
            server.remove_traces()
    for line in report.lines():
        click.echo(line)
    click.echo(f"{time.monotonic() - started:.0f} s", err=True)
    sys.exit(bool(report.findings))


def make_server(folder: Path) -> BloopServer:
    """A bloop that refuses nobody for asking often: refusals would hide what lies behind."""
    return BloopServer(folder / "server", BLOOP__RATE_LIMIT__AUTH_PER_SECOND="0")


if __name__ == "__main__":
    main()
