"""Clients that send events with unique ids without end, and record the answer to each."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.acceptance.harness import BloopServer, event, signed
from tests.noise import noise

PER_SECOND = 120.0  # per client: some load on every lane, and CPU time left for the processes on two cores
BATCH_EVERY, BATCH_EVENTS = 5, 20  # every fifth request is a batch: long enough for a kill in the middle
TIMEOUT_S = 20.0
RETRY_S = 0.02


@dataclass
class Answers:
    """The answers to one client. Every id it sent is in exactly one of these lists."""

    accepted: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)  # the connection died first: stored once, or not at all
    refused: list[str] = field(default_factory=list)  # any other status; none is expected


class Client(threading.Thread):
    """One kept-alive connection after another, until `stop`."""

    per_second, batch_every, batch_events = PER_SECOND, BATCH_EVERY, BATCH_EVENTS
    fields: ClassVar[dict[str, Any]] = {}  # added to every event

    def __init__(self, server: BloopServer, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.answers = Answers()
        self.refusals: list[str] = []
        self.no_port = 0  # times that no process listened
        self._server = server
        self._stop_asked = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        next_at = time.monotonic()
        for number in itertools.count():
            if self._stop_asked.is_set():
                break
            size = self.batch_events if number % self.batch_every == 0 else 1
            self._send([f"{self.name}-{number}-{index}" for index in range(size)])
            next_at = max(next_at + 1 / self.per_second, time.monotonic() - 1)
            self._stop_asked.wait(max(0.0, next_at - time.monotonic()))
        self._hang_up()

    def stop(self) -> Answers:
        self._stop_asked.set()
        self.join(TIMEOUT_S * 2)
        assert not self.is_alive()
        return self.answers

    def _send(self, ids: list[str]) -> None:
        events = [event(request_id, **self.fields) for request_id in ids]
        path, body = ("/v1/ingest", events[0]) if len(ids) == 1 else ("/v1/ingest/batch", {"events": events})
        raw = json.dumps(body).encode()
        try:
            status, answer = self._exchange(path, raw)
        except ConnectionRefusedError:
            # No process listens, so none got the request. This happens between two supervisors.
            self.no_port += 1
            self._hang_up()
            self._stop_asked.wait(RETRY_S)
        except (OSError, http.client.HTTPException):
            self.answers.unanswered += ids
            self._hang_up()
        else:
            self._note(ids, status, answer)

    def _exchange(self, path: str, raw: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=TIMEOUT_S)
        self._connection.request("POST", path, raw, signed(raw, self._server.secret))
        response = self._connection.getresponse()
        return response.status, response.read()

    def _note(self, ids: list[str], status: int, answer: bytes) -> None:
        body = json.loads(answer) if status == 200 else {}
        if body in ({"status": "accepted"}, {"accepted": len(ids), "dropped": 0, "errors": []}):
            self.answers.accepted += ids
        elif body == {"status": "dropped"} or body.get("dropped") == len(ids):
            self.answers.dropped += ids
        elif status == 200:  # the lane took a part of the batch; the answer does not say which
            self.answers.unanswered += ids
        else:
            self.answers.refused += ids
            self.refusals.append(f"{status} {answer[:200]!r}")

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class BurstClient(Client):
    """Batches of two kilobytes an event: a lane of 256 KiB is full after a few of them."""

    per_second, batch_every, batch_events = 15.0, 1, 50
    fields: ClassVar[dict[str, Any]] = {"metadata": {"padding": noise(1800)}}
