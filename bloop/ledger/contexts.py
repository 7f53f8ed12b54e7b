"""What the ledger page shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from bloop.site.contexts import Page, Shell, TabLink


class Balance(StrEnum):
    BALANCED = "balanced"
    SETTLING = "settling"  # some records are on their way to the disk
    OPEN = "open"  # one project by itself: its counters may have been kept under "no project"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """What became of some records. `kind` is stored, lost (the operator can do something) or refused (the sender)."""

    label: str
    meaning: str
    kind: str
    recent: int
    total: int


@dataclass(frozen=True, slots=True)
class LedgerBar:
    """One hour or day; heights in px from the base line up, stored below and the rest on top."""

    label: str
    x: float
    stored: int
    others: int
    stored_y: float
    stored_height: float
    others_y: float
    others_height: float

    @property
    def received(self) -> int:
        return self.stored + self.others


@dataclass(frozen=True, slots=True)
class LedgerChart:
    bars: tuple[LedgerBar, ...]
    ticks: tuple[tuple[float, str], ...]
    height: int
    bar_width: float
    top: int
    bucket: str


@dataclass(frozen=True, slots=True)
class RejectionLine:
    at_ms: int
    project: str
    reason: str
    detail: str
    key_prefix: str
    size_bytes: int | None
    client: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class LedgerPage(Page):
    """`/ledger`: everything that arrived and what became of it, for one project or all. Totals are since ever."""

    template: ClassVar[str] = "ledger/ledger.html"

    shell: Shell
    now_ms: int
    scope_name: str
    project_links: tuple[TabLink, ...]
    spans: tuple[TabLink, ...]
    span_words: str
    received: int
    received_recent: int
    in_flight: int
    balance: Balance
    outcomes: tuple[OutcomeLine, ...]
    chart: LedgerChart
    rejections: tuple[RejectionLine, ...]
