"""The sentence form of a rule, as the body of `/v1/alerts` that says the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bloop.alerts.rules.pages import PAIRS, Spec
from bloop.alerts.rules.store import COOLDOWN_SECS_MAX
from bloop.alerts.rules.words import MINUTES, NUMBERS, TEXTS
from bloop.base.errors import InvalidField

WINDOW_MINUTES_MAX = 1440
NUMBER_LENGTH_MAX = 16
# What each type has blanks for; the others of the form are not its business, whatever stands in them.
_BLANKS = {
    "threshold": ("threshold", "window_minutes", "fingerprint", "route"),
    "spike": ("multiplier", "compare_minutes", "baseline_minutes", "min_count", "fingerprint", "route"),
}
_CALLED = {
    "threshold": "The number of events",
    "multiplier": "How many times as many",
    "min_count": "The fewest events",
    "window_minutes": "The minutes",
    "compare_minutes": "The minutes they rise in",
    "baseline_minutes": "The minutes before",
    "cooldown_minutes": "The minutes of quiet",
}


def body_of(form: Mapping[str, str]) -> dict[str, Any]:
    """A blank that was left empty is absent, but for texts: those it empties.

    Raises:
        InvalidField: a number that is none.
    """
    kind = form.get("type", "")
    config: dict[str, Any] = {"type": kind}
    for blank in _BLANKS.get(kind, ()):
        said = form.get(blank, "").strip()
        if not said:
            continue
        if blank in TEXTS:
            config[blank] = said
        elif blank in NUMBERS:
            config[blank] = _number(blank, said)
        else:
            config[MINUTES[blank]] = 60 * _minutes(blank, said)
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


def channel_config(form: Mapping[str, str], fields: Sequence[Spec]) -> dict[str, Any]:
    """The config of a channel, blanks that were left empty left out.

    Raises:
        InvalidField: a line that is no name and value.
    """
    said = {spec: form[spec.name] for spec in fields if form.get(spec.name, "").strip()}
    config = {spec.name: _pairs(spec.name, text) if spec.kind == PAIRS else text for spec, text in said.items()}
    return {"type": form.get("type", ""), **config}


def in_words(error: InvalidField) -> str:
    """Its reason with what the form calls the field in place of what the API calls it."""
    name = error.name.removeprefix("config.")
    return str(error).replace(error.name, _CALLED[name], 1) if name in _CALLED else str(error)


def _pairs(name: str, lines: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        left, colon, right = line.partition(":")
        if not (left.strip() and colon and right.strip()):
            raise InvalidField(f"config.{name}", f"each line of {name} must be “Name: value”")
        found[left.strip()] = right.strip()
    return found


def _number(blank: str, said: str) -> float:
    try:
        return float(said[:NUMBER_LENGTH_MAX])
    except ValueError:
        raise InvalidField(blank, f"{blank} must be a number") from None


def _minutes(blank: str, said: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) <= 4 and 1 <= int(said) <= WINDOW_MINUTES_MAX):
        raise InvalidField(blank, f"{blank} must be a whole number from 1 to {WINDOW_MINUTES_MAX}")
    return int(said)


def _cooldown_secs(said: str) -> int:
    secs = _number("cooldown_minutes", said) * 60
    if not 0 <= secs <= COOLDOWN_SECS_MAX:  # NaN is not
        raise InvalidField("cooldown_minutes", f"cooldown_minutes must be a number from 0 to {COOLDOWN_SECS_MAX // 60}")
    return round(secs)
