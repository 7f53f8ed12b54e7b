"""What varies inside a message and inside a stack, taken out. Part of fingerprint v1: released, so not edited again.

Message: UUIDs become `<uuid>`, IPv4 addresses `<ip>`, runs of digits `<n>`, in that order; then lower case, trimmed.
There are no word boundaries (`abc123` is `abc<n>`), and digits are Unicode digits.

Top frame: the first line of the stack that is neither a header nor a framework's, its line numbers removed. Where
everything is a framework's, the first line that is no header stands, numbers kept.

A *header* is a leading line that describes the error instead of naming a place. It repeats the message with its
varying parts, so it must not reach the hash. A first line is a header when it does not look like a frame (`at …`,
`File "…"`, `#1 …`, `2: …`) and
    - starts with the event's error type, alone or followed by `:`, ` ` or `(`        TypeError: x is not a function
    - starts with a name and a colon, as most runtimes print an error                 com.acme.OrderFailed: order 17
    - is nothing but a name that ends in Error or Exception                           java.lang.NullPointerException
    - opens with a phrase runtimes use        Uncaught …, Exception in thread …, goroutine 7 …, panic: …
The rest of a message of several lines goes with it: everything up to the next line that looks like a frame.

A Python traceback runs the other way, so its innermost frame counts: the last `File "…"` line that is not a library's.
Content hashes in JavaScript file names (`app.3f9c2b1e.js`) go too, or every build would start new groups, and so do
memory addresses (`0x0000000104f2b1c0 main + 52`), which differ at every launch.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Errors come in bursts from the same lines while their messages vary, and many runtimes repeat the message on top of
# the stack: so it is lines that are remembered, not stacks. A few hundred kilobytes, a tenth of the work.
CACHED_LINES_MAX = 4096
CACHED_LINE_CHARS_MAX = 512

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_IPV4 = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}")
_NUMBER = re.compile(r"\d+")
# ASCII text takes one pass through this table instead: every digit to 0, every capital to its small letter.
_ASCII_FOLD = bytes.maketrans(b"123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"000000000abcdefghijklmnopqrstuvwxyz")

_LOCATION = re.compile(r":\d+(?::\d+)?| line \d+")
_COLON_LOCATION = re.compile(r":\d+(?::\d+)?")  # a third cheaper, for lines where the other half cannot match
_BUILD_HASH = re.compile(r"[.-](?=[a-f]*[0-9])[0-9a-f]{8,64}(?=\.)")

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b ?| \+ \d+$")  # six digits: shorter ones are offsets and flags

_FRAME_STARTS = ("at ", 'File "')
_FRAME = re.compile(r'at |File "|#\d+ |\d+: |\d+ +\S+ +0x|[^\s@]*@\S*:\d+|\S+:\d+:in ')
_HEADER = re.compile(
    r"Uncaught\b|Unhandled\b|Exception in thread |Caused by: |goroutine \d|panic: |thread '"
    r"|[A-Za-z_$][\w.$]*(?: \[\w+\])?:(?:\s|$)"
    r"|[\w.$]*(?:Error|Exception)$"
)
_PYTHON_TRACEBACK = "Traceback (most recent call last)"
_PYTHON_FRAME = 'File "'
_PYTHON_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python", 'File "<frozen ')


def normalize_message(message: str) -> str:
    """The message with everything that differs between two occurrences of one error replaced."""
    if message.count("-") >= 4:  # cheaper than a search that finds nothing, which is the usual case
        message = _without_uuids(message)
    if message.count(".") >= 3:
        message = _IPV4.sub("<ip>", message)
    if message.isascii():
        return _fold_ascii(message).strip()
    return _NUMBER.sub("<n>", message).lower().strip()


def _without_uuids(message: str) -> str:
    """What `_UUID.sub("<uuid>", message)` gives, five times as fast: only places before a hyphen are tried."""
    parts: list[str] = []
    done = 0
    hyphen = message.find("-", 8)
    while hyphen >= 0:
        if message[hyphen + 5 : hyphen + 6] == "-" and _UUID.match(message, hyphen - 8):
            parts += (message[done : hyphen - 8], "<uuid>")
            done = hyphen + 28
            hyphen = message.find("-", done + 8)
        else:
            hyphen = message.find("-", hyphen + 1)
    return "".join((*parts, message[done:])) if parts else message


def _fold_ascii(message: str) -> str:
    """Numbers and case of an ASCII message; the same answer as the regular expression's, three times as fast."""
    folded = message.encode().translate(_ASCII_FOLD)
    while b"00" in folded:
        folded = folded.replace(b"00", b"0")
    return folded.replace(b"0", b"<n>").decode()


def top_frame(stack: str | None, error_type: str) -> str:
    """The line of `stack` that tells two errors with the same message apart; `""` when there is none."""
    if not stack:
        return ""
    lines = stack.split("\n")  # not splitlines(): it also breaks at U+2028, form feeds and others
    first = _first_text(lines)
    line = lines[first].strip()
    if _PYTHON_TRACEBACK in line:
        return _innermost_python_frame(lines)
    if _is_header(line, error_type):
        first = _after_header(lines, first)
    return _first_own_frame(lines, first)


def _first_text(lines: list[str]) -> int:
    """Index of the first line that is not blank, 0 when all are."""
    for index, line in enumerate(lines):
        if line and not line.isspace():
            return index
    return 0


def _is_header(line: str, error_type: str) -> bool:
    if line.startswith(_FRAME_STARTS):
        return False
    if (
        error_type
        and line.startswith(error_type)
        and line[len(error_type) : len(error_type) + 1] in ("", ":", " ", "(")
    ):
        return True
    return _FRAME.match(line) is None and _HEADER.match(line) is not None


def _after_header(lines: list[str], header: int) -> int:
    for index in range(header + 1, len(lines)):
        line = lines[index].lstrip()
        if line and (line.startswith(_FRAME_STARTS) or _FRAME.match(line)):
            return index
    return header + 1  # frames of a shape we do not know


def _first_own_frame(lines: list[str], start: int) -> str:
    for index in range(start, len(lines)):
        line = lines[index]
        frame = _cached_own_frame(line) if len(line) <= CACHED_LINE_CHARS_MAX else _own_frame(line)
        if frame is not None:
            return frame
    return next((text for line in lines[start:] if (text := line.strip())), "")


def _own_frame(line: str) -> str | None:
    """The line without what varies between builds; None for a blank line and for a framework's."""
    line = line.strip()
    return None if not line or _is_framework(line) else _without_build(line)


_cached_own_frame = lru_cache(CACHED_LINES_MAX)(_own_frame)


def _is_framework(line: str) -> bool:
    # Written out because any() over a tuple costs four times as much. "Foundation" covers CoreFoundation.
    return (
        "node_modules/" in line
        or "java.lang." in line
        or "android.os." in line
        or "kotlin." in line
        or "com.apple." in line
        or "Foundation" in line
        or "UIKitCore" in line
        or "SwiftUI" in line
        or "libdispatch" in line
    )


def _without_build(frame: str) -> str:
    """The frame without line numbers, content hashes and memory addresses."""
    location = _LOCATION if " line " in frame else _COLON_LOCATION
    frame = location.sub("", frame).strip()
    if ".js" in frame and ("-" in frame or frame.count(".") > 1):  # a hash stands between two dots or after a hyphen
        frame = _BUILD_HASH.sub(".<hash>", frame)
    if "0x" in frame:
        frame = _ADDRESS.sub("", frame).rstrip()
    return frame


def _innermost_python_frame(lines: list[str]) -> str:
    fallback = ""
    for line in reversed(lines):
        if _PYTHON_FRAME not in line:
            continue
        frame = line.lstrip(" \t|")  # exception groups draw a bar in front
        if not frame.startswith(_PYTHON_FRAME):
            continue
        if not any(library in frame for library in _PYTHON_LIBRARIES):
            own = _cached_own_frame(frame) if len(frame) <= CACHED_LINE_CHARS_MAX else _own_frame(frame)
            if own is not None:
                return own
        fallback = fallback or frame.rstrip()
    return _without_build(fallback)
