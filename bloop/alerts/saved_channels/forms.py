"""Converts the forms of channels into the equivalent bodies of `/v1/channels`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts.saved_channels.guides import GUIDES, PAIRS
from bloop.base.errors import InvalidField


def channel_config(form: Mapping[str, str]) -> dict[str, Any]:
    """The config of a channel of the form's `type`, without the empty fields; only those of that type are read.

    Raises:
        InvalidField: a line that is not “Name: value”.
    """
    kind = form.get("type", "")
    config: dict[str, Any] = {"type": kind}
    for spec in GUIDES[kind].fields if kind in GUIDES else ():
        text = form.get(f"{kind}-{spec.name}", "")
        if text.strip():
            config[spec.name] = _pairs(spec.name, text) if spec.kind == PAIRS else text
    return config


def body_from_form(form: Mapping[str, str]) -> dict[str, Any]:
    """The body of a new channel. Raises: InvalidField."""
    config = channel_config(form)
    return {"name": form.get("name", ""), "project_id": form.get("project", ""), "config": config}


def new_channel_config(form: Mapping[str, str]) -> dict[str, Any] | None:
    """The config of the channel that a rule's form makes with the rule; None without an address."""
    kind, address = form.get("new_type", ""), form.get("new_address", "").strip()
    if not address:
        return None
    spec = GUIDES[kind].only_field if kind in GUIDES else None
    return {"type": kind} if spec is None else {"type": kind, spec.name: address}


def _pairs(name: str, lines: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        key, colon, value = line.partition(":")
        if not (key.strip() and colon and value.strip()):
            raise InvalidField(f"config.{name}", f"each line of {name} must be “Name: value”")
        pairs[key.strip()] = value.strip()
    return pairs
