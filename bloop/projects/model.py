"""What a project can choose."""

from __future__ import annotations

from enum import StrEnum


class Oversize(StrEnum):
    """What becomes of an event with a field that is too long."""

    REJECT = "reject"  # refused with the name of the field: what the contract says
    TRIM = "trim"  # cut and stored; the event lists what was cut (bloop/ingest/trim.py)
