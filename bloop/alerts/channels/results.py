"""The result of one attempt to send a message, and whether to retry.

RESULT-1  2xx is sent. 408, 425, 429, 5xx and a missing answer are temporary and retried; every other status is final.
          Skipped means that the settings switch the channel off: nothing was tried and no receiver is at fault.
RESULT-2  A detail names the host, the status and, where the service sends one, its reason code. Never a URL, a token
          or other text of the receiver: somebody may use a channel to probe what listens in our network.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from bloop.alerts.channels.text import one_line
from bloop.outbound.http import HttpAnswer

TEMPORARY_STATUSES = frozenset((408, 425, 429))
RETRY_AFTER_MAX_S = 3600.0
REASON_CHARS_MAX = 120


class Result(NamedTuple):
    """`detail` is for display; `status` the HTTP or SMTP code, where there was one."""

    state: Literal["sent", "retry", "failed", "skipped"]
    detail: str
    status: int | None = None
    retry_after_s: float | None = None  # at most RETRY_AFTER_MAX_S


def result_of_answer(answer: HttpAnswer, now_s: float, *, reason: str = "", pause: object = None) -> Result:
    """Apply RESULT-1. `reason` and `pause` (seconds) come from the body, for services that send them."""
    status = answer.status
    detail = f"{answer.host} answered {status} {one_line(reason, REASON_CHARS_MAX)}".rstrip()
    if 200 <= status < 300:
        return Result("sent", detail, status)
    if 300 <= status < 400:
        return Result("failed", f"{detail}: redirects are not followed, use the address it leads to", status)
    if status in TEMPORARY_STATUSES or status >= 500:
        is_number = isinstance(pause, int | float) and not isinstance(pause, bool)
        wait_s = float(pause) if is_number else answer.retry_after_s(now_s)  # type: ignore[arg-type]
        return Result("retry", detail, status, None if wait_s is None else min(max(wait_s, 0.0), RETRY_AFTER_MAX_S))
    return Result("failed", detail, status)


def result_of_refusal(answer: HttpAnswer, reason: str) -> Result:
    """A 2xx answer whose body reports a failure."""
    return Result("failed", f"{answer.host} answered {one_line(reason, REASON_CHARS_MAX)}", answer.status)
