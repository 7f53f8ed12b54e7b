"""One unexpected error of bloop's own as an event: what is said of it, and what is not. Pure.

P1  Said are the type, the message, the stack without the values of variables, the process, the version. Requests are
    named by their declared route, never by their path; nothing is taken from bodies, headers or query strings.
P2  Secrets of the settings, and what looks like a key, a token or the path of a URL, are struck out wherever they
    stand. Quotations of more than QUOTED_CHARS_MAX characters are, too: messages like to quote what they were given.
P3  What says that the database, the buffer or the disk is in trouble is not reported, for a report would need them.
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
from bloop.db.connection import OPERATIONAL_ERRORS
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

_STRUCK = "[…]"
_SECRETS = re.compile(r"bloop_[A-Za-z0-9_-]{6,}|\b[0-9A-Fa-f]{32,}\b|(?i:bearer|basic) +[^\s'\"]+")
_URL_PATH = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/?#'\"]+)[/?#][^\s'\"]*", re.IGNORECASE)
_QUOTED = re.compile(rf"'[^'\n]{{{QUOTED_CHARS_MAX + 1},}}'|\"[^\"\n]{{{QUOTED_CHARS_MAX + 1},}}\"")
_CODE_LINE = re.compile(r'  +File "')


class Report(NamedTuple):
    """What a handler keeps of an error: text only, so nothing the error held stays alive."""

    at_ms: int
    error_type: str
    message: str
    stack: str
    route: str
    metadata: dict[str, Any]


class Pace:
    """Which errors are reported: each place once in SAME_EVERY_MS, and PER_WINDOW_MAX in an hour (O4)."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._window_ms = self._in_window = 0
        self.left_out = 0  # since the last that was let through

    def allows(self, place: str, now_ms: int) -> bool:
        if not 0 <= now_ms - self._window_ms < WINDOW_MS:  # over, or the clock was put back
            self._window_ms, self._in_window = now_ms, 0
            self._last.clear()
        last = self._last.get(place)
        known = last is not None and 0 <= now_ms - last < SAME_EVERY_MS
        if known or self._in_window >= PER_WINDOW_MAX:
            self.left_out += 1
            return False
        self._last[place] = now_ms
        self._in_window += 1
        return True


def is_about_storing(error: BaseException) -> bool:
    """P3, also for what was raised because of such an error."""
    return any(
        isinstance(one, ABOUT_STORING) or (isinstance(one, OSError) and one.errno in NO_ROOM) for one in _chain(error)
    )


def place_of(error: BaseException) -> str:
    """The type and the line that raised it: what repeats is told by it."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    where = f"{frames[0].filename}:{frames[0].lineno}" if frames else ""
    return f"{type(error).__qualname__} {where}"


def report(record: logging.LogRecord, error: BaseException, *, process: str, settings: Settings) -> Report:
    """What is to be said about `error`, which `record` logged."""
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
    return Report(
        at_ms=int(record.created * 1000),
        error_type=type(error).__qualname__[:ERROR_TYPE_BYTES_MAX],
        message=clean(str(error), secrets)[:MESSAGE_CHARS_MAX] or "(no message)",
        stack=_fitting("".join(_cleaned(lines, secrets)), settings.ingest.max_stack_bytes),
        route=str(getattr(record, "route", "") or process),
        metadata=metadata,
    )


def body_of(said: Report, *, left_out: int) -> dict[str, Any]:
    """The event as an SDK would send it."""
    return {
        "timestamp": said.at_ms,
        "source": "python",
        "environment": "bloop",
        "release": bloop.__version__,
        "error_type": said.error_type,
        "message": said.message,
        "stack": said.stack,
        "route_or_procedure": said.route,
        "metadata": said.metadata | ({"left_out_before": left_out} if left_out else {}),
    }


def clean(text: str, secrets: Iterable[str]) -> str:
    """P2."""
    for secret in secrets:
        text = text.replace(secret, _STRUCK)
    text = _SECRETS.sub(_STRUCK, _URL_PATH.sub(rf"\1/{_STRUCK}", text))
    return _QUOTED.sub(lambda found: found[0][0] + _STRUCK + found[0][0], text)


def secrets_of(settings: Settings) -> list[str]:
    found = (
        settings.auth.hmac_secret,
        settings.smtp.password,
        settings.alerting.slack_webhook_url,
        settings.alerting.webhook_url,
    )
    return sorted(filter(None, found), key=len, reverse=True)


def _cleaned(lines: Iterable[str], secrets: list[str]) -> Iterable[str]:
    """Messages in a traceback are cleaned; its frames, our own code, stay as they are but for secrets."""
    for line in lines:
        yield line if _CODE_LINE.match(line) else clean(line, secrets)[: 2 * MESSAGE_CHARS_MAX].rstrip("\n") + "\n"


def _fitting(stack: str, bytes_max: int) -> str:
    """Its end where it is too long: the innermost frames and the message stand there."""
    raw = stack.encode("utf-8", "replace")
    if len(raw) <= bytes_max:
        return raw.decode()
    head = b"Traceback (most recent call last):\n"
    return (head + raw[len(head) - bytes_max :].partition(b"\n")[2]).decode("utf-8", "ignore")


def _chain(error: BaseException) -> Iterable[BaseException]:
    found: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if found is None:
            return
        yield found
        found = found.__cause__ or found.__context__
