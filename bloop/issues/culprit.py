"""Where an issue happened, in the few words of one line. Pure."""

from __future__ import annotations

import re

from bloop.issues.read import IssueRow

# Frames as the fingerprint leaves them: line numbers and addresses are gone already.
_PYTHON = re.compile(r'^File "(?P<file>[^"]*)",*(?: in (?P<function>.+))?$')
_RUBY = re.compile(r"^(?:from )?(?P<file>[^\s:]+):in [`'](?P<function>.+)'$")
_WITH_FILE = re.compile(r"^at (?P<function>.+) \((?P<file>[^()]+)\)$")
_APPLE = re.compile(r"^\d+\s+\S+\s+(?P<symbol>\S.*)$")


def where_of(issue: IssueRow) -> str:
    """The place a person recognises: the application frame on top, else the route, else the screen."""
    frame = place(issue.culprit or "")
    if frame and frame not in issue.message:  # a stack of unknown shape may begin with the message
        return frame
    return issue.route or issue.screen or ""


def place(frame: str) -> str:
    """The line of a stack an issue hangs on, shortened to what names the place: `CartStore.total (cart.js)`."""
    frame = frame.strip()
    if match := _PYTHON.match(frame):
        return f"{match['function']} ({_last_two(match['file'])})" if match["function"] else _last_two(match["file"])
    if match := _RUBY.match(frame):
        return f"{match['function']} ({_last_two(match['file'])})"
    if match := _WITH_FILE.match(frame):
        return f"{match['function']} ({match['file'].rpartition('/')[2]})"
    if match := _APPLE.match(frame):
        return match["symbol"]
    return frame.removeprefix("at ")


def _last_two(path: str) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-2:])
