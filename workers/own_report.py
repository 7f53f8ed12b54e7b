"""One unexpected error of bloop's own as an event, without secrets and event data. Pure.

REPORT-1  A report has the type, the message, the stack without values of variables, the process, the version. Requests
    are named by their declared route, never by their path; nothing is taken from bodies, headers or query strings.
REPORT-2  Secrets of the settings, and text that looks like a key, a token or the path of a URL, are struck out
    everywhere. So are quotations of more than QUOTED_CHARS_MAX characters: messages often quote their input.
REPORT-3  An error that means trouble with the database, the ring or the disk is not reported: a report needs all three.
"""

from __future__ import annotations

import errno
import logging
import platform
import re
import traceback
from collections.abc import Iterable
from typing import Any, NamedTuple

import bloop
from bloop.base.config import Settings
from bloop.base.errors import RingError, StorageError
from bloop.base.redact import STRUCK, strike_quotations, strike_secrets
from bloop.db.errors import OPERATIONAL_ERRORS
from bloop.ingest.limits import ERROR_TYPE_BYTES_MAX

ABOUT_STORING = (*OPERATIONAL_ERRORS, StorageError, RingError)
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
MESSAGE_CHARS_MAX = 300
QUOTED_CHARS_MAX = 32
CAUSES_MAX = 16
FRAMES_MAX = 40
SAME_EVERY_MS = 60_000
WINDOW_MS = 3_600_000
PER_WINDOW_MAX = 60

_CODE_LINE = re.compile(r'  +File "')


class ErrorReport(NamedTuple):
    """The text a handler keeps of an error; the error itself, and all it refers to, is released."""

    at_ms: int
    error_type: str
    message: str
    stack: str
    route: str
    metadata: dict[str, Any]


class ReportLimiter:
    """Limits reports: one per location in SAME_EVERY_MS, and PER_WINDOW_MAX in an hour (ERRORS-4)."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._window_ms = self._in_window = 0
        self.left_out = 0  # since the last allowed report

    def allows(self, location: str, now_ms: int) -> bool:
        if not 0 <= now_ms - self._window_ms < WINDOW_MS:  # over, or the clock was put back
            self._window_ms, self._in_window = now_ms, 0
            self._last.clear()
        last_ms = self._last.get(location)
        is_repeat = last_ms is not None and 0 <= now_ms - last_ms < SAME_EVERY_MS
        if is_repeat or self._in_window >= PER_WINDOW_MAX:
            self.left_out += 1
            return False
        self._last[location] = now_ms
        self._in_window += 1
        return True


def is_about_storing(error: BaseException) -> bool:
    """Whether `error`, or an error that caused it, means trouble with storing (REPORT-3)."""
    return any(
        isinstance(cause, ABOUT_STORING) or (isinstance(cause, OSError) and cause.errno in NO_ROOM)
        for cause in _causes(error)
    )


def error_location(error: BaseException) -> str:
    """The type of the error and the line that raised it: equal for repeats."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    line = f"{frames[0].filename}:{frames[0].lineno}" if frames else ""
    return f"{type(error).__qualname__} {line}"


def make_report(record: logging.LogRecord, error: BaseException, *, process: str, settings: Settings) -> ErrorReport:
    """The report on `error`, which `record` logged."""
    secrets = secrets_of(settings)
    lines = traceback.TracebackException.from_exception(error, limit=-FRAMES_MAX, capture_locals=False).format()
    metadata = {
        "process": process,
        "pid": record.process,
        "thread": record.threadName,
        "logger": record.name,
        "action": getattr(record, "action", None),
        "python": platform.python_version(),
    }
    return ErrorReport(
        at_ms=int(record.created * 1000),
        error_type=type(error).__qualname__[:ERROR_TYPE_BYTES_MAX],
        message=clean(str(error), secrets)[:MESSAGE_CHARS_MAX] or "(no message)",
        stack=_shorten("".join(_clean_messages(lines, secrets)), settings.ingest.max_stack_bytes),
        route=str(getattr(record, "route", "") or process),
        metadata=metadata,
    )


def event_body(report: ErrorReport, *, left_out: int) -> dict[str, Any]:
    """The event as an SDK would send it."""
    return {
        "timestamp": report.at_ms,
        "source": "python",
        "environment": "bloop",
        "release": bloop.__version__,
        "error_type": report.error_type,
        "message": report.message,
        "stack": report.stack,
        "route_or_procedure": report.route,
        "metadata": report.metadata | ({"left_out_before": left_out} if left_out else {}),
    }


def clean(text: str, secrets: Iterable[str]) -> str:
    """Strike out secrets and long quotations (REPORT-2)."""
    for secret in secrets:
        text = text.replace(secret, STRUCK)
    return strike_quotations(strike_secrets(text), longer_than=QUOTED_CHARS_MAX)


def secrets_of(settings: Settings) -> list[str]:
    secrets = (
        settings.auth.hmac_secret,
        settings.smtp.password,
        settings.alerting.slack_webhook_url,
        settings.alerting.webhook_url,
    )
    return sorted(filter(None, secrets), key=len, reverse=True)


def _clean_messages(lines: Iterable[str], secrets: list[str]) -> Iterable[str]:
    """Clean the messages in a traceback; its frames show code, never data, and stay as they are."""
    for line in lines:
        yield line if _CODE_LINE.match(line) else clean(line, secrets)[: 2 * MESSAGE_CHARS_MAX].rstrip("\n") + "\n"


def _shorten(stack: str, bytes_max: int) -> str:
    """The end of a stack that is too long: it holds the innermost frames and the message."""
    raw = stack.encode("utf-8", "replace")
    if len(raw) <= bytes_max:
        return raw.decode()
    head = b"Traceback (most recent call last):\n"
    return (head + raw[len(head) - bytes_max :].partition(b"\n")[2]).decode("utf-8", "ignore")


def _causes(error: BaseException) -> Iterable[BaseException]:
    """`error`, then the error that caused it, and so on."""
    cause: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__
