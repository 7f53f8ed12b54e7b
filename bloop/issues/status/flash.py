"""A sentence for the next page: what an action did, carried over the redirect by a cookie that lives for seconds.

FLASH-1  The cookie holds a verb, numbers, ids and short ids, never text: what it can make a page say is one of a few
    sentences of ours.
FLASH-2  It is shown once, by the first page with a frame after the redirect, which drops the cookie.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from urllib.parse import urlencode

import falcon

from bloop.issues.status.model import Status
from bloop.site.contexts import Toast
from bloop.site.links import issue_href
from bloop.site.params import text_params

COOKIE = "bloop_done"
SHOWN_WITHIN_S = 30

ASSIGNED, UNASSIGNED = "assigned", "unassigned"
UNDONE = "undone"
DELETED, DELETING = "deleted", "deleting"
SAVED = "saved"  # a view
_WORDS = {
    Status.RESOLVED: "resolved",
    Status.IGNORED: "ignored",
    Status.MUTED: "muted",
    Status.UNRESOLVED: "reopened",
    ASSIGNED: "assigned",
    UNASSIGNED: "unassigned",
    DELETED: "deleted",
}
_COUNT = r"(0|[1-9][0-9]{0,8})"
_SHORT_ID = r"([A-Z0-9-]{1,100}-[0-9]{1,18})?"
_VALUE = re.compile(rf"([a-z]+)\.{_COUNT}\.{_COUNT}\.([0-9a-f-]{{36}})?\.{_SHORT_ID}\.{_SHORT_ID}")


@dataclass(frozen=True, slots=True)
class Flash:
    """What an action did. `verb` is a status or one of the words above; `left` counts issues that it left as they were
    (of an undo), or is 1 when more match than one action takes.

    `short_id` names the issue where there is one alone, `next_id` the one after it in the list it was on.
    """

    verb: str
    count: int
    left: int = 0
    undo_id: str = ""
    short_id: str = ""
    next_id: str = ""

    @property
    def text(self) -> str:
        """The sentence; empty for a verb that is none of ours."""
        if self.verb == UNDONE:
            return self._undone
        if self.verb == SAVED:
            return "View saved."
        if not self.count:
            return ""
        if self.verb == DELETING:
            return f"{self._subject} {'is' if self.count == 1 else 'are'} being deleted in the background."
        word = _WORDS.get(self.verb)
        if not word:
            return ""
        return f"{self._subject} {word}.{' More match: do the same again.' if self.left else ''}"

    @property
    def _subject(self) -> str:
        if self.count == 1 and self.short_id:
            return self.short_id
        return f"{self.count:,} {'issue' if self.count == 1 else 'issues'}"

    @property
    def _undone(self) -> str:
        skipped = f"{self.left:,} {'issue has' if self.left == 1 else 'issues have'} changed since"
        if self.count:
            done = f"Undone: {self._subject} put back."
            return f"{done} Skipped: {skipped}." if self.left else done
        if not self.left:
            return "This change can no longer be undone."
        return f"Nothing was undone: {f'{self.short_id} has changed since' if self.short_id else skipped}."


def leave_flash(resp: falcon.Response, flash: Flash) -> None:
    """The next page says what was done."""
    _set(resp, ".".join(str(part) for part in astuple(flash)), SHOWN_WITHIN_S)


def take_flash(req: falcon.Request, resp: falcon.Response) -> Toast | None:
    """What the action before this request did, once. The next issue keeps the list that this page names, if it does."""
    value = req.cookies.get(COOKIE)
    if value is None:
        return None
    _set(resp, "", 0)
    match = _VALUE.fullmatch(value)
    if match is None:
        return None
    verb, count, left, undo_id, short_id, next_id = match.groups(default="")
    flash = Flash(verb, int(count), int(left), undo_id, short_id, next_id)
    if not flash.text:
        return None
    return Toast(
        flash.text,
        undo_id=undo_id,
        undo_label="Redo" if verb == UNDONE else "Undo",
        next_href=_issue_in_list(next_id, text_params(req).get("list", "")) if next_id else "",
        failed=verb == UNDONE and not flash.count,
    )


def _issue_in_list(short_id: str, list_query: str) -> str:
    """The page of an issue that keeps the list it is in."""
    href = issue_href(short_id)
    return f"{href}?{urlencode({'list': list_query})}" if list_query else href


def _set(resp: falcon.Response, value: str, max_age_s: int) -> None:
    resp.append_header("Set-Cookie", f"{COOKIE}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age_s}")
