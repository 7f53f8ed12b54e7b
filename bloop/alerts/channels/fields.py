"""The config of a channel, read field by field. Each refusal names its field: `config.webhook_url`.

F1  Null and blank text are absent. A field that nobody knows is refused: `secrt` must not mean a channel without one.
F2  A URL is refused at once if it can never be sent to. What a name resolves to is judged when something is sent.
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
    """What somebody sent as a channel's config."""

    def __init__(self, config: Mapping[str, Any], out: Outbound) -> None:
        self._config, self._out = config, out

    def only(self, *names: str) -> None:
        """F1. Raises: InvalidField."""
        for name in self._config:
            if name not in names and name != "type":
                raise InvalidField(f"config.{name}"[:100], f"unknown field; known: {', '.join(names)}")

    def text(self, name: str, *, chars_max: int = TEXT_CHARS_MAX, lines: bool = False) -> str | None:
        """Raises: InvalidField, when it is no text, too long, or of several lines without `lines`."""
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

    def needed(self, name: str, *, chars_max: int = TEXT_CHARS_MAX) -> str:
        """Raises: InvalidField, also when there is none."""
        value = self.text(name, chars_max=chars_max)
        if value is None:
            raise InvalidField(f"config.{name}", f"{name} is required")
        return value

    def url(self, name: str) -> str:
        """F2. Raises: InvalidField."""
        return self._sendable(name, self.needed(name))

    def url_or(self, name: str, default: str) -> str:
        """Raises: InvalidField."""
        value = self.text(name)
        return default if value is None else self._sendable(name, value)

    def texts(self, name: str, *, count_max: int) -> dict[str, str]:
        """An object of strings. Raises: InvalidField."""
        value = self._config.get(name) or {}
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise InvalidField(f"config.{name}", f"{name} must be an object whose values are strings")
        if len(value) > count_max or any(len(text) > TEXT_CHARS_MAX for text in (*value, *value.values())):
            limits = f"at most {count_max} values of at most {TEXT_CHARS_MAX} characters"
            raise InvalidField(f"config.{name}", f"{name} must hold {limits}")
        return value

    def _sendable(self, name: str, url: str) -> str:
        try:
            self._out.guard.judge_host(parse_url(url).host)
        except OutboundRefused as error:
            raise InvalidField(f"config.{name}", f"invalid channel URL: {error}") from None
        return url


def without_nothing(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` without what is None or empty."""
    return {name: value for name, value in config.items() if value}


def host_of(url: str) -> str:
    """What people are shown of a URL: `hooks.slack.com`, with the port where it is an unusual one."""
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
