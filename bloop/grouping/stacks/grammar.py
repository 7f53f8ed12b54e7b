"""What the parser asks of a language: how it prints frames, headings, causes and threads.

Every pattern is linear: no nested repetition, and lines have a bound. A language subclasses `Grammar` and says only
what is its own.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar

from bloop.grouping.stacks.model import Frame

CODE_CHARS_MAX = 240

# How much a line that reads as a frame speaks for a language, in `Grammar.evidence`.
CERTAIN = 4  # nobody else prints this
LIKELY = 2
POSSIBLE = 1  # several languages do

CAUSED_BY = "Caused by"
SUPPRESSED = "Suppressed"
WHILE_HANDLING = "While handling"
THROWN_AGAIN = "Thrown again as"
MEMBER = "One of them"
THREAD = "Another thread"


class Grammar(ABC):
    """One language. The defaults are those of a language whose stack is a heading and frames, newest call first."""

    language: ClassVar[str]
    newest_first: ClassVar[bool] = True
    preamble: ClassVar[re.Pattern[str] | None] = None  # lines that say "here comes a stack" and nothing else

    @abstractmethod
    def evidence(self, line: str) -> int:
        """How much this line speaks for the language; 0 where it says nothing."""

    @abstractmethod
    def frame(self, line: str) -> Frame | None:
        """The frame that begins on this line."""

    def extend(self, frame: Frame, line: str) -> Frame | None:
        """The frame before with what this line adds to it; None: the line is none of its own."""
        return None

    def link(self, line: str) -> tuple[str, str] | None:
        """Relation and heading of the exception or thread that begins on this line."""
        return None

    def headed(self, line: str) -> str | None:
        """The message on a line that is a frame as well; another one begins the cause of the one before."""
        return None

    def prepared(self, lines: list[str]) -> list[str]:
        """The lines without what the language draws around them."""
        return lines

    def is_mark(self, line: str) -> bool:
        """Whether the line only separates others (`--- End of …`, `}`): it is left out."""
        return False


def number(text: str | None) -> int | None:
    """A line or column; None for what is no number or too long for one."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


_POSITION = re.compile(r"^(?P<file>.*?)(?::(?P<line>\d+))?(?::(?P<column>\d+))?$")


def position(text: str) -> tuple[str, int | None, int | None]:
    """`path:12:34` → path, line, column; both numbers may be missing."""
    match = _POSITION.match(text)
    assert match is not None, "every part of the pattern may be empty"
    return match["file"], number(match["line"]), number(match["column"])


def closing_part(text: str) -> tuple[str, str] | None:
    """`name (inside)` → name and inside, by the bracket that closes last; brackets inside are kept."""
    if not text.endswith(")"):
        return None
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        if text[at] == ")":
            depth += 1
        elif text[at] == "(":
            depth -= 1
            if not depth:
                return text[:at], text[at + 1 : -1]
    return None
