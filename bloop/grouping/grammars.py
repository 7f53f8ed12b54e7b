"""How each language prints a stack frame, and which frames are libraries. Data and small pure functions for frames.py.

A grammar's `marker` tells the language, `start` reads the line that opens a frame, `extend` a following line that
belongs to it (the source line in Python, the file in Go and Rust). Patterns hold no nested repetition.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

CODE_CHARS_MAX = 240


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
        return ":".join([self.file, *numbers]) if self.file else ""


def _no_extension(frame: Frame, line: str) -> Frame | None:
    return None


_NOTHING = re.compile(r"(?!)")


class Grammar(NamedTuple):
    language: str
    marker: re.Pattern[str]
    start: Callable[[str], Frame | None]
    extend: Callable[[Frame, str], Frame | None] = _no_extension
    newest_first: bool = True
    preamble: re.Pattern[str] = _NOTHING


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


# JavaScript: V8 prints `at name (file:1:2)`, Firefox, Safari and Hermes `name@file:1:2`. -----------------------------

_V8 = re.compile(r"^\s*at (?:(?P<function>.+?) \((?P<file>[^()]*?)(?::(?P<line>\d+))?(?::(?P<column>\d+))?\))$")
_V8_BARE = re.compile(r"^\s*at (?:async )?(?P<file>\S+?)(?::(?P<line>\d+))?(?::(?P<column>\d+))?$")
_GECKO = re.compile(
    r"^\s*(?P<function>[^@\s]*)@(?P<file>\[native code\]|\S+?)(?::(?P<line>\d+))?(?::(?P<column>\d+))?$"
)
_JS_LIBRARY = re.compile(
    r"node_modules/|^node:|^internal/|^native$|^<anonymous>$|^index \d+$|webpack/(?:bootstrap|runtime)|[-.](?:extension)://"
    r"|(?:chrome|moz|safari-web)-extension://|\[native code\]|InternalBytecode|/(?:vendors?|polyfills|framework)[-.~]"
)


def _javascript(line: str) -> Frame | None:
    match = _V8.match(line) or _V8_BARE.match(line) or _GECKO.match(line)
    if match is None:
        return None
    found = match.groupdict()
    file = found["file"]
    in_app = not _JS_LIBRARY.search(file)
    return Frame(found.get("function") or "", file, _number(found["line"]), _number(found["column"]), in_app)


# Python: the newest call is printed last, its source line under it. -------------------------------------------------

_PYTHON = re.compile(r'^[\s|]*File "(?P<file>[^"]*)", line (?P<line>\d+)(?:, in (?P<function>.*))?$')
_PYTHON_CODE = re.compile(r"^[\s|]{4,}\S")
_PYTHON_UNDERLINE = re.compile(r"^[\s|~^]+$")
_PYTHON_LIBRARY = re.compile(r"(?:site|dist)-packages/|/lib/python\d|\\[Ll]ib\\|^<(?!string>|stdin>)")


def _python(line: str) -> Frame | None:
    match = _PYTHON.match(line)
    if match is None:
        return None
    file = match["file"]
    return Frame(match["function"] or "", file, _number(match["line"]), None, not _PYTHON_LIBRARY.search(file))


def _python_code(frame: Frame, line: str) -> Frame | None:
    if not _PYTHON_CODE.match(line):
        return None
    if frame.code or _PYTHON_UNDERLINE.match(line):
        return frame
    return replace(frame, code=line.strip(" |\t")[:CODE_CHARS_MAX])


# Java and Kotlin. ---------------------------------------------------------------------------------------------------

_JAVA = re.compile(
    r"^\s*at (?P<function>[^\s(]+)\((?P<file>[^():]+\.(?:java|kt|kts|scala|groovy|clj)|Native Method|Unknown Source"
    r"|SourceFile|<generated>)(?::(?P<line>-?\d+))?\)"
)
_JAVA_LIBRARY = re.compile(
    r"^(?:[\w.@]+/)?(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|android|androidx|com\.android"
    r"|com\.google\.android|dalvik|libcore|okhttp3|okio|retrofit2|io\.reactivex|io\.netty|reactor|dagger|rx"
    r"|org\.springframework|org\.apache|org\.hibernate|org\.jetbrains|org\.junit|com\.zaxxer|com\.fasterxml)\."
)


def _java(line: str) -> Frame | None:
    match = _JAVA.match(line)
    if match is None:
        return None
    function = match["function"]
    return Frame(function, match["file"], _number(match["line"]), None, not _JAVA_LIBRARY.match(function))


# Swift and Objective-C: index, binary, address, symbol. ---------------------------------------------------------------

_APPLE = re.compile(r"^\s*\d+\s+(?P<binary>\S.*?)\s+0x[0-9a-fA-F]+\s+(?P<symbol>.+)$")
_APPLE_SOURCE = re.compile(r"^(?P<function>.+?) (?:\(|in |at )(?P<file>[^()\s]+\.(?:swift|m|mm)):(?P<line>\d+)\)?$")
_APPLE_LIBRARY = re.compile(
    r"^(?:UIKit|UIKitCore|Foundation|CoreFoundation|SwiftUI|SwiftUICore|Combine|CoreData|QuartzCore|CFNetwork"
    r"|GraphicsServices|AttributeGraph|AppKit|WebKit|JavaScriptCore|CoreAutoLayout|UpdateCycle|dyld|libc\+\+\S*"
    r"|lib(?:dispatch|objc|swift|system)\S*|lib\S+\.dylib)$"
)


def _apple(line: str) -> Frame | None:
    match = _APPLE.match(line)
    if match is None:
        return None
    binary, symbol = match["binary"], re.sub(r" \+ \d+$", "", match["symbol"])
    in_app = not _APPLE_LIBRARY.match(binary)
    source = _APPLE_SOURCE.match(symbol)
    if source is not None:
        return Frame(source["function"], source["file"], _number(source["line"]), None, in_app)
    return Frame(symbol, binary, None, None, in_app)


# Ruby: `file:line:in 'method'` since 3.4, with a backtick before. ---------------------------------------------------

_RUBY = re.compile(
    r"^\s*(?:from\s+|\d+:\s+from\s+)?(?P<file>[^\s:][^:]*):(?P<line>\d+):in [`'](?P<function>.+?)'(?P<rest>.*)$"
)
_RUBY_LIBRARY = re.compile(r"/gems/|/lib/ruby/|^<internal:|/bundler/|^/usr/(?:local/)?bin/")


def _ruby(line: str) -> Frame | None:
    match = _RUBY.match(line)
    if match is None or match["rest"].startswith(": "):  # `file:1:in 'm': message (Type)` heads a full message
        return None
    file = match["file"]
    return Frame(match["function"], file, _number(match["line"]), None, not _RUBY_LIBRARY.search(file))


# Go: the call on one line, its file on the next. --------------------------------------------------------------------

_GO_CALL = re.compile(
    r"^(?:created by )?(?P<function>[\w./\-@*()\[\]·]+\.[^\s]+?)(?:\((?:[^()]*|\.\.\.)\))?(?: in goroutine \d+)?$"
)
_GO_FILE = re.compile(r"^\s+(?P<file>\S+\.(?:go|s)):(?P<line>\d+)(?: \+0x[0-9a-f]+)?$")
_GO_LIBRARY = re.compile(r"/(?:usr/local/)?go/src/|/pkg/mod/|/go\d[\w.]*/src/|/vendor/|^_cgo")
_GO_RUNTIME = re.compile(r"^(?:runtime|net/http|net|reflect|sync|encoding/\w+|database/sql|testing|panic)[.(]")


def _go(line: str) -> Frame | None:
    if line[:1].isspace() or line.startswith(("goroutine ", "panic: ", "[signal ")):
        return None
    match = _GO_CALL.match(line)
    if match is None:
        return None
    function = match["function"]
    return Frame(function, "", None, None, not _GO_RUNTIME.match(function))


def _go_file(frame: Frame, line: str) -> Frame | None:
    match = _GO_FILE.match(line)
    if match is None:
        return None
    in_app = frame.in_app and not _GO_LIBRARY.search(match["file"])
    return replace(frame, file=match["file"], line=_number(match["line"]), in_app=in_app)


# Rust: numbered symbol, then `at file:line:column`. -------------------------------------------------------------------

_RUST_CALL = re.compile(r"^\s*\d+:\s+(?:0x[0-9a-f]+ - )?(?P<function>\S.*)$")
_RUST_FILE = re.compile(r"^\s+at (?P<file>\S+?):(?P<line>\d+)(?::(?P<column>\d+))?$")
_RUST_LIBRARY = re.compile(r"/rustc/|\.cargo/|/library/(?:std|core|alloc)/")
_RUST_RUNTIME = re.compile(
    r"^<?(?:std|core|alloc|tokio|hyper|futures\w*|actix\w*|axum|tower\w*|rayon\w*|rust_begin_unwind|__libc|_start|main$"
    r"|backtrace|anyhow|__rust)(?:::|$|\w*$| )"
)


def _rust(line: str) -> Frame | None:
    match = _RUST_CALL.match(line)
    if match is None:
        return None
    function = re.sub(r"::h[0-9a-f]{16}$", "", match["function"])
    return Frame(function, "", None, None, not _RUST_RUNTIME.match(function))


def _rust_file(frame: Frame, line: str) -> Frame | None:
    match = _RUST_FILE.match(line)
    if match is None:
        return None
    in_app = frame.in_app and not _RUST_LIBRARY.search(match["file"])
    return replace(
        frame, file=match["file"], line=_number(match["line"]), column=_number(match["column"]), in_app=in_app
    )


# .NET: `at Type.Method(Arg a) in file:line 12`. -----------------------------------------------------------------------

_DOTNET = re.compile(r"^\s*at (?P<function>[^\s(]+\([^()]*\))(?: in (?P<file>.+?):line (?P<line>\d+))?\s*$")
_DOTNET_LIBRARY = re.compile(r"^(?:System|Microsoft|Npgsql|Newtonsoft|MediatR|Polly|Serilog|Dapper)\.")


def _dotnet(line: str) -> Frame | None:
    match = _DOTNET.match(line)
    if match is None:
        return None
    function = match["function"]
    return Frame(function, match["file"] or "", _number(match["line"]), None, not _DOTNET_LIBRARY.match(function))


GRAMMARS = (  # most particular marker first
    Grammar("Python", _PYTHON, _python, _python_code, False, re.compile(r"^[\s|+]*(?:Exception Group )?Traceback ")),
    Grammar("Java/Kotlin", _JAVA, _java),
    Grammar("Swift", _APPLE, _apple),
    Grammar("Ruby", _RUBY, _ruby),
    Grammar("Go", _GO_FILE, _go, _go_file, preamble=re.compile(r"^goroutine \d+")),
    Grammar("Rust", re.compile(r"^\s*\d+:\s+\S+::\S"), _rust, _rust_file, preamble=re.compile(r"^stack backtrace:$")),
    Grammar(
        ".NET",
        re.compile(r"^\s*at [^\s(]+\([^()]*\) in .+:line \d+\s*$|^\s*at (?:System|Microsoft)\.[^\s(]+\("),
        _dotnet,
    ),
    Grammar("JavaScript", re.compile(r"^\s*at \S|^\s*[^@\s]*@\S+:\d+:\d+$"), _javascript),
)
