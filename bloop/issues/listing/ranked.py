"""Lists in the order of a number of the scope, for which there is no index: events, users, trend, last seen in it.

RANK-1  The issues are walked in the order of a number that bounds the one asked for: no issue has more events in a
    scope than in all its life. The walk ends when no issue behind it can be on the page (a threshold algorithm: Fagin,
    Lotem, Naor, "Optimal aggregation algorithms for middleware", 2001).
RANK-2  Equal numbers are in the order of the walk, so that a page of equal ones need not walk to their end.
RANK-3  A walk looks at EXAMINED_MAX issues, and at EVENTS_MAX events to find users. What it could not look at ranks
    behind; `is_complete` says so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat, takewhile
from typing import NamedTuple

from bloop.db.engine import Db
from bloop.db.walk import PageKey, keys
from bloop.issues.counts import users
from bloop.issues.counts.last_seen import last_seen
from bloop.issues.counts.scope import CountScope
from bloop.issues.counts.scoped import issue_events
from bloop.issues.counts.users import lives, user_counts
from bloop.issues.listing.model import IssueFilter, Sort
from bloop.issues.read import Plan, plan
from bloop.issues.search.conditions import CANDIDATES_MAX

EXAMINED_MAX = 20_000  # 40 ms
EVENTS_MAX = 400_000
CHUNKS = (256, 1024, 4096)  # issues looked at between two checks; the last is repeated
USERS_CHUNK = 32
DAMPING = 10  # events added to both windows: ten times as many of a few are no trend
TREND_UNIT = 1000  # a trend is a whole number of thousandths


class Rank(NamedTuple):
    """The place of an issue: its number, and its place in the walk."""

    value: int
    walked: int
    tie: str
    id: int

    @property
    def key(self) -> PageKey:
        return PageKey(self.value, self.tie, self.id)


class RankedPage(NamedTuple):
    """A page, highest first. `start` is how many issues stand above it, `above` where the page above begins (None: at
    the top), `is_complete` whether every issue was looked at that could be here (RANK-3), `has_all_found` whether the
    search over single events found all issues."""

    keys: list[PageKey]
    next: PageKey | None
    above: PageKey | None
    start: int
    is_complete: bool
    has_all_found: bool = True


def trend_of(events: int, events_before: int) -> int:
    """How many thousandths of the events of the window before there are, damped: 1000 is no change."""
    return TREND_UNIT * (events + DAMPING) // (events_before + DAMPING)


def ranked(
    db: Db,
    project_ids: Sequence[int],
    issue_filter: IssueFilter,
    sort: Sort,
    *,
    limit: int,
    before: PageKey | None = None,
) -> RankedPage:
    """The issues of the filter, which has a scope, in the order of `sort`, strictly behind `before`."""
    assert issue_filter.scope is not None
    walk_sort = Sort.LAST_SEEN if sort is Sort.LAST_SEEN else Sort.EVENTS
    way = plan(db, project_ids, issue_filter, walk_sort)
    ranking = _Ranking(db, project_ids, issue_filter.scope, sort, issue_filter.now_ms, limit)
    if before is not None:
        ranking.start_behind(before, walk_sort)
    is_settled = False
    for found in _walk(db, way):
        ranking.add(found)
        is_settled = ranking.is_settled(found[-1].value)
        if is_settled or ranking.is_cut:
            break
    return ranking.page(is_complete=is_settled or not ranking.is_cut)._replace(has_all_found=way.is_complete)


def _walk(db: Db, way: Plan) -> Iterator[list[PageKey]]:
    """The issues in the order of the walk, some at a time."""
    sizes = chain(CHUNKS, repeat(CHUNKS[-1]))
    if "candidate_ids" in way.bindings:  # few: sorting them is most of the work, so it is done once
        few = iter(_keys(db, way, None, CANDIDATES_MAX))
        yield from takewhile(bool, (list(islice(few, size)) for size in sizes))
        return
    place: PageKey | None = None
    for size in sizes:
        found = _keys(db, way, place, size)
        if found:
            yield found
        if len(found) < size:
            return
        place = found[-1]


def _keys(db: Db, way: Plan, before: PageKey | None, limit: int) -> list[PageKey]:
    return keys(db, way.walk, way.arms, filters=way.filters, bindings=way.bindings, before=before, limit=limit)


@dataclass
class _Ranking:
    """What a walk has found so far, best first."""

    db: Db
    project_ids: Sequence[int]
    scope: CountScope
    sort: Sort
    now_ms: int
    limit: int
    before: Rank | None = None
    ranks: list[Rank] = field(default_factory=list)
    examined: int = 0
    events_walked: int = 0

    @property
    def is_cut(self) -> bool:
        return self.examined >= EXAMINED_MAX or self.events_walked > EVENTS_MAX

    def start_behind(self, before: PageKey, walk_sort: Sort) -> None:
        life = lives(self.db, [before.id]).get(before.id)
        walked = before.value if life is None else life.event_count
        if walk_sort is Sort.LAST_SEEN and life is not None:
            walked = life.last_seen_ms
        self.before = Rank(before.value, walked, before.tie, before.id)

    def add(self, found: Sequence[PageKey]) -> None:
        """Measure the next issues of the walk, and put them in order."""
        self.examined += len(found)
        if self.sort is Sort.USERS:
            self._add_users(found)
            return
        values = _MEASURES[self.sort](self, [key.id for key in found])
        self._insert(Rank(values[key.id], *key) for key in found)

    def is_settled(self, walked: int) -> bool:
        """Whether no issue that comes behind `walked` can be on the page (RANK-1, RANK-2)."""
        last = self._last()
        return last is not None and last.value >= self._bound(walked)

    def page(self, *, is_complete: bool) -> RankedPage:
        start = self._start()
        page = self.ranks[start : start + self.limit]
        has_more = len(self.ranks) > start + self.limit
        above = self.ranks[start - self.limit - 1].key if start > self.limit else None
        return RankedPage([rank.key for rank in page], page[-1].key if has_more else None, above, start, is_complete)

    def _bound(self, walked: int) -> int:
        """The highest number that an issue may have whose place in the walk is `walked`."""
        if self.sort is Sort.TREND:
            return trend_of(walked, 0)
        return min(walked, self.scope.window.to_ms) if self.sort is Sort.LAST_SEEN else walked

    def _start(self) -> int:
        """How many of those found stand above the page."""
        if self.before is None:
            return 0
        before = self.before
        place = bisect_left(self.ranks, True, key=lambda rank: rank <= before)
        return place + (place < len(self.ranks) and self.ranks[place] == before)

    def _last(self) -> Rank | None:
        """The first one behind the page, once it is full: the page ends above it, and it says that there are more."""
        place = self._start() + self.limit
        return self.ranks[place] if place < len(self.ranks) else None

    def _insert(self, ranks: Iterable[Rank]) -> None:
        self.ranks += ranks
        self.ranks.sort(reverse=True)

    def _events(self, ids: Sequence[int]) -> dict[int, int]:
        return issue_events(self.db, self.project_ids, ids, self.scope)

    def _trends(self, ids: Sequence[int]) -> dict[int, int]:
        earlier = issue_events(self.db, self.project_ids, ids, self.scope.before(self.now_ms))
        return {issue_id: trend_of(number, earlier[issue_id]) for issue_id, number in self._events(ids).items()}

    def _times(self, ids: Sequence[int]) -> dict[int, int]:
        return last_seen(self.db, self.project_ids, ids, self.scope)

    def _add_users(self, found: Sequence[PageKey]) -> None:
        """As `add`, but users are found for those alone that may be on the page: it takes a walk over their events."""
        ids = [key.id for key in found]
        known, numbers = lives(self.db, ids), self._events(ids)
        bounds = sorted((Rank(min(known[key.id].user_count, numbers[key.id]), *key) for key in found), reverse=True)
        for start in range(0, len(bounds), USERS_CHUNK):
            last = self._last()
            part = [rank for rank in bounds[start : start + USERS_CHUNK] if last is None or rank > last]
            if not part or self.is_cut:
                return
            wanted = {rank.id: numbers[rank.id] for rank in part}
            counts = user_counts(self.db, self.project_ids, known, wanted, self.scope)
            walked = (number for issue_id, number in wanted.items() if number != known[issue_id].event_count)
            self.events_walked += sum(min(number, users.EVENTS_MAX) for number in walked)
            self._insert(rank._replace(value=counts[rank.id].number) for rank in part)


_MEASURES: dict[Sort, Callable[[_Ranking, Sequence[int]], dict[int, int]]] = {
    Sort.EVENTS: _Ranking._events,
    Sort.TREND: _Ranking._trends,
    Sort.LAST_SEEN: _Ranking._times,
}
