"""Rows as the `/v1` JSON prints them: milliseconds, public project ids, `regressed` shown as an unresolved extra."""

from __future__ import annotations

from typing import Any

import orjson

from bloop.issues.aggregates import AggregateRow
from bloop.issues.comments.read import CommentRow
from bloop.issues.counts.read import HourCount
from bloop.issues.events.read import EventRow
from bloop.issues.status.model import Status
from bloop.issues.status.read import StatusChangeRow
from bloop.issues.status.words import sentence


def aggregate(row: AggregateRow) -> dict[str, Any]:
    return {
        "project_id": row.project_public_id,
        "fingerprint": row.fingerprint,
        "release": row.release,
        "environment": row.environment,
        "total_count": row.event_count,
        "first_seen": row.first_seen_ms,
        "last_seen": row.last_seen_ms,
        "error_type": row.error_type,
        "message": row.message,
        "source": row.source,
        "route_or_procedure": row.route,
        "screen": row.screen,
        "status": status(row.status),
        "regressed": row.status == Status.REGRESSED,
        "short_id": row.short_id,
    }


def sample(row: EventRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "fingerprint": row.fingerprint,
        "project_id": row.project_public_id,
        "captured_at": row.received_at_ms,
        "timestamp": row.timestamp_ms,
        **_what_happened(row),
    }


def occurrence(row: EventRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "timestamp": row.timestamp_ms,
        "fingerprint": row.fingerprint,
        "received_at": row.received_at_ms,
        "project_id": row.project_public_id,
        **_what_happened(row),
    }


def _what_happened(row: EventRow) -> dict[str, Any]:
    return {
        "source": row.source,
        "environment": row.environment,
        "release": row.release,
        "error_type": row.error_type,
        "message": row.message,
        "stack": row.stack,
        "http_status": row.http_status,
        "request_id": row.request_id,
        "route_or_procedure": row.route,
        "screen": row.screen,
        "user_id_hash": row.user_id_hash,
        "device_id_hash": row.device_id_hash,
        "app_version": row.app_version,
        "build_number": row.build_number,
        "metadata": None if row.metadata is None else _verbatim(row.metadata),
    } | ({"cut": cut} if (cut := cut_fields(row)) else {})


def cut_fields(row: EventRow) -> list[str]:
    """Paths of what was cut to store the event, in the order of its fields."""
    return (row.parts.cut or []) if row.parts is not None else []


def _verbatim(stored: str) -> Any:
    """Stored JSON as it is: read into values, an integer beyond 64 bits would come out as another number."""
    orjson.loads(stored)
    return orjson.Fragment(stored)


def change(row: StatusChangeRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "project_id": row.project_public_id,
        "fingerprint": row.fingerprint,
        "old_status": row.old_status,
        "new_status": row.new_status,
        "changed_by": row.changed_by,
        "changed_by_name": row.changed_by_name,
        "changed_via": row.changed_via,
        "release": row.release,
        "changed_at": row.changed_at_ms,
        "action": row.action,
        "text": str(sentence(row)),
        "detail": orjson.loads(row.detail),
        "network": row.network or None,
        "undo_id": row.undo_id,
    }


def comment(row: CommentRow) -> dict[str, Any]:
    """Times in ms; `author_name` is null where the account or token is gone."""
    return {
        "id": row.id,
        "project_id": row.project_public_id,
        "fingerprint": row.fingerprint,
        "author": row.author,
        "author_name": row.author_name,
        "via": row.via,
        "text": row.text,
        "created_at": row.created_at_ms,
        "edited_at": row.edited_at_ms,
    }


def hour(row: HourCount) -> dict[str, int]:
    return {"hour_bucket": row.hour_ms, "count": row.event_count}


def status(stored: str) -> str:
    return Status.UNRESOLVED if stored == Status.REGRESSED else stored
