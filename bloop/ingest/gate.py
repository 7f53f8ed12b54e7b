"""What a signed request has to pass before anybody looks at its JSON (I1 of ingest_app.py), and who hears of a refusal.

A compressed body is verified as it was sent or, failing that, as it reads inflated: some clients sign before a
middleware compresses. Size limits hold before and after inflating.
"""

from __future__ import annotations

from collections.abc import Callable
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
from bloop.base.outcomes import Category, Outcome
from bloop.base.rate_limit import RateLimiter
from bloop.ingest.body import content_encoding, inflate, read_body
from bloop.ingest.keys import ProjectKeys
from bloop.ingest.notes import Rejections
from bloop.ingest.signature import parse_signature
from bloop.records.record import Sink

NOBODY = 0  # the project of refusals that name none

# StorageError: no key was ever loaded, so every key is unknown to us; the answer is 503 all the same.
_OUTCOMES: dict[type[BloopError], Outcome] = {
    RateLimited: Outcome.RATE_LIMITED,
    UnknownKey: Outcome.UNKNOWN_KEY,
    StorageError: Outcome.UNKNOWN_KEY,
    Unauthorized: Outcome.BAD_SIGNATURE,
    BodyTooLarge: Outcome.TOO_LARGE,
    BadEncoding: Outcome.INVALID,
}


class Gate:
    """Everything between a request and the JSON in it; the same for every signed route."""

    def __init__(
        self,
        sink: Sink,
        keys: ProjectKeys,
        rate_limit: RateLimiter,
        addresses: ClientAddresses,
        now_ms: Callable[[], int],
    ) -> None:
        self._sink, self._keys, self._rate_limit, self._addresses = sink, keys, rate_limit, addresses
        self._rejections, self._now_ms = Rejections(sink, addresses), now_ms

    def admit(self, env: dict[str, Any], bytes_max: int) -> tuple[int, bytes]:
        """The proven project and the plain body. A refusal is counted before it is raised.

        Raises:
            RateLimited, Unauthorized, UnknownKey, BadEncoding, StorageError: as their names say.
            InvalidEvent: the body is longer than `bytes_max`, as sent or inflated.
        """
        try:
            self._rate_limit.take(self._addresses.of(env))
            signature = parse_signature(env.get("HTTP_X_SIGNATURE"))
            body = read_body(env, bytes_max)
            claimed = env.get("HTTP_X_PROJECT_KEY")
            coding = content_encoding(env)
            if not coding:
                return self._keys.authenticate(claimed, signature, body), body
            return self._admit_compressed(claimed, signature, body, coding, bytes_max)
        except BloopError as error:
            project_id = self._keys.find(env.get("HTTP_X_PROJECT_KEY")) or NOBODY
            self.refuse(env, project_id, _OUTCOMES[type(error)], error)
            if isinstance(error, BodyTooLarge):  # the contract's words for it, and its 400
                raise InvalidEvent("", "failed to read body") from error
            raise

    def refuse(self, env: dict[str, Any], project_id: int, outcome: Outcome, error: BloopError, n: int = 1) -> None:
        """Book `n` records that came in and go no further."""
        self._sink.count(project_id, Category.EVENT, Outcome.RECEIVED, n)
        self._sink.count(project_id, Category.EVENT, outcome, n)
        self.note(env, project_id, outcome, error)

    def note(self, env: dict[str, Any], project_id: int, outcome: Outcome, error: BloopError) -> None:
        """Leave a note for people who look for these records; they are counted elsewhere."""
        self._rejections.note(project_id, outcome, str(error), env, self._now_ms())

    def _admit_compressed(
        self, claimed: str | None, signature: bytes, body: bytes, coding: str, bytes_max: int
    ) -> tuple[int, bytes]:
        project_id = self._keys.verify(claimed, signature, body)
        inflated = inflate(body, coding, bytes_max)
        if project_id is None:
            project_id = self._keys.authenticate(claimed, signature, inflated)
        return project_id, inflated
