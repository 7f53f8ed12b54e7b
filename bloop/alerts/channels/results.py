"""The result of one attempt to send a message, and whether to retry.

RESULT-1  2xx is sent. 408, 425, 429, 5xx and a missing answer are temporary and retried; every other status is final.
          Skipped means that the settings switch the channel off: nothing was tried and no receiver is at fault.
RESULT-2  A detail names the host, the status and, where the service sends one, its reason code. Never a URL, a token
          or other text of the receiver.
RESULT-3  `answer` is the beginning of the receiver's text. It is kept and shown for tests only, to people who may
          change the channel; never of a private address that the operator did not name (GUARD-4), never with a secret
          of the channel's config in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from bloop.alerts.channels.fields import HIDDEN
from bloop.alerts.channels.text import one_line
from bloop.outbound.http import HttpAnswer

TEMPORARY_STATUSES = frozenset((408, 425, 429))
RETRY_AFTER_MAX_S = 3600.0
REASON_CHARS_MAX = 120
ANSWER_BYTES_MAX = 200


class Result(NamedTuple):
    """`detail` is for display; `status` the HTTP or SMTP code, where there was one."""

    state: Literal["sent", "retry", "failed", "skipped"]
    detail: str
    status: int | None = None
    retry_after_s: float | None = None  # at most RETRY_AFTER_MAX_S
    answer: str = ""  # RESULT-3


def excerpt_of(text: str, secrets: Iterable[str]) -> str:
    """The beginning of a receiver's text as one line, at most ANSWER_BYTES_MAX bytes, without these secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        for spelling in (secret, secret.replace("/", "\\/")):  # as some put slashes into JSON
            text = text.replace(spelling, HIDDEN)
    line = one_line(text, ANSWER_BYTES_MAX)
    return line.encode()[:ANSWER_BYTES_MAX].decode(errors="ignore")


def result_of_answer(answer: HttpAnswer, now_s: float, *, reason: str = "", pause: object = None) -> Result:
    """Apply RESULT-1. `reason` and `pause` (seconds) come from the body, for services that send them."""
    status, said = answer.status, answer.excerpt
    detail = f"{answer.host} answered {status} {one_line(reason, REASON_CHARS_MAX)}".rstrip()
    if 200 <= status < 300:
        return Result("sent", detail, status, answer=said)
    if 300 <= status < 400:
        detail = f"{detail}: redirects are not followed, use the address it leads to"
        return Result("failed", detail, status, answer=said)
    if status in TEMPORARY_STATUSES or status >= 500:
        is_number = isinstance(pause, int | float) and not isinstance(pause, bool)
        wait_s = float(pause) if is_number else answer.retry_after_s(now_s)  # type: ignore[arg-type]
        wait_s = None if wait_s is None else min(max(wait_s, 0.0), RETRY_AFTER_MAX_S)
        return Result("retry", detail, status, wait_s, answer=said)
    return Result("failed", detail, status, answer=said)


def result_of_refusal(answer: HttpAnswer, reason: str) -> Result:
    """A 2xx answer whose body reports a failure."""
    detail = f"{answer.host} answered {one_line(reason, REASON_CHARS_MAX)}"
    return Result("failed", detail, answer.status, answer=answer.excerpt)
