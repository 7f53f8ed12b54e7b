"""Rust: a numbered symbol, then `at file:line:column` (doc.rust-lang.org/std/backtrace), short and full."""

from __future__ import annotations

import re
from dataclasses import replace

from bloop.grouping.stacks.grammar import CERTAIN, LIKELY, Grammar, number
from bloop.grouping.stacks.model import Frame

_CALL = re.compile(r"^\s*\d+:\s+(?:0x[0-9a-f]+ - )?(?P<function>\S.*)$")
_PLACE = re.compile(r"^\s+at (?P<file>\S.*?\.\w{1,4}):(?P<line>\d+)(?::(?P<column>\d+))?$")
_SYMBOL = re.compile(
    r"^<?[\w$<>&\[\]*, {}#']+::|^(?:rust_begin_unwind|__rust_\w+|main|_start|start|__libc_start\w*"
    r"|_?main)$|^<unknown>$"
)
_HASH = re.compile(r"::h[0-9a-f]{16}$")
_LIBRARY = re.compile(
    r"/rustc/|\.cargo[/\\]|/library/(?:std|core|alloc|test|panic_unwind)/|/src/lib(?:std|core|alloc)/"
    r"|\.rustup/"
)
_CRATES = (
    r"std|core|alloc|test|proc_macro|panic_unwind|backtrace|backtrace_rs|failure|anyhow|eyre|color_eyre|tokio|hyper|h2"
    r"|futures\w*|actix\w*|axum|tower\w*|rayon\w*|rocket|warp|tonic|reqwest|serde\w*|sentry\w*|tracing\w*|log|mio"
)
_RUNTIME = re.compile(
    rf"^<?(?:_?(?:{_CRATES})(?:\[[0-9a-f]+\])?::)|^(?:rust_begin_unwind|rust_panic\w*|__rust\w*|__libc\w*"
    r"|_start|start|main|clone3?|start_thread|<unknown>|_*BaseThreadInitThunk|RtlUserThreadStart)$"
)
_QUALIFIED = re.compile(rf"^<(?:[&*\[\]\w]{{0,12}}|[^:>]*) as (?:{_CRATES})::")


class Rust(Grammar):
    language = "Rust"
    preamble = re.compile(r"^\s*(?:[Ss]tack backtrace:|note: .*)$")

    def evidence(self, line: str) -> int:
        if line.strip() in ("stack backtrace:", "Stack backtrace:"):
            return CERTAIN
        if (match := _CALL.match(line)) is not None:
            return LIKELY if "::" in match["function"] and " at " not in line else 0
        match = _PLACE.match(line)
        return CERTAIN if match is not None and match["file"].endswith(".rs") and line.startswith("      ") else 0

    def frame(self, line: str) -> Frame | None:
        match = _CALL.match(line)
        if match is None or not _SYMBOL.match(match["function"]):
            return None  # among the causes of an error, `0: while reading cart.toml` is numbered the same way
        function = _HASH.sub("", match["function"])
        return Frame(function, "", None, None, not (_RUNTIME.match(function) or _QUALIFIED.match(function)))

    def extend(self, frame: Frame, line: str) -> Frame | None:
        match = _PLACE.match(line)
        if match is None:
            return None
        in_app = frame.in_app and not _LIBRARY.search(match["file"])
        return replace(
            frame, file=match["file"], line=number(match["line"]), column=number(match["column"]), in_app=in_app
        )
