"""From what was written to what it means: one section, its keys known, its values of their types and in their ranges.

Unknown keys are errors: a typing mistake must not silently mean the default. No error shows a secret.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import Field
from typing import Any

from bloop.base.config.sections import keys_of
from bloop.base.config.settings import SECTIONS
from bloop.base.config.sources import Text
from bloop.base.errors import ConfigError

SHOWN_CHARS_MAX = 80
_KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}


def build_section(name: str, given: Mapping[str, Any]) -> Any:
    """The section of that name, with its defaults for what is not given.

    Raises:
        ConfigError: a value will not do, or a key is unknown; names the key.
    """
    kind = SECTIONS[name]
    known, hints = keys_of(kind), typing.get_type_hints(kind)
    values = {}
    for key, f in known.items():
        if key in given:
            label, value = f"{name}.{key}", given[key]
            if f.metadata["secret"] and not isinstance(value, str):
                raise ConfigError(label, "must be a string")
            values[f.name] = _in_range(label, _convert(label, value, hints[f.name]), f)
    if unknown := given.keys() - known.keys():
        raise ConfigError(f"{name}.{min(unknown)}", f"unknown setting; known in [{name}]: {', '.join(known)}")
    return kind(**values)


def shorten(value: Any) -> str:
    """The value as an error message shows it: on one line, and never long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply, or too many digits to print
        return "a value too long to show"
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"


def _convert(label: str, value: Any, kind: Any) -> Any:
    if isinstance(value, Text):
        return _parse(label, str(value), kind)
    if kind is float and type(value) in (int, float):
        return _as_float(label, value)
    if isinstance(kind, types.GenericAlias):
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
        raise ConfigError(label, "must be a list of strings")
    if type(value) is not kind:
        raise ConfigError(label, f"must be {_KIND_NAMES[kind]}, not {shorten(value)}")
    return value


def _as_float(label: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number above 1e308
        raise ConfigError(label, "must be a finite number") from None


def _parse(label: str, text: str, kind: Any) -> Any:
    if kind is str:
        return text
    if isinstance(kind, types.GenericAlias):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        if text.strip().lower() in ("true", "1", "yes", "on"):
            return True
        if text.strip().lower() in ("false", "0", "no", "off"):
            return False
        raise ConfigError(label, f"must be true or false, not {shorten(text)}")
    try:
        return kind(text.strip())
    except ValueError:
        raise ConfigError(label, f"must be {_KIND_NAMES[kind]}, not {shorten(text)}") from None


def _in_range(label: str, value: Any, f: Field[Any]) -> Any:
    low, high = f.metadata["low"], f.metadata["high"]
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(label, f"must be a finite number, not {value}")
    if low is not None and value < low:
        raise ConfigError(label, f"must be at least {low}, not {shorten(value)}")
    if high is not None and value > high:
        raise ConfigError(label, f"must be at most {high}, not {shorten(value)}")
    return value
