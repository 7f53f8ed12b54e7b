"""Events for the tests of records."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bloop.records.event import DebugId, Event, EventCause, EventFrame, Parts

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | text
names = st.text("abcdef", min_size=1, max_size=6)
frames = st.lists(st.builds(EventFrame, function=maybe, file=maybe, line=st.none() | st.integers(0, 2**31)), max_size=3)
parts = st.builds(
    Parts,
    frames=st.none() | frames,
    chain=st.none()
    | st.lists(st.builds(EventCause, error_type=text, message=text, frames=st.none() | frames), max_size=2),
    tags=st.none() | st.dictionaries(names, text, max_size=3),
    breadcrumbs=st.none() | st.lists(st.dictionaries(names, text | st.integers(-5, 5), max_size=2), max_size=2),
    contexts=st.none() | st.dictionaries(names, st.dictionaries(names, text, max_size=2), max_size=2),
    user=st.none() | st.dictionaries(names, text, max_size=2),
    flags=st.none() | st.dictionaries(names, text, max_size=2),
    handled=st.none() | st.booleans(),
    dist=maybe,
    session_id=maybe,
    trace_id=maybe,
    span_id=maybe,
    debug_ids=st.none() | st.lists(st.builds(DebugId, id=text, file=text), max_size=2),
    cut=st.none() | st.lists(text, max_size=2),
)
ids = maybe | st.binary(min_size=8, max_size=16).map(bytes.hex)
events = st.builds(
    Event,
    timestamp_ms=st.integers(-(2**63), 2**63 - 1),
    source=text | st.sampled_from(["api", "ios", "python"]),
    environment=text | st.sampled_from(["production", "dev"]),
    release=text,
    error_type=text,
    message=text,
    stack=maybe,
    route=maybe,
    screen=maybe,
    http_status=st.none() | st.integers(0, 65535),
    request_id=ids,
    user_id_hash=ids,
    device_id_hash=ids,
    app_version=maybe,
    build_number=maybe,
    metadata=maybe | st.just('{"cart":5,"tags":["a","b"],"deep":{"x":1},"retry":false}'),
    level=text | st.sampled_from(["error", "fatal"]),
    event_id=ids,
    parts=st.none() | parts,
)


def make_event(**changes: Any) -> Event:
    fields: dict[str, Any] = {
        "timestamp_ms": 1,
        "source": "api",
        "environment": "production",
        "release": "1.2.3",
        "error_type": "TypeError",
        "message": "order 7 is unreadable",
        "stack": "TypeError: order 7 is unreadable\n    at load (/srv/shop/order.js:2:8)\n",
        "route": "/orders/:id",
        "screen": None,
        "http_status": 500,
        "request_id": "req-7",
        "user_id_hash": "0f" * 16,
        "device_id_hash": None,
        "app_version": None,
        "build_number": None,
        "metadata": None,
        "level": "error",
    }
    return Event(**fields | changes)
