"""One event on its way to storage: the payload of a ring record, and what the web side pushes it into.

R1  What an `encode_…` wrote, its `decode_…` reads back equal.
R2  A record is read by the writer that runs when it is drained, perhaps a newer one: kinds and fields are only ever
    appended, and a field appended later needs a default.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Protocol

import msgspec

from bloop.base.errors import UnreadableRecord
from bloop.base.outcomes import Outcome
from bloop.ingest.dialects.native import Event

FINGERPRINT_BY_CLIENT = "client"


class Kind(IntEnum):
    """What a ring record holds. Append only: numbers outlive releases in shared memory."""

    ERROR = 1
    CRASH = 2
    SESSION_START = 3
    SESSION_END = 4
    TRACE = 5
    TRACE_UPDATE = 6
    REJECTION = 7  # a note about a refused request: no record of the ledger's


class Sink(Protocol):
    """Where accepted records and the counts of all others go; in production a lane of the ring."""

    def push(self, kind: int, payload: bytes) -> bool:
        """Hand a record over; False when there is no room, and the record is the caller's to report."""
        ...

    def count(self, project_id: int, outcome: int, n: int = 1) -> None:
        """Book `n` records of a project under a `bloop.base.outcomes.Outcome`; project 0 is "nobody we know"."""
        ...


class ErrorRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An event that was answered `accepted`. Its payload is a MessagePack array in field order, the project first.

    MessagePack, not JSON: stacks are full of newlines and quotes, and escaping them cost 2.6 µs an event more.
    """

    project_id: int
    received_at_ms: int
    fingerprint: str
    algorithm: str  # which code made the fingerprint: "v1", or "client" when it came with the event
    event: Event


class Rejection(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a refused request looked like; nothing secret, nothing personal (ingest/notes.py)."""

    project_id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    rejected_at_ms: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    outcome: Outcome
    detail: str
    key_prefix: str
    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None
    client: str
    user_agent: str

    @property
    def received_at_ms(self) -> int:
        return self.rejected_at_ms


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ErrorRecord).decode
_decode_rejection = msgspec.msgpack.Decoder(Rejection).decode


def encode_error(project_id: int, received_at_ms: int, fingerprint: str, algorithm: str, event: Event) -> bytes:
    """The payload of a `Kind.ERROR` record."""
    return _encode(ErrorRecord(project_id, received_at_ms, fingerprint, algorithm, event))


def decode_error(payload: bytes) -> ErrorRecord:
    """The record back.

    Raises:
        UnreadableRecord: the payload is not one `encode_error` of this or an earlier release wrote.
    """
    try:
        return _decode(payload)
    except msgspec.DecodeError as error:  # ValidationError included
        raise UnreadableRecord(f"error record does not decode: {error}") from error


def received_at_ms(payload: bytes) -> int | None:
    """When a record of any kind was received: its second element. None when it cannot be read."""
    try:
        found = msgspec.msgpack.decode(payload)[1]
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError):
        return None
    return found if type(found) is int else None


def encode_rejection(rejection: Rejection) -> bytes:
    """The payload of a `Kind.REJECTION` record."""
    return _encode(rejection)


def decode_rejection(payload: bytes) -> Rejection:
    """The note back.

    Raises:
        UnreadableRecord: another release wrote it in a way this one does not know.
    """
    try:
        return _decode_rejection(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"rejection does not decode: {error}") from error
