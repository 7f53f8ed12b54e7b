"""What a text stack says, once parsed: exceptions and threads as sections, calls as frames."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Frame:
    """One call. `file` is a path, or the binary where a language prints no path; `code` is the source line, when the
    stack itself carries it."""

    function: str
    file: str
    line: int | None
    column: int | None
    in_app: bool
    code: str = ""

    @property
    def location(self) -> str:
        """`file:line:column`, as far as known."""
        numbers = [str(n) for n in (self.line, self.column) if n is not None]
        return ":".join([self.file, *numbers] if self.file else numbers)


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive frames of one kind. Pages show application frames open and fold the others."""

    frames: tuple[Frame, ...]
    in_app: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One exception of a chain, or one thread: how it relates to the one before (`""` for the first), its heading, its
    frames."""

    relation: str
    heading: str
    frames: tuple[Frame, ...]
    notes: tuple[str, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        grouped = groupby(self.frames, key=lambda frame: frame.in_app)
        return tuple(Run(tuple(frames), in_app) for in_app, frames in grouped)

    @property
    def has_app_frames(self) -> bool:
        return any(frame.in_app for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Stack:
    """A parsed stack. `language` is a name for people; no sections when the text has no frames."""

    language: str
    sections: tuple[Section, ...]
    lines_cut: int

    @property
    def top_app_frame(self) -> Frame | None:
        """The application's call closest to the error, of the first section that has one."""
        frames = (frame for section in self.sections for frame in section.frames)
        return next((frame for frame in frames if frame.in_app), None)
