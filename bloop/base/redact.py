"""Strikes out of texts what may be secret or come from a client: for the log, and for reports of bloop's own errors."""

from __future__ import annotations

import re

STRUCK = "[…]"

_SECRETS = re.compile(r"bloop_[A-Za-z0-9_-]{6,}|\b[0-9A-Fa-f]{32,}\b|(?i:bearer|basic) +[^\s'\"]+")
_URL_PATH = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/?#'\"]+)[/?#][^\s'\"]*", re.IGNORECASE)
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_QUOTATION_BEGINS = re.compile(r"\"|'(?!(?:t|s|re|ve|ll|d|m)\b)")  # not in "can't" and "it's"
# Newlines forge lines; the others move the cursor, or turn around what a person reads.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def strike_secrets(text: str) -> str:
    """Without what looks like a key, a token or the path of a URL."""
    return _SECRETS.sub(STRUCK, _URL_PATH.sub(rf"\1/{STRUCK}", text))


def strike_quotations(text: str, longer_than: int = 0) -> str:
    """Without what it quotes beyond so many characters: messages often quote their input."""
    return _QUOTED.sub(lambda match: _struck(match[0]) if len(match[0]) - 2 > longer_than else match[0], text)


def strike_from_quotation(text: str) -> str:
    """The start of a message, up to where it quotes its input, which may itself hold quotation marks."""
    begins = _QUOTATION_BEGINS.search(text)
    return text if begins is None else text[: begins.start()] + STRUCK


def escape_control(text: str) -> str:
    """One line of visible text: newlines and other control characters as Python spells them, `\\n`, `\\x1b`."""
    return text if text.isprintable() else _CONTROL.sub(_spelled, text)


def _struck(quotation: str) -> str:
    return quotation[0] + STRUCK + quotation[0]


def _spelled(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
