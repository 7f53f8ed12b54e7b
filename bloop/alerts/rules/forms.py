"""Converts the form of a rule into the equivalent body of `/v1/alerts`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bloop.alerts.rules.store import COOLDOWN_SECS_MAX
from bloop.alerts.rules.words import MINUTES, NUMBERS, TEXTS, default_rule_name
from bloop.base.errors import BloopError, InvalidField

WINDOW_MINUTES_MAX = 1440
NUMBER_LENGTH_MAX = 16

_CHANNEL = re.compile(r"channel-([0-9]{1,18})")
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
    """The body of the form: an empty field is absent, an empty text clears the stored one. An empty name becomes the
    default one. `fingerprint` has to be one: `watched.py` finds that of a short id.

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
        "name": form.get("name", "").strip() or default_rule_name(form),
        "config": config,
        "project_id": form.get("project", ""),
        "description": form.get("description", ""),
        "environment_filter": form.get("environment", ""),
        "source_filter": form.get("source", ""),
        "cooldown_secs": _cooldown_secs(cooldown) if cooldown else None,
    }


def chosen_channels(form: Mapping[str, str]) -> frozenset[int]:
    """The saved channels that are ticked: the fields `channel-7`."""
    return frozenset(int(match[1]) for name in form if (match := _CHANNEL.fullmatch(name)))


def describe_error(error: InvalidField) -> str:
    """The reason, with the form's label of the field in place of the API's name."""
    name = error.name.removeprefix("config.")
    return str(error).replace(error.name, _LABELS[name], 1) if name in _LABELS else str(error)


def describe_problem(error: BloopError) -> str:
    """Why a form was refused."""
    return describe_error(error) if isinstance(error, InvalidField) else str(error)


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
