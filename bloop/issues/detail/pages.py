"""Rows → the page of one issue and one of its events. Pure: the resource reads, this arranges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import orjson

from bloop.accounts.people.read import UserRow
from bloop.alerts.deliveries.read import AnnouncedRow
from bloop.base.errors import InvalidEvent
from bloop.base.json_body import decode_exactly
from bloop.grouping.stacks.parse import parse
from bloop.issues.aggregates import AggregateRow
from bloop.issues.contexts import (
    NEW_MS,
    Breakdown,
    EventNav,
    EventView,
    Fact,
    HistoryEntry,
    IssueHead,
    IssuePage,
    Share,
)
from bloop.issues.counts.read import HourCount
from bloop.issues.culprit import where_of
from bloop.issues.detail.show import cut_fields
from bloop.issues.events.read import POSITION_MAX, EventRow, Neighbours
from bloop.issues.limits.model import describe_users
from bloop.issues.listing.state import IssueView
from bloop.issues.read import IssueRow, Tab
from bloop.issues.status import words as history
from bloop.issues.status.model import Status
from bloop.issues.status.read import StatusChangeRow
from bloop.records.event_record import Traits
from bloop.releases.model import NO_RELEASE
from bloop.site import charts
from bloop.site.contexts import Option, Shell
from bloop.site.links import issue_href

DAY_HOURS = 24
MONTH_DAYS = 30
SHARES_MAX = 6
BY_CLIENT = "client"  # the fingerprint is whatever the application sent
TRAITS_MAX = 200  # newest events looked at for what no counter keeps
FACTS_MAX = 60  # keys of metadata shown as a table; the raw JSON has all of them
VALUE_CHARS_MAX = 600
HEADING_CHARS_MAX = 200  # of a message at the top of the page, before it is clamped to HEADING_LINES_MAX lines
HEADING_LINES_MAX = 3


class DetailRows(NamedTuple):
    """The rows of one issue page; `event` and `neighbours` are None when every event was pruned."""

    issue: IssueRow
    event: EventRow | None
    neighbours: Neighbours | None
    aggregates: Sequence[AggregateRow]
    hours: Sequence[HourCount]  # of the last MONTH_DAYS days
    changes: Sequence[StatusChangeRow]
    announced: Sequence[AnnouncedRow] = ()
    releases: Sequence[tuple[str, int]] = ()  # of the project, first seen in the last MONTH_DAYS days
    traits: Sequence[Traits] = ()  # of the newest TRAITS_MAX events
    people: Sequence[UserRow] = ()
    signal_id: int = 0


def page(shell: Shell, rows: DetailRows, me: str, now_ms: int) -> IssuePage:
    """The whole context of `/issues/{ref}` and `/issues/{ref}/events/{id}`; `me` is the visitor's account, if any."""
    issue, around = rows.issue, rows.neighbours
    href = issue_href(issue.short_id)
    return IssuePage(
        shell=shell,
        now_ms=now_ms,
        issue=_head(issue, href, around, now_ms),
        event=_event(rows.event, issue) if rows.event else None,
        nav=_nav(href, around) if around else None,
        latest=around is not None and around.newer is None,
        day=charts.marked(charts.hourly(rows.hours, now_ms, hours=DAY_HOURS), rows.releases),
        month=charts.marked(charts.daily(rows.hours, now_ms, days=MONTH_DAYS), rows.releases),
        breakdowns=(*_breakdowns(issue, rows.aggregates), *_trait_breakdowns(issue, rows.traits)),
        history=tuple(_history(issue, rows.changes, rows.announced)),
        back_href=IssueView(project=issue.project_slug).href,
        people=tuple(Option(p.username, p.display_name, p.id == issue.assignee) for p in rows.people),
        me=next((p.username for p in rows.people if p.id == me and p.id != issue.assignee), ""),
        signal_id=rows.signal_id,
        ids=_ids(issue, rows.event),
        document_href=f"{href}/events/{rows.event.id}" if rows.event and around and around.newer is not None else href,
    )


def _ids(issue: IssueRow, event: EventRow | None) -> str:
    """The ids to look the issue up by, without any text that an application sent."""
    parts = [f"bloop issue {issue.short_id}", f"project {issue.project_slug}"]
    if issue.fingerprint_algorithm != BY_CLIENT:
        parts.append(f"fingerprint {issue.fingerprint}")
    return ", ".join([*parts, f"event {event.id}"] if event else parts)


def _head(issue: IssueRow, href: str, around: Neighbours | None, now_ms: int) -> IssueHead:
    total = around.total if around else 0
    return IssueHead(
        href=href,
        short_id=issue.short_id,
        project_name=issue.project_name,
        status=issue.status,
        level=issue.level,
        error_type=issue.error_type,
        message=issue.message,
        where=where_of(issue),
        event_count=issue.event_count,
        stored_count=total if total <= POSITION_MAX else None,
        users=describe_users(issue.user_count, is_estimate=bool(issue.users_are_estimated)),
        first_seen_ms=issue.first_seen_ms,
        last_seen_ms=issue.last_seen_ms,
        first_release=issue.first_release,
        last_release=issue.last_release,
        times_regressed=issue.times_regressed,
        resolved_at_ms=issue.resolved_at_ms,
        resolved_in="in the release after" if issue.resolved_in_next else "in",
        resolved_in_release=issue.resolved_in_release or "",
        muted=history.mute_words(issue.muted_until_ms, issue.muted_events, issue.muted_per_hour),
        release="" if issue.last_release == NO_RELEASE else issue.last_release,
        assignee=issue.assignee_name or "",
        is_new=now_ms - issue.first_seen_ms < NEW_MS,
        is_firing=bool(issue.is_firing),
    )


def _nav(href: str, around: Neighbours) -> EventNav:
    """Oldest to the left, newest to the right; the ends lead nowhere. Numbers count from the oldest."""

    def link(event_id: int | None) -> str:
        return "" if event_id is None else f"{href}/events/{event_id}"

    countable = around.total <= POSITION_MAX
    return EventNav(
        first_href=link(around.oldest) if around.older is not None else "",
        previous_href=link(around.older),
        next_href=link(around.newer),
        last_href=href if around.newer is not None else "",
        position=around.total - around.position + 1 if countable else None,
        stored=around.total if countable else None,
    )


def _event(event: EventRow, issue: IssueRow) -> EventView:
    stack_text = event.stack or ""
    metadata = _json(event.metadata)
    return EventView(
        at_ms=event.timestamp_ms,
        error_type=event.error_type,
        message=event.message,
        same_as_issue=(event.error_type, event.message) == (issue.error_type, issue.message)
        and _is_short(event.message),
        stack_text=stack_text,
        stack=parse(stack_text),
        facts=tuple(_facts(event)),
        metadata=metadata,
        metadata_facts=tuple(_metadata_facts(metadata)),
        cut=tuple(cut_fields(event)),
    )


def _is_short(message: str) -> bool:
    """Whether the top of the page shows it in full."""
    return len(message) <= HEADING_CHARS_MAX and message.count("\n") < HEADING_LINES_MAX


def _facts(event: EventRow) -> Iterable[Fact]:
    """Ids first, then where and what ran, then who; absent values are left out."""
    yield Fact("Event", str(event.id), mono=True)
    yield Fact("Happened", at_ms=event.timestamp_ms)
    yield Fact("Received", at_ms=event.received_at_ms)
    texts = (
        ("Level", event.level, False),
        ("Environment", event.environment, False),
        ("Release", event.release, True),
        ("App version", event.app_version, True),
        ("Build", event.build_number, True),
        ("Source", event.source, False),
        ("Route", event.route, True),
        ("Screen", event.screen, False),
        ("HTTP status", None if event.http_status is None else str(event.http_status), True),
        ("Request", event.request_id, True),
        ("User", event.user_id_hash, True),
        ("Device", event.device_id_hash, True),
    )
    for label, value, mono in texts:
        if value:
            yield Fact(label, value, mono)


def _metadata_facts(metadata: Any) -> Iterable[Fact]:
    """One line per key of an object, values that are not text as compact JSON; nothing for other JSON."""
    if not isinstance(metadata, dict):
        return
    for key, value in list(metadata.items())[:FACTS_MAX]:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        yield Fact(str(key), text if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "…", mono=True)


def _json(text: str | None) -> Any:
    if not text:
        return None
    try:
        return decode_exactly(text.encode())
    except InvalidEvent:
        return text  # stored by a version that checked less; shown as it is


def _breakdowns(issue: IssueRow, aggregates: Sequence[AggregateRow]) -> Iterable[Breakdown]:
    releases: Counter[str] = Counter()
    environments: Counter[str] = Counter()
    for row in aggregates:
        releases[row.release] += row.event_count
        environments[row.environment] += row.event_count
    yield _breakdown("Releases", None, releases, lambda name: _href(issue, release=name))
    yield _breakdown("Environments", None, environments, lambda name: _href(issue, environment=name))


def _trait_breakdowns(issue: IssueRow, traits: Sequence[Traits]) -> Iterable[Breakdown]:
    """Breakdowns of the newest events. A source or level that all of them share is on the page already."""
    sources, levels = Counter(t.source for t in traits), Counter(t.level for t in traits)
    statuses = Counter(str(t.http_status) for t in traits if t.http_status is not None)
    versions = Counter(t.app_version for t in traits if t.app_version)
    sample = len(traits) if len(traits) < issue.event_count else None
    if len(sources) > 1:
        yield _breakdown("Sources", sample, sources, lambda name: _href(issue, source=name))
    if len(levels) > 1:
        yield _breakdown("Levels", sample, levels, lambda name: _href(issue, q=f"level:{name}"))
    if statuses:
        yield _breakdown("HTTP status", sample, statuses, lambda name: "")
    if versions:
        yield _breakdown("App versions", sample, versions, lambda name: "")


def _breakdown(title: str, sample: int | None, counts: Counter[str], href: Callable[[str], str]) -> Breakdown:
    total = counts.total() or 1
    shares = (Share(name, count, count / total, href(name)) for name, count in counts.most_common(SHARES_MAX))
    return Breakdown(title, sample, tuple(shares), max(0, len(counts) - SHARES_MAX))


def _href(issue: IssueRow, **filters: str) -> str:
    """The issues of the same project that share this, whatever their status."""
    return IssueView.from_params({"project": issue.project_slug, "tab": Tab.ALL, **filters}).href


def _history(
    issue: IssueRow, changes: Sequence[StatusChangeRow], announced: Sequence[AnnouncedRow]
) -> Iterable[HistoryEntry]:
    """Changes and sent alerts, newest first, down to the first event."""
    entries = [*map(_change_entry, changes), *_alert_entries(announced)]
    yield from sorted(entries, key=lambda entry: entry.at_ms, reverse=True)  # of equal times, in the order of the ids
    yield HistoryEntry(issue.first_seen_ms, "new", "First seen in", issue.first_release, "", "", "")


def _change_entry(change: StatusChangeRow) -> HistoryEntry:
    sentence = history.sentence(change)
    return HistoryEntry(
        at_ms=change.changed_at_ms,
        icon=_icon(change),
        text=sentence.text,
        release=sentence.release,
        person=sentence.person,
        who=history.who(change),
        place=history.place(change),
    )


def _alert_entries(announced: Sequence[AnnouncedRow]) -> Iterable[HistoryEntry]:
    """A line for each alert, with all its receivers."""
    for _, rows in groupby(announced, key=attrgetter("firing_id")):
        sent = list(rows)
        people = ", ".join(row.receiver for row in sent)
        yield HistoryEntry(sent[0].sent_at_ms, "told", "Alert sent to", "", people, sent[0].rule_name, "")


def _icon(change: StatusChangeRow) -> str:
    if change.action == history.ASSIGNED:
        return "person"
    if change.action == history.UNDONE:
        return "back"
    return change.new_status if change.new_status != Status.UNRESOLVED else Status.REGRESSED.value
