"""Logging set-up: one line per event on stderr, as text or JSON. Ids and counts only, never payloads or keys.

LOG-1  A record is one line, and no text in it can begin another: control characters are escaped. Only a traceback has
    more lines; they are its frames, and the type and message of an error on one line each.
LOG-2  Nothing of a request but its method and declared route: no path, query string, header or body. The message of an
    exception is printed up to where it begins to quote its input, and without what looks like a secret.
LOG-3  A flood is bounded: each kind of record, which is a place in the code, may write LINES_BURST lines at once and
    LINES_PER_SECOND after that. What is left out is counted and said: `… 4,311 more of request_failed`.

For journald, which records time, unit and process itself, each line begins with its priority instead (sd-daemon(3)).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, TextIO

from bloop.base.redact import escape_control, strike_from_quotation, strike_secrets

LINES_BURST = 50
LINES_PER_SECOND = 5.0
REPORT_AFTER_S = 1.0  # from the first line that was left out
MESSAGE_CHARS_MAX = 2000
FRAMES_MAX = 40

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))  # as syslog(3) numbers them; else 7
_CODE_STARTS = ("  File ", "    ", "  [Previous line")  # of what a traceback says about frames


class TextFormatter(logging.Formatter):
    """`2026-01-02T03:04:05Z writer[123] info message`: short enough to read, regular enough to grep."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        head = f"{at} {self._process}[{record.process}] {record.levelname.lower()}"
        return f"{head} {escape_control(message_of(record))}{_traceback_of(record)}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line; `action` is the machine-readable name of the event."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": int(record.created * 1000),
            "process": self._process,
            "pid": record.process,
            "level": record.levelname.lower(),
            "logger": record.name,
            "action": getattr(record, "action", None),
            "message": message_of(record),
        }
        if record.exc_info:
            line["exception"] = "\n".join(describe_exception(record.exc_info[1]))
        text = json.dumps(line, ensure_ascii=False)  # it escapes the newline, but not all that ends a line somewhere
        return text if text.isprintable() else "".join(c if c.isprintable() else _json_escape(c) for c in text)


class JournalFormatter(logging.Formatter):
    """Puts the priority before every line of `inner`'s text: journald treats each line as a record."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return with_priority(self._inner.format(record), record.levelno)


class PlainFormatter(logging.Formatter):
    """The message, after the process where several share a unit: journald records everything else."""

    def __init__(self, process: str = "") -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self._process}[{record.process}] " if self._process else ""
        return f"{head}{escape_control(message_of(record))}{_traceback_of(record)}"


def message_of(record: logging.LogRecord) -> str:
    message = record.getMessage()
    return message if len(message) <= MESSAGE_CHARS_MAX else f"{message[:MESSAGE_CHARS_MAX]}…"


def describe_exception(error: BaseException | None) -> Iterator[str]:
    """The lines of a traceback (LOG-2), none of which a message can begin (LOG-1)."""
    if error is None:
        return
    for part in traceback.TracebackException.from_exception(error, limit=-FRAMES_MAX).format():
        if part.startswith(_CODE_STARTS):
            yield from part.rstrip("\n").split("\n")
        elif text := part.strip("\n"):
            yield strike_from_quotation(strike_secrets(escape_control(text[:MESSAGE_CHARS_MAX])))


def with_priority(text: str, level: int) -> str:
    priority = next((number for floor, number in _PRIORITIES if level >= floor), 7)
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))


class BoundedHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream, within bounds for each kind of record (LOG-3). Any thread; a fork starts anew."""

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._monotonic = monotonic
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._kinds: dict[tuple[str, int], _Kind] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called under the handler's lock."""
        if self._pid != os.getpid():
            self._begin()  # a fork has no timer, and nothing of what its parent left out
        place = record.pathname, record.lineno
        kind = self._kinds.get(place)
        if kind is None:
            kind = self._kinds[place] = _Kind(self._monotonic())
        if not kind.may_write(self._monotonic()):
            kind.leave_out(record)
            self._report_later()
            return
        if kind.left_out:
            self._report(kind)
        kind.lines_left -= 1 + _frame_count(record)
        super().emit(record)

    def report(self) -> None:
        """Say what has been left out so far."""
        with self.lock or threading.RLock():
            self._timer = None
            for kind in self._kinds.values():
                if kind.left_out:
                    self._report(kind)
            self.flush()

    def close(self) -> None:
        if self._pid == os.getpid():
            if self._timer is not None:
                self._timer.cancel()
            self.report()
        super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Replaces logging's own report, which prints the record's arguments. Without a stream there is no log."""

    def _report(self, kind: _Kind) -> None:
        super().emit(kind.summary())
        kind.left_out = 0

    def _report_later(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(REPORT_AFTER_S, self.report)
            self._timer.daemon = True
            self._timer.start()


class _Kind:
    """Records of one place in the code: how many lines they may still write, how many records were left out."""

    __slots__ = ("_at_s", "_last", "left_out", "lines_left")

    def __init__(self, now_s: float) -> None:
        self.lines_left, self.left_out = float(LINES_BURST), 0
        self._at_s = now_s
        self._last = ("", 0, "")  # logger, level, action

    def may_write(self, now_s: float) -> bool:
        self.lines_left = min(self.lines_left + (now_s - self._at_s) * LINES_PER_SECOND, float(LINES_BURST))
        self._at_s = now_s
        return self.lines_left >= 1

    def leave_out(self, record: logging.LogRecord) -> None:
        self.left_out += 1
        self._last = record.name, record.levelno, str(getattr(record, "action", ""))

    def summary(self) -> logging.LogRecord:
        name, level, action = self._last
        arguments = f"{self.left_out:,}", action or name
        record = logging.LogRecord(name, level, __file__, 0, "… %s more of %s", arguments, None)
        record.action = action or None
        return record


class Journal(Enum):
    """Whether stderr goes to journald, and whether forks share it: the unit's name alone does not tell them apart."""

    NONE, OWN, SHARED = range(3)


def set_up(process: str, *, level: str = "info", log_format: str = "text", journal: Journal = Journal.NONE) -> None:
    """Send this process's log to stderr. Replaces all handlers, so it may be called again after a fork."""
    formatter: logging.Formatter = TextFormatter(process)
    if log_format == "json":
        formatter = JsonFormatter(process)
    elif journal is not Journal.NONE:
        formatter = PlainFormatter(process if journal is Journal.SHARED else "")
    if journal is not Journal.NONE:
        formatter = JournalFormatter(formatter)
    handler = BoundedHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])


def _traceback_of(record: logging.LogRecord) -> str:
    return "".join(f"\n{line}" for line in describe_exception(record.exc_info[1])) if record.exc_info else ""


def _frame_count(record: logging.LogRecord) -> int:
    """About as many lines as a traceback has."""
    if not record.exc_info:
        return 0
    return 1 + 2 * min(sum(1 for _ in traceback.walk_tb(record.exc_info[2])), FRAMES_MAX)


def _json_escape(character: str) -> str:
    return character if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"
