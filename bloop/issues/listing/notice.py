"""A sentence for the next page: what an action did, carried over the redirect by a cookie that lives for seconds.

The cookie holds a verb and a number, never text: what it can make a page say is one of a few sentences of ours.
"""

from __future__ import annotations

import re

import falcon

from bloop.issues.status.model import Status
from bloop.site.contexts import Notice

COOKIE = "bloop_done"
SHOWN_WITHIN_S = 30
CHANGED_MAX = 999  # more rows than any page of the list has

_VERBS = {
    Status.RESOLVED: "resolved",
    Status.IGNORED: "ignored",
    Status.MUTED: "muted",
    Status.UNRESOLVED: "reopened",
}
DELETED, DELETING = "deleted", "deleting"
_VALUE = re.compile(r"([a-z]+)\.(0|[1-9][0-9]{0,8})")


def count_sentence(status: Status, count: int) -> str:
    """`12 issues resolved`."""
    return f"{count} {'issue' if count == 1 else 'issues'} {_VERBS[status]}"


def leave_notice(resp: falcon.Response, status: Status, count: int) -> None:
    """The next page says how many issues got which status."""
    _set(resp, f"{status.value}.{count}", SHOWN_WITHIN_S)


def leave_deleted_notice(resp: falcon.Response, count: int, *, is_waiting: bool) -> None:
    """The next page says how many issues were deleted, or are being deleted."""
    _set(resp, f"{DELETING if is_waiting else DELETED}.{count}", SHOWN_WITHIN_S)


def take_notice(req: falcon.Request, resp: falcon.Response) -> Notice | None:
    """The notice of the action before this request, once."""
    value = req.cookies.get(COOKIE)
    if value is None:
        return None
    _set(resp, "", 0)
    match = _VALUE.fullmatch(value)
    if match is None:
        return None
    verb, count = match[1], int(match[2])
    if verb in _VERBS and 0 < count <= CHANGED_MAX:
        return Notice(f"{count_sentence(Status(verb), count)}.", failed=False)
    issues = f"{count:,} {'issue' if count == 1 else 'issues'}"
    if verb == DELETED:
        return Notice(f"{issues} deleted.", failed=False)
    return Notice(f"{issues} are being deleted in the background.", failed=False) if verb == DELETING else None


def _set(resp: falcon.Response, value: str, max_age_s: int) -> None:
    resp.append_header("Set-Cookie", f"{COOKIE}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age_s}")
