"""`admit`: the one way in, whatever dialect a client speaks.

INTAKE-1  Checks run in one order: rate limit, then what the credential demands (credentials.py), then what the parser
    does. The first that fails is the answer.
INTAKE-2  Every record that reaches a worker is counted RECEIVED once, in its category, and either pushed or counted
    under what became of it. A request refused before its records are known counts as one. RECEIVED is booked before the
    push, so a worker killed in between leaves a difference the writer can see.
INTAKE-3  A refusal is booked to the project the request names, proven or not, so its owner sees it; 0 when it names
    none. It leaves a note for people who look for these records, one for each request.
INTAKE-4  A project that has spent the bytes of its day gets the answer of a full lane. Its requests are checked and
    parsed as before: what is wrong with them is answered first, and each record is counted.
INTAKE-5  Nothing here waits: no database, no lock held across I/O. A full lane is not an error, but a count.
INTAKE-6  A large or packed body is only opened for an address within its budget of work, and charged to it whatever
    comes of it. Bodies up to FREE_BYTES cost nothing there: the rate of requests bounds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bloop.base.client_address import ClientAddresses
from bloop.base.errors import (
    BadEncoding,
    BloopError,
    BodyTooLarge,
    InvalidEvent,
    RateLimited,
    StorageError,
    Unauthorized,
    UnknownKey,
)
from bloop.base.outcomes import NO_PROJECT, Outcome
from bloop.base.rate_limit import RateLimiter, WorkBudget
from bloop.ingest.body import content_encoding
from bloop.ingest.compose import take_in
from bloop.ingest.credentials import CredentialStrategy
from bloop.ingest.dialect import Endpoint
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.limits import Limits
from bloop.ingest.parsed import Accept, Reject, RejectAll
from bloop.ingest.refusal_notes import Rejections
from bloop.records.record import Sink

FREE_BYTES = 64 * 1024

# StorageError: no key was ever loaded, so every key is unknown to us; the answer is 503 all the same.
_OUTCOMES: dict[type[BloopError], Outcome] = {
    RateLimited: Outcome.RATE_LIMITED,
    UnknownKey: Outcome.UNKNOWN_KEY,
    StorageError: Outcome.UNKNOWN_KEY,
    Unauthorized: Outcome.BAD_SIGNATURE,
    BodyTooLarge: Outcome.TOO_LARGE,
    BadEncoding: Outcome.INVALID,
}


class Intake:
    """The parts that all endpoints of a worker share."""

    def __init__(
        self,
        *,
        sink: Sink,
        keys: ProjectKeys,
        limits: Limits,
        rate_limit: RateLimiter,
        addresses: ClientAddresses,
        now_ms: Callable[[], int],
        work: WorkBudget | None = None,
    ) -> None:
        self.keys = keys
        self.sink, self.limits, self.rate_limit, self.addresses = sink, limits, rate_limit, addresses
        self.work = work or WorkBudget(0, 1)
        self.now_ms, self.rejections = now_ms, Rejections(sink, addresses)


class Admission:
    """One endpoint, ready to take in. Any thread, if the sink allows that."""

    def __init__(self, endpoint: Endpoint, credential: CredentialStrategy, intake: Intake) -> None:
        self._endpoint, self._credential, self._intake = endpoint, credential, intake
        self._bytes_max = endpoint.bytes_max(intake.limits)
        # Looked up once, for the hot path.
        self._spend, self._address_of, self._now_ms = intake.rate_limit.take, intake.addresses.of, intake.now_ms
        self._open, self._parse, self._answer = credential.open, endpoint.parse, endpoint.answer
        self._sink, self._limits, self._keys = intake.sink, intake.limits, intake.keys
        self._trimming_limits = replace(intake.limits, is_trimming=True)
        self._is_large = self._bytes_max > FREE_BYTES

    def admit(self, env: dict[str, Any], path_values: Mapping[str, str]) -> bytes:
        """Take in what the request holds; the answer's body.

        Raises:
            RateLimited, Unauthorized, UnknownKey, BadEncoding, StorageError: as their names say.
            InvalidEvent: the body is too long, or refused as a whole. Whatever is raised is counted.
        """
        try:
            self._spend(address := self._address_of(env))
            if self._is_large or "HTTP_CONTENT_ENCODING" in env:
                project_id, body = self._open_within_budget(env, address)
            else:
                project_id, body = self._open(env, self._bytes_max)
        except BloopError as error:
            self._refuse(env, self._credential.find(env) or NO_PROJECT, _OUTCOMES[type(error)], error)
            if isinstance(error, BodyTooLarge):  # 400 as the contract has it, not 413
                raise InvalidEvent("", str(error)) from error
            raise
        received_at_ms = self._now_ms()
        limits = self._trimming_limits if self._keys.is_trimming(project_id) else self._limits
        parsed = self._parse(body, limits, received_at_ms, path_values)
        if isinstance(parsed, RejectAll):
            self._refuse(env, project_id, parsed.outcome, parsed.error, parsed.records)
            raise parsed.error
        if self._keys.spent and self._keys.is_spent(project_id, received_at_ms):
            dropped = self._take_in(env, project_id, received_at_ms, parsed, is_over_limit=True)
        elif len(parsed) == 1 and isinstance(record := parsed[0], Accept):  # what most requests are, without the sums
            dropped = 0 if take_in(self._sink, project_id, received_at_ms, record) else 1
        else:
            dropped = self._take_in(env, project_id, received_at_ms, parsed)
        return self._answer(parsed, dropped)

    def _open_within_budget(self, env: dict[str, Any], address: str) -> tuple[int, bytes]:
        """As `_open` (INTAKE-6). A packed body is charged as sent and as inflated, at its bound where that failed."""
        work, is_packed = self._intake.work, content_encoding(env) != ""
        work.check(address)
        bytes_worked = self._bytes_max if is_packed else 0
        try:
            project_id, body = self._open(env, self._bytes_max)
            bytes_worked = 2 * len(body) if is_packed else len(body)
        finally:
            if bytes_worked > FREE_BYTES:
                work.spend(address, bytes_worked)
        return project_id, body

    def _take_in(
        self,
        env: dict[str, Any],
        project_id: int,
        received_at_ms: int,
        parsed: Sequence[Accept | Reject],
        *,
        is_over_limit: bool = False,
    ) -> int:
        """Push what is accepted, unless the project is over its limit; count everything; how many found no room."""
        push, count = self._sink.push, self._sink.count
        received: dict[int, int] = {}
        for record in parsed:
            category = record.codec.category if isinstance(record, Accept) else record.category
            received[category] = received.get(category, 0) + 1
        for category, n in received.items():
            count(project_id, category, Outcome.RECEIVED, n)
        lost: dict[tuple[int, Outcome], int] = {}
        dropped, is_noted = 0, False
        for record in parsed:
            if isinstance(record, Accept):
                codec = record.codec
                if not is_over_limit and push(
                    codec.form, codec.encode(project_id, received_at_ms, record.value, record.grouping)
                ):
                    continue
                dropped += 1
                key = codec.category, Outcome.OVER_LIMIT if is_over_limit else Outcome.RING_FULL
            else:
                if not is_noted:
                    self._note(env, project_id, record.outcome, record.reason)
                    is_noted = True
                key = record.category, record.outcome
            lost[key] = lost.get(key, 0) + 1
        for (category, outcome), n in lost.items():
            count(project_id, category, outcome, n)
        if is_over_limit and dropped:
            self._note(env, project_id, Outcome.OVER_LIMIT, "the project has stored its bytes of this day (UTC)")
        return dropped

    def _refuse(self, env: dict[str, Any], project_id: int, outcome: Outcome, error: BloopError, n: int = 1) -> None:
        """Book `n` records that came in and go no further."""
        self._sink.count(project_id, self._endpoint.category, Outcome.RECEIVED, n)
        self._sink.count(project_id, self._endpoint.category, outcome, n)
        self._note(env, project_id, outcome, str(error))

    def _note(self, env: dict[str, Any], project_id: int, outcome: Outcome, detail: str) -> None:
        claimed = self._credential.claimed(env)
        self._intake.rejections.note(project_id, outcome, detail, claimed, env, self._now_ms())
