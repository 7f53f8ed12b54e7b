"""bloop's own format: `POST /v1/ingest`, one event, and `POST /v1/ingest/batch`, `{"events": […]}`, signed with HMAC.

In a batch one bad element costs only itself; a batch that is none, or too long, is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from bloop.base.errors import InvalidEvent
from bloop.base.json_body import decode_json
from bloop.base.meters import Route
from bloop.base.outcomes import Category, Outcome
from bloop.ingest.compose import accept_event
from bloop.ingest.credentials import SignedBody
from bloop.ingest.dialect import Dialect, Endpoint
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.ingest.parsed import Accept, Parsed, Reject, RejectAll

ACCEPTED, DROPPED = b'{"status":"accepted"}', b'{"status":"dropped"}'


def parse_single(body: bytes, limits: Limits, received_at_ms: int, path_values: Mapping[str, str]) -> Parsed:
    """The body is one event."""
    try:
        return [accept_event(*parse_event(decode_json(body), limits, received_at_ms))]
    except InvalidEvent as error:
        return RejectAll(Outcome.INVALID, error.path, error.reason)


def parse_batch(body: bytes, limits: Limits, received_at_ms: int, path_values: Mapping[str, str]) -> Parsed:
    """The body holds an array of events."""
    try:
        elements = _events_of(decode_json(body))
    except InvalidEvent as error:
        return RejectAll(Outcome.INVALID, error.path, error.reason)
    if len(elements) > limits.batch_events_tolerated:
        reason = f"batch exceeds max size of {limits.batch_events_max}"
        return RejectAll(Outcome.TOO_LARGE, "events", reason, len(elements))
    parsed: list[Accept | Reject] = []
    for element in elements:
        try:
            parsed.append(accept_event(*parse_event(element, limits, received_at_ms)))
        except InvalidEvent as error:
            parsed.append(Reject(Outcome.INVALID, error.path, error.reason, Category.EVENT))
    return parsed


def _events_of(data: Any) -> list[Any]:
    if not isinstance(data, dict):
        raise InvalidEvent("", "batch must be a JSON object")
    events = data.get("events")
    if not isinstance(events, list):
        raise InvalidEvent("events", "events is required" if events is None else "events must be an array")
    return events


def _answer_single(parsed: Sequence[Accept | Reject], dropped: int) -> bytes:
    return DROPPED if dropped else ACCEPTED


def _answer_batch(parsed: Sequence[Accept | Reject], dropped: int) -> bytes:
    faults = [_fault(index, record) for index, record in enumerate(parsed) if type(record) is Reject]
    return orjson.dumps({"accepted": len(parsed) - dropped - len(faults), "dropped": dropped, "errors": faults})


def _fault(index: int, fault: Reject) -> dict[str, Any]:
    path = f"events[{index}].{fault.path}" if fault.path else f"events[{index}]"
    return {"index": index, "error": f"validation error: {fault.reason}", "path": path}


SINGLE = Endpoint(
    Route(dialect=0, place=0, method="POST", path="/v1/ingest"),
    category=Category.EVENT,
    bytes_max=lambda limits: limits.payload_bytes_max,
    parse=parse_single,
    answer=_answer_single,
)
BATCH = Endpoint(
    Route(dialect=0, place=1, method="POST", path="/v1/ingest/batch"),
    category=Category.EVENT,
    bytes_max=lambda limits: limits.batch_bytes_max,
    parse=parse_batch,
    answer=_answer_batch,
)
DIALECT = Dialect("native", SignedBody, (SINGLE, BATCH))
