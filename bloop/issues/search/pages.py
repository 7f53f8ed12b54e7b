"""Events that a search found → the search page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bloop.base.clock import HOUR_MS
from bloop.issues.events.search import EventMatches
from bloop.issues.search.contexts import EventLine, FurtherEvents, SearchLink, SearchPage
from bloop.issues.search.found import FoundEvent
from bloop.issues.search.keys import Field
from bloop.issues.search.terms import quoted
from bloop.site.contexts import Shell, TabLink
from bloop.site.links import issue_href
from bloop.site.scope import RANGES_MS, PageScope, custom_range

SEARCH_PATH = "/search"
PAGE_EVENTS = 25  # with long messages and every fact a link, a page of them stays below 60 KB
_RANGE_WORDS = {
    "1h": "in the last hour",
    "24h": "in the last 24 h",
    "7d": "in the last 7 days",
    "30d": "in the last 30 days",
}


def page(
    shell: Shell,
    scope: PageScope,
    q: str,
    *,
    found: Sequence[FoundEvent] = (),
    matches: EventMatches | None = None,
    after: int | None = None,
    outside_ms: int | None = None,
    problem: str = "",
) -> SearchPage:
    """The whole context of `/search`. `matches` is None where the search cannot be read: `problem` says why.
    `outside_ms` is when the newest match outside of the time range was received, where there is none in it."""
    older = None if matches is None else matches.next
    is_stopped = matches is not None and not matches.is_complete
    stopped = f"Searched {matches.scanned:,} events one by one and stopped." if matches and is_stopped else ""
    return SearchPage(
        shell=shell,
        q=q,
        tabs=(
            TabLink("Events", scope.href(SEARCH_PATH, q=q), None, current=True),
            TabLink("Issues", scope.href("/", q=q, tab="all"), None, current=False),
        ),
        problem=problem,
        lines=tuple(_line(row, scope, q) for row in found),
        stopped=stopped,
        wider=() if found or stopped or problem else _wider(scope, q),
        range_words=_RANGE_WORDS.get(scope.range, "in this time range"),
        outside=None if outside_ms is None else _outside(scope, q, outside_ms),
        further=_further(scope, q, after, older, stopped, has_lines=bool(found))
        if after is not None or older
        else None,
    )


def with_term(q: str, field: Field, value: str) -> str:
    """The search, and one term more."""
    term = f"{field}:{quoted(value)}"
    return q if f" {term} " in f" {q} " else f"{q} {term}".strip()


def _line(found: FoundEvent, scope: PageScope, q: str) -> EventLine:
    event, issue = found
    issue_link = issue_href(issue.short_id)

    def fact(field: Field, value: str) -> SearchLink:
        return SearchLink(value, scope.href(SEARCH_PATH, q=with_term(q, field, value)))

    return EventLine(
        href=scope.href(f"{issue_link}/events/{event.id}"),
        at_ms=event.received_at_ms,
        time=_time(event.received_at_ms),
        short_id=issue.short_id,
        issue_href=scope.href(issue_link),
        level=event.level,
        error_type=event.error_type,
        message=event.message,
        request=fact(Field.REQUEST, event.request_id) if event.request_id else None,
        user=fact(Field.USER, event.user_id_hash) if event.user_id_hash else None,
        http=fact(Field.HTTP, str(event.http_status)) if event.http_status is not None else None,
        release=fact(Field.RELEASE, event.release),
        environment=fact(Field.ENVIRONMENT, event.environment),
    )


def _further(
    scope: PageScope, q: str, after: int | None, older: int | None, stopped: str, *, has_lines: bool
) -> FurtherEvents:
    return FurtherEvents(
        words=stopped if has_lines else "",
        newest_href="" if after is None else scope.href(SEARCH_PATH, q=q),
        older_href="" if older is None else scope.href(SEARCH_PATH, q=q, after=str(older)),
        older_label="Search older events" if stopped else "Older",
    )


def _time(at_ms: int) -> str:
    """To the second, UTC."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%-d %b %H:%M:%S")


def _outside(scope: PageScope, q: str, at_ms: int) -> SearchLink:
    """The hour around a time, as the range of a link."""
    around = custom_range(at_ms - HOUR_MS // 2, at_ms + HOUR_MS // 2)
    return SearchLink(_time(at_ms), scope.with_(range=around).href(SEARCH_PATH, q=q))


def _wider(scope: PageScope, q: str) -> tuple[SearchLink, ...]:
    """The ranges that are longer than the present one."""
    span_ms = RANGES_MS.get(scope.range, 0)
    return tuple(
        SearchLink(name, scope.with_(range=name).href(SEARCH_PATH, q=q))
        for name, length_ms in RANGES_MS.items()
        if length_ms > span_ms
    )
