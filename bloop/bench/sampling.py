"""What a bloop of ours does meanwhile, looked at once a second; and people who read while it takes events in."""

from __future__ import annotations

import http.client
import time
from array import array
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus

from bloop.bench.background import BackgroundLoad
from bloop.bench.instance import BenchInstance, Usage, spent
from bloop.bench.percentiles import summary_ms
from bloop.bench.rendering import Target
from bloop.bench.results import Reads
from bloop.bench.rows import max_id, reading
from bloop.ring import Segment

EVERY_S = 1.0
READ_PAUSE_S = 0.1
READ_TIMEOUT_S = 30.0
READ_PATHS = ("/v1/errors?limit=50", "/v1/stats", "/v1/errors?limit=50&sort=total_count")
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoadSample:
    at: float  # time.monotonic()
    stored: int  # events since the sampling began
    waiting: int
    pss_mib: dict[str, float]
    cores: dict[str, float]  # since the sample before


class Sampler(BackgroundLoad):
    """Looks at everything a process of the same user can see of an instance, and once more at the end."""

    def __init__(self, instance: BenchInstance) -> None:
        super().__init__()
        self.samples: list[LoadSample] = []
        self._instance = instance

    @property
    def fullest(self) -> dict[str, float]:
        """PSS by part when the sum was largest."""
        return max((sample.pss_mib for sample in self.samples), key=lambda pss: sum(pss.values()), default={})

    def _run(self) -> None:
        with (
            reading(self._instance.database) as db,
            closing(Segment.attach(self._instance.settings.ring_name)) as ring,
        ):
            first, before = max_id(db), self._instance.usage()
            is_last = False
            while not is_last:
                is_last = self._over.wait(EVERY_S)
                usage = self._instance.usage()
                waiting = ring.stat().pending_records
                self.samples.append(
                    LoadSample(usage.at, max_id(db) - first, waiting, self._pss_mib(), cores_between(before, usage))
                )
                before = usage

    def _pss_mib(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for (_, part), memory in self._instance.memory().items():
            found[part] = found.get(part, 0.0) + memory.pss / MIB
        return found


def cores_between(before: Usage, after: Usage) -> dict[str, float]:
    """Cores in use by part, on average between two looks."""
    seconds = max(after.at - before.at, 1e-9)
    return {part: used / seconds for part, used in spent(before, after).items()}


@dataclass
class _Seen:
    taken_s: array[float] = field(default_factory=lambda: array("d"))
    failed: Counter[str] = field(default_factory=Counter)  # by status, or by what went wrong


class Reader(BackgroundLoad):
    """Asks the API for lists and numbers, ten times a second at most, one request at a time."""

    def __init__(self, target: Target, token: str) -> None:
        super().__init__()
        self.seen = _Seen()
        self._target, self._headers = target, {"Authorization": f"Bearer {token}"}

    def _run(self) -> None:
        turn = 0
        while not self._over.is_set():
            client = http.client.HTTPConnection(self._target.host, self._target.port, timeout=READ_TIMEOUT_S)
            with closing(client):
                try:
                    while not self._over.wait(READ_PAUSE_S):
                        turn += 1
                        self._read(client, READ_PATHS[turn % len(READ_PATHS)])
                except (OSError, http.client.HTTPException) as error:
                    self.seen.failed[type(error).__name__] += 1

    def _read(self, client: http.client.HTTPConnection, path: str) -> None:
        started = time.perf_counter()
        client.request("GET", path, headers=self._headers)
        answer = client.getresponse()
        answer.read()
        if answer.status == HTTPStatus.OK:
            self.seen.taken_s.append(time.perf_counter() - started)
        else:
            self.seen.failed[str(answer.status)] += 1


def added_up(readers: list[Reader]) -> Reads | None:
    if not readers:
        return None
    taken = [one for reader in readers for one in reader.seen.taken_s]
    failed = sum((reader.seen.failed for reader in readers), Counter[str]())
    return Reads(len(taken), failed.total(), dict(failed), summary_ms(taken))


def difference(before: Mapping[str, int] | None, after: Mapping[str, int] | None) -> dict[str, int] | None:
    """What was added by outcome; without those that did not change."""
    if before is None or after is None:
        return None
    return {outcome: n - before.get(outcome, 0) for outcome, n in after.items() if n != before.get(outcome, 0)}
