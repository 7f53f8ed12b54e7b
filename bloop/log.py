"""Logging set-up: one line per event on stderr, as text or JSON. Ids and counts only, never payloads or keys."""

from __future__ import annotations

import json
import logging
import sys
import time

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


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


def set_up(process: str, *, level: str = "info", log_format: str = "text") -> None:
    """Send this process's log to stderr; replaces whatever handlers are there, so it may be called again after fork."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if log_format == "json" else TextFormatter(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
