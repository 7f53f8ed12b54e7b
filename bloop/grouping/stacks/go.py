"""Go: the call on one line, its file on the next; each goroutine is a thread (pkg.go.dev/runtime/debug#Stack)."""

from __future__ import annotations

import re
from dataclasses import replace

from bloop.grouping.stacks.grammar import CERTAIN, THREAD, Grammar, number
from bloop.grouping.stacks.model import Frame

_FILE = re.compile(r"^\s+(?P<file>\S.*?\.(?:go|s)):(?P<line>\d+)(?: \+0x[0-9a-f]+)?(?: fp=\S+ sp=\S+ pc=\S+)?$")
_ARGUMENTS = re.compile(r"\((?:\{?0x|\.\.\.|\)|\{|0x|\d|-\d)[^\n]*$|\(\)$|\(\.\.\.\)$")
_GOROUTINE = re.compile(r"^goroutine \d+(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[[^\]]*\]:$")
_HEADING = re.compile(r"^(?:panic: |fatal error: |\[signal |\[recovered|exit status )|^\tpanic: ")
_TYPE_ARGUMENTS = re.compile(r"\[\.\.\.\]")
_LIBRARY = re.compile(
    r"/(?:usr/local/)?go/src/|/pkg/mod/|/go\d[\w.]*/src/|/vendor/|^_cgo|libexec/src/|hostedtoolcache/go"
)
_RUNTIME = re.compile(
    r"^(?:runtime|net/http|net|reflect|sync|syscall|os|io|bufio|bytes|strings|strconv|time|context|encoding/\w+"
    r"|database/sql|testing|internal/[\w/]+|runtime/\w+)[.(]|^panic$|^goexit$"
)


class Go(Grammar):
    language = "Go"

    def evidence(self, line: str) -> int:
        return CERTAIN if _FILE.match(line) or _GOROUTINE.match(line) else 0

    def frame(self, line: str) -> Frame | None:
        if line[:1].isspace() or _HEADING.match(line) or _GOROUTINE.match(line) or line.endswith(":"):
            return None
        bare = _ARGUMENTS.sub("", line.removeprefix("created by "))
        bare = re.sub(r" in goroutine \d+$", "", bare)
        if " " in bare or not ("." in bare or bare == "panic"):
            return None
        function = _TYPE_ARGUMENTS.sub("", bare)
        return Frame(function, "", None, None, not _RUNTIME.match(function))

    def extend(self, frame: Frame, line: str) -> Frame | None:
        match = _FILE.match(line)
        if match is None or frame.file:
            return None
        in_app = frame.in_app and not _LIBRARY.search(match["file"])
        return replace(frame, file=match["file"], line=number(match["line"]), in_app=in_app)

    def link(self, line: str) -> tuple[str, str] | None:
        return (THREAD, line.rstrip(":")) if _GOROUTINE.match(line) else None

    def is_mark(self, line: str) -> bool:
        return line.startswith(("goroutine running on other thread", "...additional frames elided..."))
