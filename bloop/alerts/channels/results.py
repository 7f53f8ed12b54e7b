"""What became of one attempt to tell somebody, and whether another is worth it.

K1  2xx is sent. 408, 425, 429 and 5xx may pass and are tried again, as is everything short of an answer; any other
    status stays what it is.
    Skipped is what the settings switch off: nothing was tried, and nothing is wrong that a receiver could mend.
K2  A detail names the host, the status and, from services that have such, their word for the reason. Never a URL, a
    token or what else a receiver wrote: the receiver may be somebody's guess at what listens in our network.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from bloop.alerts.channels.text import one_line
from bloop.outbound.http import HttpAnswer

PASSING = frozenset((408, 425, 429))
RETRY_AFTER_MAX_S = 3600.0
REASON_CHARS_MAX = 120


class Result(NamedTuple):
    """`detail` is a sentence for people; `status` the HTTP or SMTP code, where there was one."""

    state: Literal["sent", "retry", "failed", "skipped"]
    detail: str
    status: int | None = None
    retry_after_s: float | None = None  # at most RETRY_AFTER_MAX_S


def of_answer(answer: HttpAnswer, now_s: float, *, reason: str = "", pause: object = None) -> Result:
    """K1. `reason` and `pause` (seconds) are what the body said, from services known to say it there."""
    status = answer.status
    detail = f"{answer.host} answered {status} {one_line(reason, REASON_CHARS_MAX)}".rstrip()
    if 200 <= status < 300:
        return Result("sent", detail, status)
    if 300 <= status < 400:
        return Result("failed", f"{detail}: redirects are not followed, use the address it leads to", status)
    if status in PASSING or status >= 500:
        is_number = isinstance(pause, int | float) and not isinstance(pause, bool)
        wait_s = float(pause) if is_number else answer.retry_after_s(now_s)  # type: ignore[arg-type]
        return Result("retry", detail, status, None if wait_s is None else min(max(wait_s, 0.0), RETRY_AFTER_MAX_S))
    return Result("failed", detail, status)


def refused_in_body(answer: HttpAnswer, reason: str) -> Result:
    """A 2xx whose body says no."""
    return Result("failed", f"{answer.host} answered {one_line(reason, REASON_CHARS_MAX)}", answer.status)
