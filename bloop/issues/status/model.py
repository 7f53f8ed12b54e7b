"""The statuses of an issue, once. SQL texts spell them out: partial indexes need the literals."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """As stored, and as every answer prints them."""

    UNRESOLVED = "unresolved"
    RESOLVED = "resolved"
    IGNORED = "ignored"
    MUTED = "muted"
    REGRESSED = "regressed"


SETTABLE = (Status.UNRESOLVED, Status.RESOLVED, Status.IGNORED, Status.MUTED)  # the writer alone sets `regressed`
OPEN = (Status.UNRESOLVED, Status.REGRESSED)  # what wants attention
SILENT = (Status.IGNORED, Status.MUTED)  # what no alert is about
