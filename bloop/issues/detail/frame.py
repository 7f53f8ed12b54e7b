"""Rows → the head, the numbers and the tabs of an issue's pages. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import urlencode

from bloop.issues.aggregates import AggregateRow
from bloop.issues.contexts import NEW_MS
from bloop.issues.detail.address import IssueAddress
from bloop.issues.detail.contexts import Impact, IssueFrame, IssueHead, Lifetime, ReleaseLine, ReleaseTable
from bloop.issues.detail.read import FrameRows
from bloop.issues.events.read import EventRow
from bloop.issues.limits.model import describe_users
from bloop.issues.read import IssueRow
from bloop.issues.status import words as history
from bloop.releases.model import NO_RELEASE
from bloop.site.contexts import Option, TabLink
from bloop.site.scope import RANGES_MS, PageScope
from bloop.site.strip import make_strip

BY_CLIENT = "client"  # the fingerprint is whatever the application sent
RELEASES_MAX = 8
ENVIRONMENTS_MAX = 4
RANGE_WORDS = {"1h": "Last hour", "24h": "Last 24 h", "7d": "Last 7 days", "30d": "Last 30 days"}


class IssueTab(StrEnum):
    EVENT = "Event"
    EVENTS = "All events"
    TAGS = "Tags"
    ACTIVITY = "Activity"


def issue_frame(
    rows: FrameRows, address: IssueAddress, tab: IssueTab, me: str, now_ms: int, event: EventRow | None = None
) -> IssueFrame:
    """`me` is the visitor's account, if any; `event` the one that the page shows, if it shows one. Programs find the
    newest in scope by the issue."""
    is_newest = event is None or event.id == rows.events.newest_id
    issue = rows.issue
    return IssueFrame(
        issue=_head(issue, address, now_ms),
        impact=_impact(rows, address.scope),
        strip=make_strip(rows.series, rows.window, rows.releases),
        tabs=_tabs(rows, address, tab),
        back_href=address.back,
        list_query=address.list_query,
        people=tuple(Option(p.username, p.display_name, p.id == issue.assignee) for p in rows.people),
        me=next((p.username for p in rows.people if p.id == me and p.id != issue.assignee), ""),
        signal_id=rows.signal_id,
        ids=_ids(issue, event),
        document_href=address.path if event is None or is_newest else f"{address.path}/events/{event.id}",
        alert_href=f"/alerts/new?{urlencode({'project': issue.project_slug, 'issue': issue.short_id})}",
    )


def lifetime_of(issue: IssueRow) -> Lifetime:
    users = describe_users(issue.user_count, is_estimate=bool(issue.users_are_estimated))
    return Lifetime(issue.event_count, users, issue.times_regressed)


def wider_scopes(address: IssueAddress, path: str) -> tuple[tuple[str, str], ...]:
    """Names and links of scopes that hold more than this one, for pages that found nothing in it."""
    scope = address.scope
    found: list[tuple[str, PageScope]] = []
    if scope.environment or scope.release:
        found.append(("All environments and releases", scope.with_(environment="", release="")))
    ranges = [*RANGES_MS]
    wider = ranges if scope.is_custom else ranges[ranges.index(scope.range) + 1 :]
    if wider:
        found.append((RANGE_WORDS[wider[-1]], scope.with_(range=wider[-1])))
    links = [(name, IssueAddress(address.short_id, wide, address.list_query)) for name, wide in found]
    return tuple((name, link.page.replace(link.path, path, 1)) for name, link in links)


def release_table(aggregates: Sequence[AggregateRow]) -> ReleaseTable:
    """Events by release, seen last first, and environment, most events first."""
    environments: Counter[str] = Counter()
    by_release: dict[str, Counter[str]] = {}
    for row in aggregates:
        environments[row.environment] += row.event_count
        by_release.setdefault(row.release, Counter())[row.environment] += row.event_count
    shown = [name for name, _ in environments.most_common(ENVIRONMENTS_MAX)]
    lines = [
        ReleaseLine(release, counts.total(), tuple(counts[name] for name in shown))
        for release, counts in list(by_release.items())[:RELEASES_MAX]
    ]
    left_out = (
        _count_words(len(by_release) - len(lines), "older release"),
        _count_words(len(environments) - len(shown), "environment"),
    )
    return ReleaseTable(tuple(shown), tuple(lines), " and ".join(filter(None, left_out)))


def _count_words(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}" if count else ""


def _head(issue: IssueRow, address: IssueAddress, now_ms: int) -> IssueHead:
    return IssueHead(
        path=address.path,
        form_query=address.query,
        short_id=issue.short_id,
        status=issue.status,
        level=issue.level,
        error_type=issue.error_type,
        message=issue.message,
        event_count=issue.event_count,
        resolved_in="in the release after" if issue.resolved_in_next else "in",
        resolved_in_release=issue.resolved_in_release or "",
        muted=history.mute_words(issue.muted_until_ms, issue.muted_events, issue.muted_per_hour),
        release="" if issue.last_release == NO_RELEASE else issue.last_release,
        assignee=issue.assignee_name or "",
        is_new=now_ms - issue.first_seen_ms < NEW_MS,
        is_firing=bool(issue.is_firing),
    )


def _impact(rows: FrameRows, scope: PageScope) -> Impact:
    issue, events = rows.issue, rows.events
    counted = sum(count for _, count in rows.series)
    last = (issue.last_seen_ms, issue.last_release)
    first = (issue.first_seen_ms, issue.first_release)
    if scope.environment or scope.release:
        within = [
            row
            for row in rows.aggregates
            if scope.environment in ("", row.environment) and scope.release in ("", row.release)
        ]
        last = max(((row.last_seen_ms, row.release) for row in within), default=last)
        first = min(((row.first_seen_ms, row.release) for row in within), default=first)
    return Impact(
        events=counted,
        users=events.user_count,
        users_are_more=not events.is_complete or counted > events.total,
        last_seen_ms=last[0],
        last_release=last[1],
        first_seen_ms=first[0],
        first_release=first[1],
    )


def _tabs(rows: FrameRows, address: IssueAddress, tab: IssueTab) -> tuple[TabLink, ...]:
    return (
        TabLink(IssueTab.EVENT, address.page, None, tab is IssueTab.EVENT),
        TabLink(IssueTab.EVENTS, address.events(), rows.events.total, tab is IssueTab.EVENTS),
        TabLink(IssueTab.TAGS, address.tags, None, tab is IssueTab.TAGS),
        TabLink(IssueTab.ACTIVITY, address.activity(), rows.activity_count, tab is IssueTab.ACTIVITY),
    )


def _ids(issue: IssueRow, event: EventRow | None) -> str:
    """The ids to look the issue up by, without any text that an application sent."""
    parts = [f"bloop issue {issue.short_id}", f"project {issue.project_slug}"]
    if issue.fingerprint_algorithm != BY_CLIENT:
        parts.append(f"fingerprint {issue.fingerprint}")
    return ", ".join([*parts, f"event {event.id}"] if event else parts)
