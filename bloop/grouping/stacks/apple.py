"""Swift and Objective-C: crash reports (index, binary, address, symbol), and Swift's own backtraces on Linux."""

from __future__ import annotations

import re

from bloop.grouping.stacks.grammar import CERTAIN, LIKELY, THREAD, Grammar, number
from bloop.grouping.stacks.model import Frame

_REPORT = re.compile(r"^\s*\d+\s+(?P<binary>\S.*?)\s+0x[0-9a-fA-F]+\s+(?P<symbol>\S.*)$")
_SOURCE = re.compile(r"^(?P<function>.+?) (?:\(|in |at )(?P<file>[^()\s]+\.(?:swift|m|mm|c|cc|cpp)):(?P<line>\d+)\)?$")
_OFFSET = re.compile(r" \+ \d+$")
_LINUX = re.compile(
    r"^\s*\d+ (?:\[[a-z]+\] )*(?P<function>\S.*?)(?: \+ \d+)? in (?P<binary>\S+)"
    r"(?: at (?P<file>\S.*?):(?P<line>\d+)(?::(?P<column>\d+))?)?$"
)
_THREAD = re.compile(r"^Thread (?P<number>\d+)(?P<rest>.*?):?$")
_SYSTEM = re.compile(
    r"^(?:UIKit|UIKitCore|Foundation|CoreFoundation|SwiftUI|SwiftUICore|Combine|CoreData|QuartzCore|CFNetwork"
    r"|GraphicsServices|AttributeGraph|AppKit|WebKit|JavaScriptCore|CoreAutoLayout|UpdateCycle|dyld|libc\+\+\S*"
    r"|lib(?:dispatch|objc|swift|system)\S*|lib\S+\.(?:dylib|so)(?:\.\d+)*|ld-\S+)$"
)
_RUNTIME = re.compile(
    r"^(?:_?assertionFailure|_swift_|swift_|objc_exception_throw|__exceptionPreprocess"
    r"|specialized _assert)"
)


class Apple(Grammar):
    language = "Swift"

    def evidence(self, line: str) -> int:
        if _REPORT.match(line):
            return CERTAIN
        return LIKELY if _LINUX.match(line) else 0

    def frame(self, line: str) -> Frame | None:
        if (match := _REPORT.match(line)) is not None:
            binary, symbol = match["binary"], _OFFSET.sub("", match["symbol"])
            in_app = not _SYSTEM.match(binary)
            source = _SOURCE.match(symbol)
            if source is not None:
                return Frame(source["function"], source["file"], number(source["line"]), None, in_app)
            return Frame(symbol, binary, None, None, in_app)
        if (match := _LINUX.match(line)) is not None:
            function, binary = match["function"], match["binary"]
            in_app = not _SYSTEM.match(binary) and not _RUNTIME.match(function)
            file = match["file"] or binary
            return Frame(function, file, number(match["line"]), number(match["column"]), in_app)
        return None

    def link(self, line: str) -> tuple[str, str] | None:
        match = _THREAD.match(line)
        return (THREAD, line.rstrip(":")) if match is not None else None
