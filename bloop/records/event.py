"""One event as reported, in every dialect."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One error as reported. Field order is the order in a stored record: append, never reorder."""

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
