"""JavaScript: V8 prints `at name (file:1:2)`; Firefox, Safari and Hermes `name@file:1:2`; React Native `at name(file)`.

V8: v8.dev/docs/stack-trace-api. Positions count from 1, columns in UTF-16 units.
"""

from __future__ import annotations

import re

from bloop.grouping.stacks.grammar import CAUSED_BY, CERTAIN, LIKELY, POSSIBLE, Grammar, closing_part, position
from bloop.grouping.stacks.model import Frame

_AT = re.compile(r"^\s*at (?P<rest>\S.*)$")
_ASYNC = re.compile(r"^async (?=\S)")
_PLACE = re.compile(
    r"(?::\d+(?::\d+)?|:wasm-function\[\d+\]:0x[0-9a-fA-F]+)$|^(?:<anonymous>|native|index \d+"
    r"|\[native code\])$"
)
_PATH = re.compile(r"[/\\]|^[a-z][a-z0-9+.-]*:|\.[cm]?[jt]sx?\b|\.(?:vue|svelte|bundle|html?|wasm)\b", re.IGNORECASE)
_EVAL_PLACE = re.compile(r"\(((?!eval at)[^()]+:\d+:\d+)\)")
_REACT_NATIVE = re.compile(r"^(?P<file>.*?):(?P<line>\d+)(?::(?P<rest>[^:]*))?$")
_GECKO = re.compile(
    r"^\s*(?P<function>[^@]{0,300})@(?P<file>\[native code\]|\S.*?)?(?::(?P<line>\d+))?(?::"
    r"(?P<column>\d+))?$"
)
_GECKO_PLACE = re.compile(r"^[^@]{0,300}@(?:\[native code\]|.*:\d+|.*:wasm-function\[\d+\]:0x[0-9a-f]+)$")
_GECKO_ASYNC = re.compile(r"^(?:async\*|async |[\w ]{1,40}\*)+")
_BARE_URL = re.compile(r"^\s*(?P<file>(?:[a-z][a-z0-9+.-]*://|/)\S+?):(?P<line>\d+):(?P<column>\d+)$")
_CODE = re.compile(r"^(?:global|module|eval) code$")
_OTHER_FILES = re.compile(r"\.(?:rs|py|java|kt|cs|go|rb|php|swift|dart|exs?)(?::|$)")
_LIBRARY = re.compile(
    r"node_modules/|^node:|^internal/|^native$|^<anonymous>$|^index \d+$|^ext:|^jsr:|^npm:|^bun:|^deno:"
    r"|//(?:deno\.land|esm\.sh|cdn\.jsdelivr\.net|unpkg\.com|cdn\.skypack\.dev)/"
    r"|webpack/(?:bootstrap|runtime)|(?:chrome|moz|safari-web|safari)-extension://|\[native code\]|InternalBytecode"
    r"|/(?:vendors?|polyfills|framework)[-.~]"
)
_NODE_CAUSE = re.compile(r"^\s*\[cause\]: (?P<heading>.*)$")
_CAUSE = re.compile(r"^\s*Caused by:? (?P<heading>.*)$")
_AGGREGATE = re.compile(r"^\s*\[errors\]: \[$")
_BRACE = re.compile(r"^\s*[\]}],?$")


class JavaScript(Grammar):
    language = "JavaScript"
    preamble = re.compile(r"^(?:Require stack:|- /.*|\(.*\)|The above error occurred in .*)$")

    def evidence(self, line: str) -> int:
        if (match := _AT.match(line)) is not None:
            rest = _ASYNC.sub("", match["rest"].removesuffix(" {"))
            if _OTHER_FILES.search(rest):
                return 0
            parts = closing_part(rest)
            if parts is not None:
                name, inside = parts
                if not name.endswith(" "):
                    return LIKELY if _REACT_NATIVE.match(inside) and "/" in inside else 0
                inside = inside.removeprefix("address at ")
                if "eval at " in inside or (_PLACE.search(inside) and (_PATH.search(inside) or inside.count(":") > 1)):
                    return CERTAIN
                return LIKELY if _PLACE.search(inside) else 0
            if _PLACE.search(rest):
                return LIKELY if _PATH.search(rest) else POSSIBLE
            return 0
        if _GECKO_PLACE.match(line) and _GECKO.match(line):
            return CERTAIN
        return LIKELY if _BARE_URL.match(line) and not _OTHER_FILES.search(line) else 0

    def frame(self, line: str) -> Frame | None:
        if (match := _AT.match(line)) is not None:
            return _v8(match["rest"].removesuffix(" {"))
        if _CODE.match(line):
            return None
        if (match := _BARE_URL.match(line)) is not None:
            return _made("", line.strip())
        if _GECKO_PLACE.match(line) and (match := _GECKO.match(line)) is not None:
            return _made(_GECKO_ASYNC.sub("", match["function"]), line[match.end("function") + 1 :])
        return None

    def link(self, line: str) -> tuple[str, str] | None:
        match = _NODE_CAUSE.match(line) or _CAUSE.match(line)
        return (CAUSED_BY, match["heading"]) if match is not None else None

    def is_mark(self, line: str) -> bool:
        return bool(_BRACE.match(line) or _AGGREGATE.match(line) or _CODE.match(line))


def _v8(rest: str) -> Frame | None:
    rest = _ASYNC.sub("", rest)
    parts = closing_part(rest)
    if parts is None:
        if _PLACE.search(rest) or _PATH.search(rest):
            return _made("", rest)
        return Frame(rest, "", None, None, in_app=False)  # an element of a React component stack: `at div`
    name, inside = parts
    if not name.endswith(" ") and name:
        return _react_native(name, inside)
    if "eval at " in inside:
        places = _EVAL_PLACE.findall(inside)
        return _made(name.strip(), places[-1] if places else inside)
    return _made(name.strip(), inside.removeprefix("address at "))


def _react_native(name: str, inside: str) -> Frame:
    match = _REACT_NATIVE.match(inside)
    if match is None:
        return _made(name, inside)
    column = match["rest"] if match["rest"] and match["rest"].isdigit() else None
    return _made(name, f"{match['file']}:{match['line']}" + (f":{column}" if column else ""))


def _made(function: str, place: str) -> Frame:
    file, line, column = position(place)
    if file.isdigit() and column is None:  # Hermes without a file: `name@1:411873`
        file, line, column = "", int(file[:9]), line
    name = function.removeprefix("Object.") if function != "Object." else function
    return Frame(name, file, line, column, in_app=not _LIBRARY.search(file))
