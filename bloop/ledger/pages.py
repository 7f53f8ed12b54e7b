"""Counts → the ledger page: received records, their outcomes, the balance. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from urllib.parse import urlencode

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.limits import Limit
from bloop.base.outcomes import Outcome
from bloop.ledger.contexts import Balance, LedgerBar, LedgerChart, LedgerPage, OutcomeLine, OverflowLine, RejectionLine
from bloop.ledger.read import BucketCount, RejectionRow
from bloop.projects.read import ProjectRow
from bloop.site import charts
from bloop.site.contexts import Shell, TabLink
from bloop.site.settings_nav import LEDGER, settings_nav

NO_PROJECT_NAME = "no known project"


class LedgerSpan(StrEnum):
    """The time range of the page, as `t` in its URL says it."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def words(self) -> str:
        return {LedgerSpan.DAY: "24 hours", LedgerSpan.WEEK: "7 days", LedgerSpan.MONTH: "30 days"}[self]

    @property
    def bucket_ms(self) -> int:
        return DAY_MS if self is LedgerSpan.MONTH else HOUR_MS

    @property
    def ms(self) -> int:
        return {LedgerSpan.DAY: 1, LedgerSpan.WEEK: 7, LedgerSpan.MONTH: 30}[self] * DAY_MS


# Label, meaning, and who can act: the operator (lost), the sender (refused), no one (stored).
_OUTCOMES = {
    Outcome.STORED: ("Stored", "In the database.", "stored"),
    Outcome.RING_FULL: ("Buffer full", "Arrived faster than they could be stored. The sender was notified.", "lost"),
    Outcome.INTERRUPTED: ("Interrupted", "The worker was killed before it answered.", "lost"),
    Outcome.DEAD_LETTER: ("Not storable", "Accepted, but could not be stored. Kept aside with the reason.", "lost"),
    Outcome.DISCARDED: ("Project deleted", "The project was deleted while they were queued.", "refused"),
    Outcome.OVER_LIMIT: (
        "Over the limit",
        "The project reached limits.bytes_per_day. The sender was notified.",
        "refused",
    ),
    Outcome.RATE_LIMITED: ("Rate limited", "One client address exceeded rate_limit.", "refused"),
    Outcome.BAD_SIGNATURE: ("Bad signature", "Not signed, or not with the given key.", "refused"),
    Outcome.UNKNOWN_KEY: ("Unknown key", "No project has this key: mistyped, rotated or deleted.", "refused"),
    Outcome.INVALID: ("Invalid", "Not JSON, or a field is invalid.", "refused"),
    Outcome.TOO_LARGE: ("Too large", "More bytes or events than a request may have.", "refused"),
    Outcome.DUPLICATE: ("Duplicate", "Sent twice with the same idempotency key.", "refused"),
    Outcome.FILTERED: ("Filtered", "Rejected by an inbound filter of the project.", "refused"),
}
LOST = frozenset(outcome for outcome, (_, _, kind) in _OUTCOMES.items() if kind == "lost")
_LINES_ALWAYS = (Outcome.STORED,)


def label_of(outcome: Outcome) -> str:
    return _OUTCOMES[outcome][0]


def ledger_page(
    shell: Shell,
    projects: Sequence[ProjectRow],
    *,
    chosen: ProjectRow | None,
    span: LedgerSpan,
    totals: Mapping[Outcome, int],
    buckets: Iterable[BucketCount],
    overflows: Mapping[Limit, int],
    waiting: int,
    rejections: Sequence[RejectionRow],
    is_admin: bool,
    now_ms: int,
) -> LedgerPage:
    """`chosen` None: everything, including requests without a project. `waiting` records are in the ring now."""
    buckets = list(buckets)
    recent: dict[Outcome, int] = {}
    for bucket in buckets:
        recent[bucket.outcome] = recent.get(bucket.outcome, 0) + bucket.record_count
    received = totals.get(Outcome.RECEIVED, 0)
    in_flight = received - sum(n for outcome, n in totals.items() if outcome is not Outcome.RECEIVED)
    slug = chosen.slug if chosen else ""
    return LedgerPage(
        shell=shell,
        nav=settings_nav(LEDGER, is_admin=is_admin),
        now_ms=now_ms,
        scope_name=chosen.name if chosen else "All projects",
        project_links=(
            TabLink("All projects", href("", span), None, chosen is None),
            *(TabLink(p.name, href(p.slug, span), None, p.slug == slug) for p in projects),
        ),
        spans=tuple(TabLink(s.words, href(slug, s), None, s is span) for s in LedgerSpan),
        span_words=span.words,
        received=received,
        received_recent=recent.get(Outcome.RECEIVED, 0),
        in_flight=in_flight,
        balance=_balance(in_flight, waiting, is_whole=chosen is None),
        outcomes=tuple(
            OutcomeLine(*_OUTCOMES[outcome], recent=recent.get(outcome, 0), total=totals.get(outcome, 0))
            for outcome in _OUTCOMES
            if totals.get(outcome, 0) or outcome in _LINES_ALWAYS
        ),
        overflows=tuple(
            OverflowLine(limit.overflow_words, f"limits.{limit.key}", count)
            for limit, count in sorted(overflows.items(), key=lambda line: -line[1])
        ),
        chart=_chart(buckets, span, now_ms),
        rejections=tuple(_rejection(row) for row in rejections),
    )


def href(slug: str, span: LedgerSpan) -> str:
    query = ({"project": slug} if slug else {}) | ({} if span is LedgerSpan.DAY else {"t": span.value})
    return f"{LEDGER.href}?{urlencode(query)}" if query else LEDGER.href


def _balance(in_flight: int, waiting: int, *, is_whole: bool) -> Balance:
    """Missing records are in flight while the ring holds any; the ledger balances once they are stored."""
    if in_flight == 0:
        return Balance.BALANCED
    if in_flight > 0 and waiting:
        return Balance.SETTLING
    return Balance.OFF if is_whole else Balance.OPEN


def _chart(buckets: Iterable[BucketCount], span: LedgerSpan, now_ms: int) -> LedgerChart:
    buckets = [bucket for bucket in buckets if bucket.outcome is not Outcome.RECEIVED]
    count, draw = span.ms // span.bucket_ms, charts.daily if span is LedgerSpan.MONTH else charts.hourly
    size = {"days" if span is LedgerSpan.MONTH else "hours": count}
    whole = draw([(b.start_ms, b.record_count) for b in buckets], now_ms, **size)
    stored = draw([(b.start_ms, b.record_count) for b in buckets if b.outcome is Outcome.STORED], now_ms, **size)
    scale = whole.height / whole.top
    bars = []
    for all_bar, stored_bar in zip(whole.bars, stored.bars, strict=True):
        others = all_bar.count - stored_bar.count
        stored_height = _height(stored_bar.count, scale)
        others_height = _height(others, scale)
        top = whole.height - stored_height
        bars.append(
            LedgerBar(
                label=all_bar.label,
                x=all_bar.x,
                stored=stored_bar.count,
                others=others,
                stored_y=round(top, 1),
                stored_height=stored_height,
                others_y=round(top - others_height, 1),
                others_height=others_height,
            )
        )
    ticks = tuple((tick.x, tick.text) for tick in whole.ticks)
    return LedgerChart(
        tuple(bars), ticks, whole.height, whole.bar_width, whole.top, "Day" if span is LedgerSpan.MONTH else "Hour"
    )


def _height(count: int, scale: float) -> float:
    """Even the smallest count is visible."""
    return round(max(2.0, count * scale), 1) if count else 0.0


def _rejection(row: RejectionRow) -> RejectionLine:
    return RejectionLine(
        at_ms=row.rejected_at_ms,
        project=row.project_name or NO_PROJECT_NAME,
        reason=label_of(row.outcome),
        detail=row.detail,
        key_prefix=row.key_prefix,
        size_bytes=row.size_bytes,
        client=row.client,
        user_agent=row.user_agent,
    )
