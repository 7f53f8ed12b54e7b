"""What a comment may be. Pure."""

from __future__ import annotations

from bloop.base.errors import InvalidField

TEXT_CHARS_MAX = 10_000
COMMENTS_MAX = 1000  # of one issue
BODY_BYTES_MAX = 131_072  # of a request: a character takes up to twelve bytes in a form or as \\u escapes
FIELD = "text"


def check_text(value: object) -> str:
    """The text of a comment as it is stored: line ends are \\n, without blank space around it.

    Raises:
        InvalidField: it is no text, blank or too long.
    """
    if not isinstance(value, str):
        raise InvalidField(FIELD, "text must be a string")
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise InvalidField(FIELD, "text must not be empty")
    if len(text) > TEXT_CHARS_MAX:
        raise InvalidField(FIELD, f"text must be at most {TEXT_CHARS_MAX:,} characters")
    return text
