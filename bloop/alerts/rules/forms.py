"""Converts the form of a rule into the equivalent body of `/v1/alerts`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bloop.alerts.rules.pages import PAIRS, FieldSpec
from bloop.alerts.rules.store import COOLDOWN_SECS_MAX
from bloop.alerts.rules.words import MINUTES, NUMBERS, TEXTS
from bloop.base.errors import InvalidField

WINDOW_MINUTES_MAX = 1440
NUMBER_LENGTH_MAX = 16
# The form fields of each type; the others are ignored.
_FIELDS = {
    "regression": ("fingerprint",),
    "threshold": ("threshold", "window_minutes", "fingerprint", "route"),
    "spike": ("multiplier", "compare_minutes", "baseline_minutes", "min_count", "fingerprint", "route"),
}
_LABELS = {
    "threshold": "The event count",
    "multiplier": "The multiplier",
    "min_count": "The minimum event count",
    "window_minutes": "The window in minutes",
    "compare_minutes": "The spike window in minutes",
    "baseline_minutes": "The comparison window in minutes",
    "cooldown_minutes": "The cooldown in minutes",
}


def body_from_form(form: Mapping[str, str]) -> dict[str, Any]:
    """The body of the form: an empty field is absent, an empty text clears the stored one.

    Raises:
        InvalidField: not a number.
    """
    kind = form.get("type", "")
    config: dict[str, Any] = {"type": kind}
    for field in _FIELDS.get(kind, ()):
        value = form.get(field, "").strip()
        if not value:
            continue
        if field in TEXTS:
            config[field] = value
        elif field in NUMBERS:
            config[field] = _number(field, value)
        else:
            config[MINUTES[field]] = 60 * _minutes(field, value)
    cooldown = form.get("cooldown_minutes", "").strip()
    return {
        "name": form.get("name", ""),
        "config": config,
        "project_id": form.get("project", ""),
        "description": form.get("description", ""),
        "environment_filter": form.get("environment", ""),
        "source_filter": form.get("source", ""),
        "cooldown_secs": _cooldown_secs(cooldown) if cooldown else None,
    }


def channel_config(form: Mapping[str, str], fields: Sequence[FieldSpec]) -> dict[str, Any]:
    """The config of a channel, without the empty fields.

    Raises:
        InvalidField: a line that is not “Name: value”.
    """
    values = {spec: form[spec.name] for spec in fields if form.get(spec.name, "").strip()}
    config = {spec.name: _pairs(spec.name, text) if spec.kind == PAIRS else text for spec, text in values.items()}
    return {"type": form.get("type", ""), **config}


def describe_error(error: InvalidField) -> str:
    """The reason, with the form's label of the field in place of the API's name."""
    name = error.name.removeprefix("config.")
    return str(error).replace(error.name, _LABELS[name], 1) if name in _LABELS else str(error)


def _pairs(name: str, lines: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        key, colon, value = line.partition(":")
        if not (key.strip() and colon and value.strip()):
            raise InvalidField(f"config.{name}", f"each line of {name} must be “Name: value”")
        pairs[key.strip()] = value.strip()
    return pairs


def _number(field: str, value: str) -> float:
    try:
        return float(value[:NUMBER_LENGTH_MAX])
    except ValueError:
        raise InvalidField(field, f"{field} must be a number") from None


def _minutes(field: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 4 and 1 <= int(value) <= WINDOW_MINUTES_MAX):
        raise InvalidField(field, f"{field} must be a whole number from 1 to {WINDOW_MINUTES_MAX}")
    return int(value)


def _cooldown_secs(minutes: str) -> int:
    secs = _number("cooldown_minutes", minutes) * 60
    if not 0 <= secs <= COOLDOWN_SECS_MAX:  # false for NaN
        raise InvalidField("cooldown_minutes", f"cooldown_minutes must be a number from 0 to {COOLDOWN_SECS_MAX // 60}")
    return round(secs)
