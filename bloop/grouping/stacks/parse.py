"""Text stacks → frames. Pure.

FRAMES-1  `parse` never raises and its work is bounded: TEXT_CHARS_MAX characters, LINES_MAX lines of LINE_CHARS_MAX
    each, patterns without nested repetition. What was left out is counted in `lines_cut`.
FRAMES-2  Frames run from the call that failed outwards, whatever order the language prints, and the exception that was
    reported comes first, its causes after it. (.NET prints causes first, and so do we: see dotnet.py.)
FRAMES-3  A line that is no frame is not lost: it becomes part of a heading or a note. Only marks that separate
    others (`--- End of …`, `}`) are left out.
FRAMES-4  A text without a single frame gives no sections; pages then show it as it came.
FRAMES-5  The language is the one that most of the text speaks for, not the one of its first line: each line gives a
    language as much weight as it is typical of it.

Whether a frame is the application's own is a guess from its path or module, by the lists of its language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from bloop.grouping.stacks.apple import Apple
from bloop.grouping.stacks.dotnet import DotNet, Unity
from bloop.grouping.stacks.go import Go
from bloop.grouping.stacks.grammar import CAUSED_BY, MEMBER, THREAD, WHILE_HANDLING, Grammar
from bloop.grouping.stacks.javascript import JavaScript
from bloop.grouping.stacks.jvm import Jvm
from bloop.grouping.stacks.model import Frame, Section, Stack
from bloop.grouping.stacks.others import AndroidNative, Beam, Dart, Gdb, Perl, Php
from bloop.grouping.stacks.python import Python
from bloop.grouping.stacks.ruby import Ruby
from bloop.grouping.stacks.rust import Rust

TEXT_CHARS_MAX = 65_536
LINES_MAX = 400
LINE_CHARS_MAX = 600

# The order settles a tie: most particular first.
GRAMMARS: tuple[Grammar, ...] = (
    Python(),
    Jvm(),
    Apple(),
    Ruby(),
    Go(),
    Rust(),
    DotNet(),
    Unity(),
    Dart(),
    Php(),
    Beam(),
    Perl(),
    AndroidNative(),
    Gdb(),
    JavaScript(),
)

# What log collectors put before every line: logcat, time stamps and levels, container names.
_PREFIXES = (
    re.compile(r"^\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\s+\d+\s+\d+ [A-Z] [^:]{1,60}: ?"),
    re.compile(r"^[A-Z]/[^(:]{1,60}\(\s*\d+\): ?"),
    re.compile(r"^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?(?: \[?[A-Z]{3,8}\]?:?)? ?"),
    re.compile(r"^[\w.-]{1,60} +\| ?"),
)


def parse(text: str) -> Stack:
    """The frames of a text stack; no sections when it has none (FRAMES-4)."""
    lines = text[:TEXT_CHARS_MAX].split("\n")
    kept = [line[:LINE_CHARS_MAX].rstrip() for line in lines[:LINES_MAX]]
    lines_cut = len(lines) - len(kept) + text.count("\n", TEXT_CHARS_MAX)
    kept = _without_prefix(kept)
    grammar = _grammar_of(kept)
    if grammar is None:
        return Stack("", (), 0)
    drafts = [draft for draft in _read(grammar.prepared(kept), grammar) if draft.frames or draft.heading or draft.notes]
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


def _without_prefix(lines: list[str]) -> list[str]:
    """The lines without what a log collector put before each, if it did so before nearly all."""
    filled = [line for line in lines if line.strip()]
    for prefix in _PREFIXES:
        having = sum(1 for line in filled if prefix.match(line))
        if having >= 2 and having >= 0.8 * len(filled):
            return [prefix.sub("", line) for line in lines]
    return lines


def _grammar_of(lines: list[str]) -> Grammar | None:
    """FRAMES-5."""
    scores = [(sum(map(grammar.evidence, lines)), -rank) for rank, grammar in enumerate(GRAMMARS)]
    score, rank = max(scores)
    return GRAMMARS[-rank] if score else None


def _read(lines: list[str], grammar: Grammar) -> list[_Draft]:
    drafts = [_Draft()]
    for line in lines:
        if not line.strip() or (grammar.preamble is not None and grammar.preamble.match(line)):
            continue
        draft = drafts[-1]
        if (link := grammar.link(line)) is not None and _begins_another(draft, link[0]):
            drafts.append(_Draft(relation=link[0], heading=[link[1]] if link[1] else []))
        elif link is not None:
            draft.heading.append(link[1])
        elif grammar.is_mark(line):
            continue
        elif (frame := grammar.frame(line)) is not None:
            if (message := grammar.headed(line)) is not None:
                if draft.frames:
                    draft = _Draft(relation=CAUSED_BY)
                    drafts.append(draft)
                draft.heading.append(message)
            draft.frames.append(frame)
        elif draft.frames and (extended := grammar.extend(draft.frames[-1], line)) is not None:
            draft.frames[-1] = extended
        elif bool(draft.frames) == grammar.newest_first:
            draft.notes.append(line.strip())
        else:
            draft.heading.append(line.strip("\r\n"))
    return drafts


def _begins_another(draft: _Draft, relation: str) -> bool:
    """A cause begins a section of its own, also before a frame. The first thread does not: it is what was reported."""
    return bool(draft.frames) or (relation not in (THREAD, WHILE_HANDLING) and bool(draft.heading))


def _innermost_first(drafts: list[_Draft]) -> list[_Draft]:
    """Turn the oldest-first print of Python around: sections, frames, and which section a relation belongs to. The
    members of a group stay behind it."""
    chain: list[list[_Draft]] = []
    for draft in drafts:
        turned = replace(draft, frames=draft.frames[::-1])
        if draft.relation == MEMBER and chain:
            chain[-1].append(turned)
        else:
            chain.append([turned])
    relations = [members[0].relation for members in chain[1:]] + [""]
    for members, relation in zip(chain, relations, strict=True):
        members[0].relation = relation
    return [draft for members in reversed(chain) for draft in members]
