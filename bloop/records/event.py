"""One event as reported, in every dialect: seventeen fields that all have, and parts that some have.

EVENT-1  Fields are only ever appended and have a default: records outlive releases. `Parts` is stored as a map from
    names to values, so its fields may also come in any order; a name that a reader does not know is passed over.
EVENT-2  What an event does not have costs nothing: no byte in the record, no look at the field.
"""

from __future__ import annotations

from typing import Any

import msgspec


class EventFrame(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One frame of a structured stack, the most recent call first. Lines and columns count from 1."""

    function: str | None = None
    module: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    in_app: bool | None = None
    address: int | None = None  # of the instruction, where there are no names yet
    package: str | None = None  # the library or binary the address lies in
    context: list[str] | None = None  # source lines around it, the frame's own at `context_at`
    context_at: int | None = None


class EventCause(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An error that led to this one; in a chain the nearest comes first."""

    error_type: str
    message: str = ""
    frames: list[EventFrame] | None = None


class DebugId(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Which build a file of the stack belongs to: the key of its symbols and source maps."""

    id: str
    file: str = ""
    address: int | None = None  # where it was loaded
    size: int | None = None


class Parts(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Fields that only some dialects send."""

    frames: list[EventFrame] | None = None
    chain: list[EventCause] | None = None
    tags: dict[str, str] | None = None
    breadcrumbs: list[dict[str, Any]] | None = None  # the oldest first
    contexts: dict[str, Any] | None = None
    user: dict[str, Any] | None = None
    flags: dict[str, str] | None = None  # feature flags when it happened
    handled: bool | None = None
    dist: str | None = None
    session_id: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    debug_ids: list[DebugId] | None = None
    cut: list[str] | None = None  # paths of what was shortened or left out to keep the event within its bounds


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One error as reported. The order of the fields is that of records of version 0: append, never reorder."""

    timestamp_ms: int
    source: str
    environment: str
    release: str
    error_type: str
    message: str
    stack: str | None
    route: str | None
    screen: str | None
    http_status: int | None
    request_id: str | None
    user_id_hash: str | None
    device_id_hash: str | None
    app_version: str | None
    build_number: str | None
    metadata: str | None  # compact JSON text of any JSON value; None when absent, null, "" or {}
    level: str
    event_id: str | None = None  # the client's own
    parts: Parts | None = None
