"""Text stacks → frames. Pure; reads what JavaScript, Python, Java/Kotlin, Swift, Ruby, Go, Rust and .NET print.

FRAMES-1  `parse` never raises and its work is bounded: TEXT_CHARS_MAX characters, LINES_MAX lines of LINE_CHARS_MAX
    each, patterns without nested repetition. What was left out is counted in `lines_cut`.
FRAMES-2  Frames run from the call that failed outwards, whatever order the language prints, and the exception that was
    reported comes first, its causes after it.
FRAMES-3  A line that is no frame is not lost: it becomes part of a heading or a note.
FRAMES-4  A text without a single frame gives no sections; pages then show it as it came.

Whether a frame is the application's own is a guess from its path or module, by the lists in grammars.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import groupby

from bloop.grouping.grammars import GRAMMARS, Frame, Grammar

TEXT_CHARS_MAX = 65_536
LINES_MAX = 400
LINE_CHARS_MAX = 600
SNIFF_LINES = 60  # lines looked at to tell the language

_CAUSE = re.compile(r"^\s*(Caused by|Suppressed|\[cause\])\s*:\s?(.*)$")
_PYTHON_LINK = re.compile(r"^(?:[ |]*)(The above exception was the direct cause|During handling of the above)")
_RELATIONS = {
    "Caused by": "Caused by",
    "[cause]": "Caused by",
    "Suppressed": "Suppressed",
    "The above exception was the direct cause": "Caused by",
    "During handling of the above": "While handling",
}


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive frames of one kind. Pages show application frames open and fold the others."""

    frames: tuple[Frame, ...]
    in_app: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One exception of a chain: how it relates to the one before (`""` for the first), its heading, its frames."""

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
    """A parsed stack. `language` is a name for people."""

    language: str
    sections: tuple[Section, ...]
    lines_cut: int


def parse(text: str) -> Stack:
    """The frames of a text stack; no sections when it has none (FRAMES-4)."""
    lines = text[:TEXT_CHARS_MAX].split("\n")
    kept = [line[:LINE_CHARS_MAX].rstrip() for line in lines[:LINES_MAX]]
    lines_cut = len(lines) - len(kept) + text.count("\n", TEXT_CHARS_MAX)
    grammar = _grammar_of(kept[:SNIFF_LINES])
    if grammar is None:
        return Stack("", (), 0)
    drafts = _read(kept, grammar)
    if not any(draft.frames for draft in drafts):
        return Stack("", (), 0)
    if not grammar.newest_first:
        drafts = _innermost_first(drafts)
    return Stack(grammar.language, tuple(draft.finish() for draft in drafts), lines_cut)


@dataclass(slots=True)
class _Draft:
    relation: str = ""
    heading: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def finish(self) -> Section:
        heading = "\n".join(self.heading).strip()
        return Section(self.relation, heading, tuple(self.frames), tuple(self.notes))


def _grammar_of(lines: list[str]) -> Grammar | None:
    """The grammar most lines speak; the order of GRAMMARS settles a tie, most particular first."""
    scores = [(sum(1 for line in lines if g.marker.search(line)), -rank, g) for rank, g in enumerate(GRAMMARS)]
    score, _, best = max(scores, key=lambda scored: scored[:2])
    return best if score else None


def _read(lines: list[str], grammar: Grammar) -> list[_Draft]:
    drafts = [_Draft()]
    for line in lines:
        if not line.strip():
            continue
        draft = drafts[-1]
        if (link := _PYTHON_LINK.match(line)) is not None and not grammar.newest_first:
            drafts.append(_Draft(relation=_RELATIONS[link.group(1)]))
        elif (cause := _CAUSE.match(line)) is not None and draft.frames:
            drafts.append(_Draft(relation=_RELATIONS[cause.group(1)], heading=[cause.group(2)]))
        elif (frame := grammar.start(line)) is not None:
            draft.frames.append(frame)
        elif draft.frames and (extended := grammar.extend(draft.frames[-1], line)) is not None:
            draft.frames[-1] = extended
        else:
            _place(draft, line, grammar)
    return drafts


def _place(draft: _Draft, line: str, grammar: Grammar) -> None:
    """A line that is no frame: a heading where the language prints its headings, a note elsewhere (FRAMES-3)."""
    if grammar.preamble.match(line):
        return  # says "here comes a stack" and nothing else
    if bool(draft.frames) == grammar.newest_first:
        draft.notes.append(line.strip())
    else:
        draft.heading.append(line.strip("\r\n"))


def _innermost_first(drafts: list[_Draft]) -> list[_Draft]:
    """Turn the oldest-first print of Python around: sections, frames, and which section a relation belongs to."""
    relations = [draft.relation for draft in drafts[1:]] + [""]
    turned = [
        replace(draft, relation=relation, frames=draft.frames[::-1])
        for draft, relation in zip(drafts, relations, strict=True)
    ]
    return turned[::-1]
