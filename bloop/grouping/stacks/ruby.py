"""Ruby: `file:line:in 'method'` since 3.4, with a backtick before; JRuby and templates print the same."""

from __future__ import annotations

import re

from bloop.grouping.stacks.grammar import CERTAIN, LIKELY, Grammar, number
from bloop.grouping.stacks.model import Frame

_FRAME = re.compile(
    r"^\s*(?:from\s+|\d+:\s+from\s+)?"
    r"(?P<file><internal:[^>]*>|\(eval at [^)]*\)|(?:[A-Za-z]:(?=[/\\]))?[^\s:][^:]*):(?P<line>\d+)"
    r"(?::in [`'](?P<function>.+?)'(?:: (?P<message>.*))?)?$"
)
_FROM = re.compile(r"^\s*(?:from\s+|\d+:\s+from\s+)")
_FILE = re.compile(
    r"\.(?:rb|erb|rake|ru|haml|slim|gemspec|java|jbuilder)$|^<internal:|^\((?:eval|irb)|(?:^|/)(?:bin"
    r"|exe)/\S+$|^-e$"
)
_LIBRARY = re.compile(
    r"/gems/|/lib/ruby/|^<internal:|/bundler/|^/usr/(?:local/)?bin/|^org/jruby/|^jar:|uri:classloader:"
)


class Ruby(Grammar):
    language = "Ruby"

    def evidence(self, line: str) -> int:
        match = _FRAME.match(line)
        if match is None:
            return 0
        if match["function"]:
            return CERTAIN
        return LIKELY if _FROM.match(line) and _FILE.search(match["file"]) else 0

    def frame(self, line: str) -> Frame | None:
        match = _FRAME.match(line)
        if match is None or not (match["function"] or _FILE.search(match["file"])):
            return None
        file = match["file"]
        return Frame(match["function"] or "", file, number(match["line"]), None, not _LIBRARY.search(file))

    def headed(self, line: str) -> str | None:
        match = _FRAME.match(line)
        return match["message"] if match is not None else None
