"""Logging set-up: one line per event on stderr, as text or JSON. Ids and counts only, never payloads or keys.

For journald, which records time, unit and process itself, each line begins with its priority instead (sd-daemon(3)).
"""

from __future__ import annotations

import json
import logging
import sys
import time
from enum import Enum

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))  # as syslog(3) numbers them; else 7


class TextFormatter(logging.Formatter):
    """`2026-01-02T03:04:05Z writer[123] info message`: short enough to read, regular enough to grep."""

    def __init__(self, process: str) -> None:
        super().__init__(f"%(asctime)s {process}[%(process)d] %(levelname)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace(record.levelname, record.levelname.lower(), 1)


class JsonFormatter(logging.Formatter):
    """One JSON object a line; `action` is the machine-readable name of the event."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": int(record.created * 1000),
            "process": self._process,
            "pid": record.process,
            "level": record.levelname.lower(),
            "logger": record.name,
            "action": getattr(record, "action", None),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class JournalFormatter(logging.Formatter):
    """Puts the priority before every line of `inner`'s text: journald treats each line as a record."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return with_priority(self._inner.format(record), record.levelno)


def with_priority(text: str, level: int) -> str:
    priority = next((number for floor, number in _PRIORITIES if level >= floor), 7)
    return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


class Journal(Enum):
    """Whether stderr goes to journald, and whether forks share it: the unit's name alone does not tell them apart."""

    NONE, OWN, SHARED = range(3)


def set_up(process: str, *, level: str = "info", log_format: str = "text", journal: Journal = Journal.NONE) -> None:
    """Send this process's log to stderr. Replaces all handlers, so it may be called again after a fork."""
    formatter: logging.Formatter = TextFormatter(process)
    if log_format == "json":
        formatter = JsonFormatter(process)
    elif journal is Journal.OWN:
        formatter = logging.Formatter("%(message)s")
    elif journal is Journal.SHARED:
        formatter = logging.Formatter(f"{process}[%(process)d] %(message)s")
    if journal is not Journal.NONE:
        formatter = JournalFormatter(formatter)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
