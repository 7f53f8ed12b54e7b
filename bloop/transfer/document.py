"""The format of exported settings, for people and other installations: JSON with a format version.

DOCUMENT-1  Import leaves settings that the file does not contain unchanged. An unknown field is an error that names it.
DOCUMENT-2  Keys and secrets are included only on request.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from bloop.base.errors import InvalidField

FORMAT = 2  # 2: saved channels, which rules name
BYTES_MAX = 4 * 1024 * 1024


class RetentionDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    raw_events_days: int | None = None
    hourly_counts_days: int | None = None


class ProjectDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Matched by slug. `id` is the API's id, for an installation that has no such project yet."""

    slug: str
    name: str
    id: str | None = None
    raw_events_days: int | None = None
    api_key: str | None = None
    oversize: str | None = None
    search_keys: tuple[str, ...] | None = None


class ChannelDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A channel of a rule. With a `name` it is a saved one, whose config stands in `channels`. Without either it only
    states that a channel of this type to this target exists."""

    type: str
    target: str = ""
    config: dict[str, Any] | None = None
    name: str | None = None
    all_projects: bool = False  # of a saved one: it is for the rules of all projects


class SavedChannelDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Matched by project and name. No `project` means all projects; no `config`: as for a rule's channel."""

    name: str
    type: str
    project: str | None = None
    target: str = ""
    config: dict[str, Any] | None = None


class RuleDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Matched by project and name; several with the same are matched in order. No `project` means all projects."""

    name: str
    type: str
    project: str | None = None
    config: dict[str, Any] = {}
    enabled: bool = True
    description: str | None = None
    environment: str | None = None
    source: str | None = None
    cooldown_secs: int | None = None
    channels: tuple[ChannelDocument, ...] = ()


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bloop_settings: int  # the format
    exported_at: str = ""
    retention: RetentionDocument = RetentionDocument()
    projects: tuple[ProjectDocument, ...] = ()
    channels: tuple[SavedChannelDocument, ...] = ()
    alert_rules: tuple[RuleDocument, ...] = ()


def render(document: Document) -> str:
    return json.dumps(msgspec.to_builtins(document), ensure_ascii=False, indent=2) + "\n"


def parse(raw: bytes) -> Document:
    """Parse a file. Raises: InvalidField naming the place."""
    if len(raw) > BYTES_MAX:
        raise InvalidField("", f"the file has more than {BYTES_MAX // 1024 // 1024} MiB: not an export of bloop")
    try:
        fields = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidField("", f"the file is not JSON: {error}") from None
    made_by_format = fields.get("bloop_settings") if isinstance(fields, dict) else None
    if type(made_by_format) is not int or made_by_format < 1:
        raise InvalidField("bloop_settings", "this is not an export of bloop: bloop_settings is missing")
    if made_by_format > FORMAT:
        raise InvalidField(
            "bloop_settings", f"the file has format {made_by_format}, this bloop knows {FORMAT}: upgrade bloop"
        )
    try:
        return msgspec.convert(fields, Document)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        path = place.rstrip("`")
        raise InvalidField(path, f"{path}: {reason}" if path else reason) from None
