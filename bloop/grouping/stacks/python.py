"""Python: the newest call is printed last, its source line under it (docs.python.org/3/library/traceback.html).

Exception groups indent their members with `|` and number them; each becomes a section.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bloop.grouping.stacks.grammar import CAUSED_BY, CERTAIN, CODE_CHARS_MAX, MEMBER, WHILE_HANDLING, Grammar, number
from bloop.grouping.stacks.model import Frame

_FRAME = re.compile(r'^[\s|]*File "(?P<file>[^"]*)", line (?P<line>\d+)(?:, in (?P<function>.*))?$')
_CODE = re.compile(r"^[\s|]{4,}\S")
_UNDERLINE = re.compile(r"^[\s|~^]+$")
_REPEATED = re.compile(r"^\s*\[Previous line repeated \d+ more times?\]$")
_LIBRARY = re.compile(r"(?:site|dist)-packages[/\\]|/lib/python\d|\\[Ll]ib\\|^<(?!string>|stdin>|module>)")
_LINK = re.compile(r"^[ |]*(The above exception was the direct cause|During handling of the above)")
_GROUP = re.compile(r"^\s*\+ Exception Group Traceback")
_MEMBER = re.compile(r"^[\s|]*\+-[+-]*-{3,} \d+ -+$")
_END = re.compile(r"^[\s|]*\+-{3,}$")
_BORDER = re.compile(r"^\s*(?:[|+] ?)+")


class Python(Grammar):
    language = "Python"
    newest_first = False
    preamble = re.compile(r"^[\s|+]*(?:Exception Group )?Traceback \(most recent call last\):$")

    def evidence(self, line: str) -> int:
        return CERTAIN if _FRAME.match(line) else 0

    def frame(self, line: str) -> Frame | None:
        match = _FRAME.match(line)
        if match is None:
            return None
        file = match["file"]
        return Frame(match["function"] or "", file, number(match["line"]), None, not _LIBRARY.search(file))

    def extend(self, frame: Frame, line: str) -> Frame | None:
        if _REPEATED.match(line) or not _CODE.match(line):
            return None
        if frame.code or _UNDERLINE.match(line):
            return frame
        return replace(frame, code=line.strip(" |\t")[:CODE_CHARS_MAX])

    def link(self, line: str) -> tuple[str, str] | None:
        if _MEMBER.match(line):
            return MEMBER, ""
        match = _LINK.match(line)
        if match is None:
            return None
        return (CAUSED_BY if match[1].startswith("The") else WHILE_HANDLING), ""

    def is_mark(self, line: str) -> bool:
        return bool(_END.match(line))

    def prepared(self, lines: list[str]) -> list[str]:
        if not any(map(_GROUP.match, lines)):
            return lines
        return [line if _MEMBER.match(line) or _END.match(line) else _BORDER.sub("", line) for line in lines]
