"""One event on its way to storage: the payload of a ring record, and what the web side pushes it into.

RECORD-1  What an `encode_…` wrote, its `decode_…` reads back equal.
RECORD-2  A record is read by the writer that runs when it is drained, perhaps a newer one: kinds, versions and fields
    are only ever appended, and a field appended later needs a default.
RECORD-3  Every payload begins with the project's id and the time of receipt: as elements of a MessagePack array or,
    where a mark says so, as numbers of fixed width. So what cannot be read still says whose it is and how long it has
    waited.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Annotated, Protocol

import msgspec

from bloop.base.errors import UnreadableRecord
from bloop.base.outcomes import Category, Outcome
from bloop.records import dictionary, event_record
from bloop.records.event import Event

FINGERPRINT_BY_CLIENT = event_record.FINGERPRINT_BY_CLIENT


class Kind(IntEnum):
    """The kind of a ring record. Append only: numbers outlive releases in shared memory and in spills.

    2, 4 and 6 are spoken for: earlier releases set them aside for crashes (events with more parts by now) and for the
    ends of sessions and updates of traces (partial states of one session, one trace), but never wrote them.
    """

    EVENT = 1
    SESSION = 3
    TRACE = 5
    NOTE = 7  # about a refused request: the ledger does not count it
    KEY_USE = 8  # a project's key was used: not counted either


# What the ledger counts records of a kind as.
CATEGORIES: dict[int, Category] = {
    Kind.EVENT: Category.EVENT,
    Kind.SESSION: Category.SESSION,
    Kind.TRACE: Category.TRACE,
}


def form(kind: int, version: int) -> int:
    """The number that the ring stores beside a payload: its kind, and the version of the codec that wrote it."""
    return kind | version << 16


def kind_and_version(form: int) -> tuple[int, int]:
    """The two numbers back; either may be one that this release does not know."""
    return form & 0xFFFF, form >> 16


class Sink(Protocol):
    """The target of accepted records and of the counts of all others; in production a lane of the ring."""

    def push(self, form: int, payload: bytes) -> bool:
        """Hand a record over; False when there is no room, and the record is the caller's to report."""
        ...

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        """Book `n` of a project, by `Category` and `Outcome` (`base.outcomes`); project 0 is an unknown one."""
        ...


class Rejection(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A note about a refused request; nothing secret, nothing personal (ingest/refusal_notes.py)."""

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


class KeyUse(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A project's key was used. `key_made_at_ms` says which of its keys."""

    project_id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    received_at_ms: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    key_made_at_ms: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


EVENT_FORM = form(Kind.EVENT, event_record.VERSION)

_START = struct.Struct("<qq")
_MARK = bytes([event_record.MARK])
_encode = msgspec.msgpack.Encoder().encode
_decode_rejection = msgspec.msgpack.Decoder(Rejection).decode
_decode_key_use = msgspec.msgpack.Decoder(KeyUse).decode


def encode_event(project_id: int, received_at_ms: int, fingerprint: str, algorithm: str, event: Event) -> bytes:
    """The payload of an EVENT_FORM record, packed with this process's dictionary."""
    return event_record.encode(project_id, received_at_ms, fingerprint, algorithm, event, dictionary.current())


def project_id(payload: bytes) -> int | None:
    """The project of a record of any kind (RECORD-3). None when it cannot be read."""
    return _start_of(payload)[0]


def received_at_ms(payload: bytes) -> int | None:
    """The time of receipt of a record of any kind (RECORD-3). None when it cannot be read."""
    return _start_of(payload)[1]


def _start_of(payload: bytes) -> tuple[int | None, int | None]:
    if payload[:1] == _MARK:
        return _START.unpack_from(payload, 1) if len(payload) > _START.size else (None, None)
    try:
        values = msgspec.msgpack.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, None
    if type(values) is not list:
        return None, None
    first, second = [*values[:2], None, None][:2]
    return first if type(first) is int else None, second if type(second) is int else None


def encode_rejection(rejection: Rejection) -> bytes:
    """The payload of a `Kind.NOTE` record."""
    return _encode(rejection)


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


def encode_key_use(use: KeyUse) -> bytes:
    """The payload of a `Kind.KEY_USE` record."""
    return _encode(use)


def decode_key_use(payload: bytes, version: int = 0) -> KeyUse:
    """The report back.

    Raises:
        UnreadableRecord: another release wrote it in a way this one does not know.
    """
    if version != 0:
        raise UnreadableRecord(f"key use of version {version} is not known to this release")
    try:
        return _decode_key_use(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"key use does not decode: {error}") from error
