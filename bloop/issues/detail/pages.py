"""Rows → the page of an issue with one of its events. Pure: the resource reads, this arranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.grouping.stacks.parse import parse
from bloop.issues.detail.activity import newest_activity
from bloop.issues.detail.address import IssueAddress
from bloop.issues.detail.contexts import EventNav, EventView, IssuePage, IssueTagsPage, TagList
from bloop.issues.detail.facts import event_facts, metadata_facts, metadata_of, tag_list, term
from bloop.issues.detail.frame import IssueTab, issue_frame, lifetime_of, release_table, wider_scopes
from bloop.issues.detail.read import ActivityRows, FrameRows
from bloop.issues.detail.show import cut_fields
from bloop.issues.events.read import EventRow
from bloop.issues.events.scoped import Around, EventKey, ScopedEvents
from bloop.issues.read import IssueRow
from bloop.issues.search.keys import Field
from bloop.issues.tags.model import TAGS_MAX, summarise
from bloop.site.contexts import Shell
from bloop.site.scope import PageScope

TAG_EVENTS_MAX = 500  # newest events in scope that a page counts tags of
TAGS_BESIDE = 8  # beside an event
VALUES_BESIDE = 3
VALUES_MAX = 10  # of each tag on their own page
HEADING_CHARS_MAX = 200  # of a message at the top of the page, before it is clamped to HEADING_LINES_MAX lines
HEADING_LINES_MAX = 3


class EventRows(NamedTuple):
    """What the page of an event shows beside the frame. `event` is None when every event has expired; `tagged` are the
    newest events in scope."""

    event: EventRow | None
    tagged: Sequence[EventRow]
    activity: ActivityRows


def event_page(
    shell: Shell, frame: FrameRows, rows: EventRows, address: IssueAddress, me: str, now_ms: int
) -> IssuePage:
    """The whole context of `/issues/{ref}` and `/issues/{ref}/events/{id}`; `me` is the visitor's id."""
    event, events = rows.event, frame.events
    around = events.around(EventKey(event.timestamp_ms, event.id)) if event else None
    is_outside = around is not None and around.position is None
    path = address.path if event is None or event.id == events.newest_id else f"{address.path}/events/{event.id}"
    return IssuePage(
        shell=shell,
        now_ms=now_ms,
        frame=issue_frame(frame, address, IssueTab.EVENT, me, now_ms, event),
        event=_event(event, frame.issue, address, is_outside=is_outside) if event else None,
        nav=_nav(address, events, around) if around else None,
        wider=wider_scopes(address, path) if is_outside else (),
        tags=_tags(rows.tagged, events, address, tags_max=TAGS_BESIDE, values_max=VALUES_BESIDE),
        lifetime=lifetime_of(frame.issue),
        releases=release_table(frame.aggregates),
        activity=newest_activity(rows.activity, address, me),
    )


def tags_page(
    shell: Shell, frame: FrameRows, tagged: Sequence[EventRow], address: IssueAddress, me: str, now_ms: int
) -> IssueTagsPage:
    """The context of `/issues/{ref}/tags`."""
    return IssueTagsPage(
        shell=shell,
        now_ms=now_ms,
        frame=issue_frame(frame, address, IssueTab.TAGS, me, now_ms),
        tags=_tags(tagged, frame.events, address, tags_max=TAGS_MAX, values_max=VALUES_MAX),
        wider=() if tagged else wider_scopes(address, f"{address.path}/tags"),
    )


def _tags(
    tagged: Sequence[EventRow], events: ScopedEvents, address: IssueAddress, *, tags_max: int, values_max: int
) -> TagList:
    return tag_list(
        summarise(tagged, values_max=values_max),
        len(tagged),
        address.events,
        is_complete=events.is_complete and len(tagged) == events.total,
        tags_max=tags_max,
        href=address.tags,
    )


def _nav(address: IssueAddress, events: ScopedEvents, around: Around) -> EventNav:
    """Oldest to the left, newest to the right; the ends lead nowhere. Numbers count from the oldest."""

    def link(event_id: int | None) -> str:
        return "" if event_id is None else address.event(event_id)

    is_newest = around.position == 1
    is_oldest = events.is_complete and around.position == events.total
    return EventNav(
        first_href="" if is_oldest else link(around.oldest),
        older_href=link(around.older),
        newer_href=link(around.newer),
        last_href="" if is_newest or around.newest is None else address.page,
        position=events.total - around.position + 1 if around.position and events.is_complete else None,
        total=events.total,
        is_more=not events.is_complete,
    )


def _event(event: EventRow, issue: IssueRow, address: IssueAddress, *, is_outside: bool) -> EventView:
    stack_text = event.stack or ""
    metadata = metadata_of(event)
    request = event.request_id or ""
    search = term(Field.REQUEST, request)
    return EventView(
        at_ms=event.timestamp_ms,
        error_type=event.error_type,
        message=event.message,
        same_as_issue=(event.error_type, event.message) == (issue.error_type, issue.message)
        and _is_short(event.message),
        request=request,
        request_href=PageScope(range=address.scope.range).href("/search", q=search) if search else "",
        stack_text=stack_text,
        stack=parse(stack_text),
        facts=tuple(event_facts(event, address.events)),
        metadata=metadata,
        metadata_facts=tuple(metadata_facts(metadata, address.events)),
        cut=tuple(cut_fields(event)),
        is_outside=is_outside,
    )


def _is_short(message: str) -> bool:
    """Whether the top of the page shows it in full."""
    return len(message) <= HEADING_CHARS_MAX and message.count("\n") < HEADING_LINES_MAX
