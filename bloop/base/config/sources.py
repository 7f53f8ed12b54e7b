"""Where values come from: the settings file, the environment, and files that the environment names.

What comes out is what was written, by section and key. A file has types of its own; text from the environment is marked
as `Text`, to be read by the type that its key declares, so a secret made only of digits stays a string.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bloop.base.config.sections import keys_of
from bloop.base.config.settings import NO_FILE, SECTIONS
from bloop.base.errors import ConfigError

FILE_VARIABLE = "BLOOP_CONFIG"

# Short names for two settings that people have long set this way; the long name wins.
SHORT_VARIABLES = {
    f"BLOOP_{key}{suffix}": f"BLOOP__ALERTING__{key}{suffix}"
    for key in ("SLACK_WEBHOOK_URL", "WEBHOOK_URL")
    for suffix in ("", "_FILE")
}

_DIGITS = re.compile(r"[0-9A-Fa-f_]+")

Values = dict[str, dict[str, Any]]  # section → key → value


class Text(str):
    """A value that came as text and is to be read by the declared type of its key."""


def read_file(path: str | os.PathLike[str] | None, in_environ: str) -> tuple[Values, str]:
    """What the settings file says, and which one it was; one that nobody named may be missing."""
    file = Path(path or in_environ or "config.toml")
    try:
        raw = _parse_toml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path is not None or in_environ:
            raise ConfigError(FILE_VARIABLE if path is None else "--config", f"{file} does not exist") from None
        return {}, NO_FILE
    except OSError as error:
        raise ConfigError(str(file), f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # not TOML, not UTF-8, or a NUL in the file's name
        raise ConfigError(str(file), f"cannot be read: {error}") from error
    for name, section in raw.items():
        if name not in SECTIONS:
            raise ConfigError(name, f"unknown section in {file}; known: {', '.join(sorted(SECTIONS))}")
        if not isinstance(section, dict):
            raise ConfigError(name, "must be a [section]")
    return raw, str(file)


def _parse_toml(text: str) -> dict[str, Any]:
    """The document. Raises ValueError for everything that is wrong with it; tomllib also raises other errors."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        lines = text.splitlines()
        deepest = max(range(len(lines)), key=lambda index: sum(map(lines[index].count, "[{.")))
        raise ValueError(f"arrays or tables nested too deeply (at line {deepest + 1})") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # int() refuses, and does not know where the number is
        longest = max(_DIGITS.finditer(text), key=lambda match: len(match[0]), default=None)
        if longest is None:
            raise
        line = text.count("\n", 0, longest.start()) + 1
        raise ValueError(f"a number has {len(longest[0])} digits (at line {line})") from error


def overlay_environment(values: Values, environ: Mapping[str, str]) -> None:
    """Put `BLOOP__A__B` over `values[a][b]`; `BLOOP__A__B_FILE` reads the value from the file it names."""
    known = {section: keys_of(kind) for section, kind in SECTIONS.items()}
    for variable in sorted(environ, key=lambda name: (name.upper() not in SHORT_VARIABLES, name)):
        parts = SHORT_VARIABLES.get(variable.upper(), variable).lower().split("__")
        if parts[0] != "bloop" or len(parts) < 2:
            continue
        section, key = parts[1], "__".join(parts[2:])
        from_file = key.endswith("_file") and key.removesuffix("_file") in known.get(section, {})
        key = key.removesuffix("_file") if from_file else key
        if key not in known.get(section, {}):
            raise ConfigError(f"{section}.{key}", f"unknown setting (from the environment variable {variable})")
        text = _read_value(f"{section}.{key}", environ[variable]) if from_file else environ[variable]
        values.setdefault(section, {})[key] = Text(text)


def _read_value(label: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(label, f"cannot read {path}: {error}") from error
