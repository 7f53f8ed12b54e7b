"""One event on its way to storage: the payload of a ring record, and what the web side pushes it into.

R1  What an `encode_…` wrote, its `decode_…` reads back equal.
R2  A record is read by the writer that runs when it is drained, perhaps a newer one: kinds, versions and fields are
    only ever appended, and a field appended later needs a default.
R3  Every payload is a MessagePack array that begins with the project's id and the time of receipt. So what cannot be
    read still says whose it is and how long it has been waiting.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Protocol

import msgspec

from bloop.base.errors import UnreadableRecord
from bloop.base.outcomes import Category, Outcome
from bloop.records.event import Event

FINGERPRINT_BY_CLIENT = "client"


class Kind(IntEnum):
    """What a ring record holds. Append only: numbers outlive releases in shared memory and in spills.

    2, 4 and 6 are spoken for: earlier releases set them aside for crashes (events with more parts by now) and for the
    ends of sessions and updates of traces (partial states of one session, one trace), but never wrote them.
    """

    EVENT = 1
    SESSION = 3
    TRACE = 5
    NOTE = 7  # about a refused request: the ledger does not count it


# What the ledger counts records of a kind as.
CATEGORIES: dict[int, Category] = {
    Kind.EVENT: Category.EVENT,
    Kind.SESSION: Category.SESSION,
    Kind.TRACE: Category.TRACE,
}


def form(kind: int, version: int) -> int:
    """What the ring stores beside a payload: its kind, and which version of the kind's codec wrote it."""
    return kind | version << 16


def kind_and_version(form: int) -> tuple[int, int]:
    """The two numbers back; either may be one that this release does not know."""
    return form & 0xFFFF, form >> 16


class Sink(Protocol):
    """Where accepted records and the counts of all others go; in production a lane of the ring."""

    def push(self, form: int, payload: bytes) -> bool:
        """Hand a record over; False when there is no room, and the record is the caller's to report."""
        ...

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        """Book `n` of a project, by `Category` and `Outcome` (`base.outcomes`); project 0 is "nobody we know"."""
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


encode_record = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ErrorRecord).decode
_decode_rejection = msgspec.msgpack.Decoder(Rejection).decode


def encode_error(project_id: int, received_at_ms: int, fingerprint: str, algorithm: str, event: Event) -> bytes:
    """The payload of a `Kind.EVENT` record."""
    return encode_record(ErrorRecord(project_id, received_at_ms, fingerprint, algorithm, event))


def decode_error(payload: bytes, version: int = 0) -> ErrorRecord:
    """The record back.

    Raises:
        UnreadableRecord: the payload is not one `encode_error` of this or an earlier release wrote.
    """
    if version != 0:
        raise UnreadableRecord(f"error record of version {version} is not known to this release")
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
    """The payload of a `Kind.NOTE` record."""
    return encode_record(rejection)


def decode_rejection(payload: bytes, version: int = 0) -> Rejection:
    """The note back.

    Raises:
        UnreadableRecord: another release wrote it in a way this one does not know.
    """
    if version != 0:
        raise UnreadableRecord(f"rejection of version {version} is not known to this release")
    try:
        return _decode_rejection(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"rejection does not decode: {error}") from error
