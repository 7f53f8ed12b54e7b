"""The settings kept in the database, as a file for people and for other installations: JSON, with a format version.

E1  What a file does not say is left as it is. What it says and nobody knows is an error that names the place.
E2  Keys and secrets are in it only where somebody asked for them.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from bloop.base.errors import InvalidField

FORMAT = 1
BYTES_MAX = 4 * 1024 * 1024


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    raw_events_days: int | None = None
    hourly_counts_days: int | None = None


class Project(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Found by its slug. `id` is what the API calls it, for an installation that has no such project yet."""

    slug: str
    name: str
    id: str | None = None
    raw_events_days: int | None = None
    api_key: str | None = None


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Without a `config` it only says that there is one of this type to this target."""

    type: str
    target: str = ""
    config: dict[str, Any] | None = None


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Found by its project and name; of several with the same, by their order. No `project` is all of them."""

    name: str
    type: str
    project: str | None = None
    config: dict[str, Any] = {}
    enabled: bool = True
    description: str | None = None
    environment: str | None = None
    source: str | None = None
    cooldown_secs: int | None = None
    channels: tuple[Channel, ...] = ()


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    bloop_settings: int  # the format
    exported_at: str = ""
    retention: Retention = Retention()
    projects: tuple[Project, ...] = ()
    alert_rules: tuple[Rule, ...] = ()


def render(document: Document) -> str:
    return json.dumps(msgspec.to_builtins(document), ensure_ascii=False, indent=2) + "\n"


def parse(raw: bytes) -> Document:
    """Raises: InvalidField naming the place."""
    if len(raw) > BYTES_MAX:
        raise InvalidField("", f"the file has more than {BYTES_MAX // 1024 // 1024} MiB: that is no export of bloop")
    try:
        fields = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidField("", f"the file is not JSON: {error}") from None
    made_by_format = fields.get("bloop_settings") if isinstance(fields, dict) else None
    if type(made_by_format) is not int or made_by_format < 1:
        raise InvalidField("bloop_settings", "this is no export of bloop: it has no bloop_settings")
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
