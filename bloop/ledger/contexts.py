"""Context of the ledger page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from bloop.site.contexts import Page, Shell, TabLink


class Balance(StrEnum):
    BALANCED = "balanced"
    SETTLING = "settling"  # some records wait in the ring
    OPEN = "open"  # a single project: some of its counts may be under "no project"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """The counts of one outcome. `kind` is stored, lost (the operator can act) or refused (the sender can act)."""

    label: str
    meaning: str
    kind: str
    recent: int
    total: int


@dataclass(frozen=True, slots=True)
class OverflowLine:
    """Stored events that a limit put under `overflow` or counted under `(overflow)`."""

    label: str
    setting: str
    recent: int


@dataclass(frozen=True, slots=True)
class LedgerBar:
    """One hour or day; heights in px from the base line up, stored below, the others on top."""

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
    """`/ledger`: all received records by outcome, for one project or all. Totals are all-time."""

    template: ClassVar[str] = "ledger/ledger.html"

    shell: Shell
    nav: tuple[TabLink, ...]
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
    overflows: tuple[OverflowLine, ...]
    chart: LedgerChart
    rejections: tuple[RejectionLine, ...]
