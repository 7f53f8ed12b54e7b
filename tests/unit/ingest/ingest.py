"""A client for the ingest routes and a sink that remembers, shared by the tests of the ingest app."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from falcon import testing

from bloop.base.outcomes import Category, Outcome
from bloop.base.rate_limit import RateLimiter, WorkBudget
from bloop.ingest.hmac_signature import sign
from bloop.ingest.keys import ProjectKey, ProjectKeys
from bloop.ingest.limits import Limits
from bloop.records.event_record import EventRecord
from bloop.records.record import EVENT_FORM, Kind, Rejection, decode_rejection
from tests.stored import decoded
from workers.ingest import create_ingest_app

KEY = "bloop_" + "1a" * 32
OTHER_KEY = "bloop_" + "2b" * 32
LEGACY_SECRET = "the-secret-of-the-default-project"
DEFAULT_ID, PROJECT_ID, OTHER_ID = 1, 7, 8
NOW_MS = 1_700_000_100_000
CLIENT = "127.0.0.1"


class RecordingSink:
    """Keeps what is pushed and counted; `room` is how many records still fit, None for no bound."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.notes: list[Rejection] = []
        self.counts: Counter[tuple[int, Outcome]] = Counter()
        self.room: int | None = None
        self.log: list[str] = []

    def push(self, form: int, payload: bytes) -> bool:
        if form == Kind.NOTE:
            self.notes.append(decode_rejection(payload))
            return True
        assert form == EVENT_FORM
        if self.room is not None:
            if self.room == 0:
                return False
            self.room -= 1
        self.payloads.append(payload)
        self.log.append("push")
        return True

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        assert n > 0
        assert category == Category.EVENT
        self.counts[project_id, Outcome(outcome)] += n
        self.log.append(Outcome(outcome).label)

    @property
    def records(self) -> list[EventRecord]:
        return [decoded(payload) for payload in self.payloads]

    def balance(self) -> int:
        """RECEIVED less everything that is accounted for; 0 when the ledger balances."""
        received = sum(n for (_, outcome), n in self.counts.items() if outcome is Outcome.RECEIVED)
        return 2 * received - sum(self.counts.values()) - len(self.payloads)


class Ingest:
    """The app over a recording sink, with one method per thing a client does."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        rate_limit: RateLimiter | None = None,
        trusted_proxies: tuple[str, ...] = (),
        keys: ProjectKeys | None = None,
        work: WorkBudget | None = None,
    ) -> None:
        self.sink = RecordingSink()
        self.app = create_ingest_app(
            sink=self.sink,
            keys=keys or make_keys(),
            limits=limits or Limits(),
            rate_limit=rate_limit or RateLimiter(0, 1),
            trusted_proxies=trusted_proxies,
            work=work,
            now_ms=lambda: NOW_MS,
        )
        self.client = testing.TestClient(self.app)

    def send(
        self,
        body: bytes,
        path: str = "/v1/ingest",
        *,
        key: str | None = KEY,
        secret: str | None = None,
        headers: dict[str, str] | None = None,
        **request: Any,
    ) -> testing.Result:
        """POST `body`, signed with `secret`, by default the key itself."""
        signature = sign((secret or key or "").encode(), body).hex()
        sent = {"X-Signature": signature, **({"X-Project-Key": key} if key is not None else {}), **(headers or {})}
        return self.client.simulate_post(path, body=body, headers=sent, **{"remote_addr": CLIENT, **request})

    def send_event(self, **fields: Any) -> testing.Result:
        return self.send(encode(event(**fields)))

    def send_batch(self, events: list[Any], **options: Any) -> testing.Result:
        return self.send(encode({"events": events}), "/v1/ingest/batch", **options)

    def only(self, outcome: Outcome, project_id: int = PROJECT_ID, n: int = 1) -> bool:
        """Whether `n` records were received and all of them ended in `outcome`."""
        return self.sink.counts == {(project_id, Outcome.RECEIVED): n, (project_id, outcome): n}


def make_keys(legacy_secret: str = LEGACY_SECRET) -> ProjectKeys:
    rows = [ProjectKey(PROJECT_ID, KEY), ProjectKey(OTHER_ID, OTHER_KEY)]
    return ProjectKeys(lambda: rows, lambda: 1, legacy_secret, lambda: DEFAULT_ID)


def event(**fields: Any) -> dict[str, Any]:
    """A valid event as a client sends it, with `fields` over it."""
    valid = {
        "timestamp": 1_700_000_000_000,
        "source": "api",
        "environment": "production",
        "release": "1.2.0",
        "error_type": "TypeError",
        "message": "boom",
    }
    return {**valid, **fields}


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()
