"""Reads the config of a channel field by field. Each refusal names its field: `config.webhook_url`.

FIELD-1  Null and blank text count as absent. Unknown fields are refused: `secrt` must not mean a channel without one.
FIELD-2  A URL that can never be reached is refused at once. The addresses of a name are checked when sending.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bloop.base.errors import InvalidField, OutboundRefused
from bloop.outbound.sockets import Outbound
from bloop.outbound.urls import parse_url

TEXT_CHARS_MAX = 2048
HINT_CHARS = 4
HIDDEN = "…"  # stands for a secret that is set

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Fields:
    """A channel's config as the client sent it."""

    def __init__(self, config: Mapping[str, Any], out: Outbound) -> None:
        self._config, self._out = config, out

    def reject_unknown(self, *names: str) -> None:
        """Refuse every other field (FIELD-1). Raises: InvalidField."""
        for name in self._config:
            if name not in names and name != "type":
                raise InvalidField(f"config.{name}"[:100], f"unknown field; known: {', '.join(names)}")

    def text(self, name: str, *, chars_max: int = TEXT_CHARS_MAX, lines: bool = False) -> str | None:
        """Trimmed; None when blank. Raises: InvalidField if not text, too long, or several lines without `lines`."""
        value = self._config.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise InvalidField(f"config.{name}", f"{name} must be a string")
        value = value.strip()
        if len(value) > chars_max:
            raise InvalidField(f"config.{name}", f"{name} must be at most {chars_max} characters")
        if not lines and _CONTROL.search(value):
            raise InvalidField(f"config.{name}", f"{name} must be one line")
        return value or None

    def required_text(self, name: str, *, chars_max: int = TEXT_CHARS_MAX) -> str:
        """As `text`, but required. Raises: InvalidField."""
        value = self.text(name, chars_max=chars_max)
        if value is None:
            raise InvalidField(f"config.{name}", f"{name} is required")
        return value

    def url(self, name: str) -> str:
        """A required URL (FIELD-2). Raises: InvalidField."""
        return self._check_url(name, self.required_text(name))

    def url_or(self, name: str, default: str) -> str:
        """An optional URL. Raises: InvalidField."""
        value = self.text(name)
        return default if value is None else self._check_url(name, value)

    def texts(self, name: str, *, count_max: int) -> dict[str, str]:
        """An object of strings. Raises: InvalidField."""
        value = self._config.get(name) or {}
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise InvalidField(f"config.{name}", f"{name} must be an object whose values are strings")
        if len(value) > count_max or any(len(text) > TEXT_CHARS_MAX for text in (*value, *value.values())):
            limits = f"at most {count_max} values of at most {TEXT_CHARS_MAX} characters"
            raise InvalidField(f"config.{name}", f"{name} must hold {limits}")
        return value

    def _check_url(self, name: str, url: str) -> str:
        try:
            self._out.guard.judge_host(parse_url(url).host)
        except OutboundRefused as error:
            raise InvalidField(f"config.{name}", f"invalid channel URL: {error}") from None
        return url


def drop_empty(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` without None and empty values."""
    return {name: value for name, value in config.items() if value}


def host_of(url: str) -> str:
    """The host of a URL, for display: `hooks.slack.com`, with the port unless it is the default."""
    try:
        return parse_url(url).authority
    except OutboundRefused:
        return "an address that cannot be used"


def url_hint(url: str) -> str:
    """`https://hooks.slack.com/…XyZ9`: enough to tell two apart, not enough to post there."""
    try:
        to = parse_url(url)
    except OutboundRefused:
        return HIDDEN
    end = to.target[-HINT_CHARS:] if len(to.target) > HINT_CHARS * 5 else ""
    return f"{to.scheme}://{to.authority}/{HIDDEN}{end}"


def hidden(names: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(names, HIDDEN)
