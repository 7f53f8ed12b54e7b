"""The one place where an event gets its fingerprint and becomes the payload of a record.

For the ingest routes by way of their parsers; the demo and bloop's own errors come in here without a request.
"""

from __future__ import annotations

from bloop.base.outcomes import Category, Outcome
from bloop.grouping import fingerprint_v1 as v1
from bloop.ingest.parsed import Accept, Codec, Grouping
from bloop.records.event import Event
from bloop.records.record import EVENT_FORM, FINGERPRINT_BY_CLIENT, Sink, encode_event


def accept_event(event: Event, fingerprint: str | None) -> Accept:
    """The event with what groups it: the fingerprint its client chose, or one of ours."""
    if fingerprint is not None:
        return Accept(EVENT, event, Grouping(fingerprint, FINGERPRINT_BY_CLIENT))
    ours = v1.compute(event.source, event.error_type, event.route, event.message, event.stack)
    return Accept(EVENT, event, Grouping(ours, v1.ALGORITHM))


def take_in(sink: Sink, project_id: int, received_at_ms: int, record: Accept) -> bool:
    """Count one record and push it; False, and counted, when there is no room."""
    codec = record.codec
    sink.count(project_id, codec.category, Outcome.RECEIVED)
    if sink.push(codec.form, codec.encode(project_id, received_at_ms, record.value, record.grouping)):
        return True
    sink.count(project_id, codec.category, Outcome.RING_FULL)
    return False


def _encode_event(project_id: int, received_at_ms: int, event: Event, grouping: Grouping | None) -> bytes:
    assert grouping is not None, "the writer does not group events yet"
    return encode_event(project_id, received_at_ms, grouping.fingerprint, grouping.algorithm, event)


EVENT = Codec(EVENT_FORM, Category.EVENT, _encode_event)
