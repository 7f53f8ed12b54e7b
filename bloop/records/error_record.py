"""Version 0 of an event's record, which releases before the event's own codec wrote: read, never written.

They may lie in the ring or its spill when bloop is upgraded. A MessagePack array: project, time of receipt,
fingerprint, algorithm, and the event's first seventeen fields.
"""

from __future__ import annotations

import msgspec

from bloop.base.errors import UnreadableRecord
from bloop.records import event_record
from bloop.records.dictionary import Dictionary
from bloop.records.event import Event

VERSION = 0


class _ErrorRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    project_id: int
    received_at_ms: int
    fingerprint: str
    algorithm: str
    event: Event


_decode = msgspec.msgpack.Decoder(_ErrorRecord).decode


def to_event_record(payload: bytes, dictionary: Dictionary) -> bytes:
    """The same event as a record of today's version.

    Raises:
        UnreadableRecord: it is no such record.
    """
    try:
        old = _decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(f"error record does not decode: {error}") from error
    if old.algorithm not in event_record.ALGORITHMS:
        raise UnreadableRecord(f"fingerprint algorithm {old.algorithm} is not known to this version")
    return event_record.encode(
        old.project_id, old.received_at_ms, old.fingerprint, old.algorithm, old.event, dictionary
    )
