"""Issues: the list, its tabs, one issue. Every function takes the projects the caller may see.

The list walks issues_by_last_seen, issues_by_first_seen or issues_by_events from the end (db/walk.py). `status` is
in those indexes, so tabs never leave them; source, route and text look at each row passed, bounded by the query time
limit. When the search, the tab or the scope is known to hold for few issues only, those are looked at instead of the
whole list (issues/search/conditions.py, listing/tabs.py, counts/membership.py). Orders by numbers of a scope are made
from these walks in listing/ranked.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bloop.auth.principal import Principal
from bloop.base.errors import NotFound
from bloop.db.engine import Db, ids_json
from bloop.db.walk import ROWS_MAX, PageKey, Walk, keys
from bloop.issues.counts.membership import NearScope, in_scope, near_scope
from bloop.issues.events.search import resolve
from bloop.issues.listing.model import INDEXED_SORTS as INDEXED_SORTS
from bloop.issues.listing.model import IssueFilter as IssueFilter
from bloop.issues.listing.model import Sort as Sort
from bloop.issues.listing.model import Tab as Tab
from bloop.issues.listing.tabs import CONDITIONS, COUNTED_MAX, bindings_of, few_of_tab
from bloop.issues.search import conditions as search
from bloop.projects.read import visible_projects

TEXT_LENGTH_MAX = 200  # of the text searched for in titles
REFERENCE_ROWS_MAX = 100  # issues one fingerprint may stand for: one per project


class IssueRow(NamedTuple):
    id: int
    project_id: int
    project_public_id: str
    project_slug: str
    project_name: str
    short_id: str
    fingerprint: str
    fingerprint_algorithm: str
    kind: str
    level: str
    status: str
    error_type: str
    message: str
    source: str
    route: str | None
    screen: str | None
    culprit: str | None
    event_count: int
    user_count: int
    first_seen_ms: int
    last_seen_ms: int
    first_release: str
    last_release: str
    times_regressed: int
    resolved_at_ms: int | None
    resolved_in_release: str | None
    assignee: str | None
    assignee_username: str | None = None
    assignee_name: str | None = None
    resolved_in_next: int = 0  # in the release after `resolved_in_release`
    is_firing: int = 0
    muted_until_ms: int | None = None  # at most one of these three: what the mute ends with
    muted_events: int | None = None
    muted_per_hour: int | None = None
    users_are_estimated: int = 0  # `user_count` is about right: there are more than are counted exactly


class Plan(NamedTuple):
    """How a list is read: the walk, what it is repeated for, and the conditions on its rows."""

    walk: Walk
    arms: Sequence[int]
    filters: list[str]
    bindings: dict[str, Any]
    is_complete: bool = True  # False: further issues may have events that the search is about


class IssueRows(NamedTuple):
    rows: list[IssueRow]
    next: PageKey | None  # give it back as `before`; None: this was the last page
    is_complete: bool = True  # False: further issues may have events that the search is about


_WALKS = {
    Sort.LAST_SEEN: Walk(
        select="SELECT i.last_seen_ms, i.status, i.id FROM issues AS i INDEXED BY issues_by_last_seen",
        arm="i.project_id = :arm",
        ties="i.last_seen_ms = :value AND i.status = :tie AND i.id < :id",
        rest="(i.last_seen_ms, i.status) < (:value, :tie)",
        order="ORDER BY i.last_seen_ms DESC, i.status DESC, i.id DESC",
    ),
    Sort.FIRST_SEEN: Walk(
        select="SELECT i.first_seen_ms, i.status, i.id FROM issues AS i INDEXED BY issues_by_first_seen",
        arm="i.project_id = :arm",
        ties="i.first_seen_ms = :value AND i.status = :tie AND i.id < :id",
        rest="(i.first_seen_ms, i.status) < (:value, :tie)",
        order="ORDER BY i.first_seen_ms DESC, i.status DESC, i.id DESC",
    ),
    Sort.EVENTS: Walk(
        select="SELECT i.event_count, i.status, i.id FROM issues AS i INDEXED BY issues_by_events",
        arm="i.project_id = :arm",
        ties="i.event_count = :value AND i.status = :tie AND i.id < :id",
        rest="(i.event_count, i.status) < (:value, :tie)",
        order="ORDER BY i.event_count DESC, i.status DESC, i.id DESC",
    ),
}

# One walk over all projects, in place of one for each: it reads no `:arm`.
_FEW = "FROM json_each(:candidate_ids) AS few CROSS JOIN issues AS i"
_FEW_ARM = "i.id = few.value AND i.project_id IN (SELECT value FROM json_each(:project_ids))"

_BY_SOURCE = "i.source = :source"
_BY_ROUTE = "i.route = :route"
_BY_TEXT = "i.error_type || ': ' || i.message LIKE :text ESCAPE '\\'"
_SINCE = "i.last_seen_ms >= :since_ms"
_UNTIL = "i.last_seen_ms <= :until_ms"

_COLUMNS = """
SELECT i.id, i.project_id, p.public_id, p.slug, p.name, p.short_prefix || '-' || i.short_number,
       i.fingerprint, i.fingerprint_algorithm, i.kind, i.level, i.status, i.error_type, i.message, i.source,
       i.route, i.screen, i.culprit, i.event_count, i.user_count, i.first_seen_ms, i.last_seen_ms,
       i.first_release, i.last_release, i.times_regressed, i.resolved_at_ms, i.resolved_in_release, i.assignee,
       u.username, u.display_name, i.resolved_in_next, i.is_firing, i.muted_until_ms, i.muted_events, i.muted_per_hour,
       i.users_are_estimated
"""
# From the ids to the rows: after an upgrade that adds an index, without statistics of it, the planner would begin with
# the projects and read every issue.
_SELECT_BY_IDS = f"""{_COLUMNS}
  FROM json_each(:ids) AS wanted
 CROSS JOIN issues AS i
 CROSS JOIN projects AS p
  LEFT JOIN webauthn_users AS u ON u.id = i.assignee
 WHERE i.id = wanted.value AND p.id = i.project_id
"""
# Served by the UNIQUE (project_id, fingerprint) index, once per project.
_SELECT_BY_FINGERPRINT = f"""{_COLUMNS}
  FROM projects AS p
  JOIN issues AS i ON i.project_id = p.id AND i.fingerprint = :fingerprint
  LEFT JOIN webauthn_users AS u ON u.id = i.assignee
 WHERE p.id IN (SELECT value FROM json_each(:project_ids))
 ORDER BY i.last_seen_ms DESC, i.id DESC
 LIMIT :limit
"""  # noqa: S608
# Served by the UNIQUE (project_id, short_number) index, once per project with that prefix.
_SELECT_BY_SHORT_ID = f"""{_COLUMNS}
  FROM projects AS p
  JOIN issues AS i ON i.project_id = p.id AND i.short_number = :short_number
  LEFT JOIN webauthn_users AS u ON u.id = i.assignee
 WHERE p.id IN (SELECT value FROM json_each(:project_ids)) AND p.short_prefix = :short_prefix COLLATE NOCASE
 ORDER BY i.last_seen_ms DESC, i.id DESC
 LIMIT :limit
"""  # noqa: S608
_SELECT_STATUS_COUNTS = """
SELECT status, sum(issue_count)
  FROM status_counts
 WHERE project_id IN (SELECT value FROM json_each(:project_ids))
 GROUP BY status
"""
_SELECT_OPEN_COUNTS = """
SELECT project_id, sum(issue_count)
  FROM status_counts
 WHERE project_id IN (SELECT value FROM json_each(:project_ids)) AND status IN ('unresolved', 'regressed')
 GROUP BY project_id
"""
_SELECT_FIRING_COUNT = """
SELECT coalesce(sum(issue_count), 0)
  FROM firing_counts
 WHERE project_id IN (SELECT value FROM json_each(:project_ids))
"""


def list_issues(
    db: Db,
    project_ids: Sequence[int],
    issue_filter: IssueFilter,
    *,
    sort: Sort = Sort.LAST_SEEN,
    limit: int,
    before: PageKey | None = None,
    skip: int = 0,
) -> IssueRows:
    """One page, highest sort value first. Continue with `before=page.next`; `skip` is for callers with an offset.

    `sort` is one of INDEXED_SORTS, by the whole life of issues; `listing/read.py` has the lists within a scope.
    """
    assert 0 < limit <= ROWS_MAX
    way = plan(db, project_ids, issue_filter, sort)
    found = keys(
        db,
        way.walk,
        way.arms,
        filters=way.filters,
        bindings=way.bindings,
        before=before,
        skip=skip,
        limit=limit + 1,
    )
    page = found[:limit]
    rows = {row.id: row for row in by_ids(db, [key.id for key in page])}
    return IssueRows([rows[key.id] for key in page], page[-1] if len(found) > limit else None, way.is_complete)


def plan(db: Db, project_ids: Sequence[int], issue_filter: IssueFilter, sort: Sort) -> Plan:
    """The list itself, walked once per project, or the few issues that an index finds."""
    few, is_complete = _few(db, project_ids, issue_filter, sort)
    filters, bindings = conditions(issue_filter, project_ids, by_words=few is not None and few.by_words)
    walk = _WALKS[sort]
    if few is None:
        return Plan(walk, project_ids, filters, bindings)
    select = f"{walk.select.partition(' FROM ')[0]} {_FEW}"
    bindings |= {"candidate_ids": ids_json(few.ids), "project_ids": ids_json(project_ids)}
    return Plan(walk._replace(select=select, arm=_FEW_ARM), [0], filters, bindings, is_complete)


def looked_up(db: Db, project_ids: Sequence[int], issue_filter: IssueFilter) -> IssueFilter:
    """The filter with what lists made of it would otherwise each look up."""
    issue_filter = matching_events(db, project_ids, issue_filter)
    return replace(issue_filter, near=_near(db, project_ids, issue_filter))


def matching_events(db: Db, project_ids: Sequence[int], issue_filter: IssueFilter) -> IssueFilter:
    """The filter with the issues that its terms about single events find, so that lists made of it look for these once.

    It is the same filter when it has no such terms.
    """
    query, scope = issue_filter.query, issue_filter.scope
    if not query.names_events or issue_filter.found is not None:
        return issue_filter
    if scope is not None:
        query = query.in_scope(scope.environment or None, scope.release or None)
    found = resolve(db, project_ids, query, scope.window if scope else None, issue_filter.now_ms)
    return replace(issue_filter, found=(tuple(found.issue_ids), found.is_complete))


def conditions(
    issue_filter: IssueFilter, project_ids: Sequence[int], *, by_words: bool = False
) -> tuple[list[str], dict[str, Any]]:
    """The fragments over `issues AS i` that apply, and every value they may name."""
    chosen = [
        (CONDITIONS.get(issue_filter.tab, ""), issue_filter.tab is not Tab.ALL),
        (_BY_SOURCE, issue_filter.source is not None),
        (_BY_ROUTE, issue_filter.route is not None),
        (_BY_TEXT, bool(issue_filter.text)),
        (_SINCE, issue_filter.since_ms is not None),
        (_UNTIL, issue_filter.until_ms is not None),
    ]
    bindings = bindings_of(issue_filter) | {
        "source": issue_filter.source,
        "route": issue_filter.route,
        "text": contains(issue_filter.text or ""),
        "since_ms": issue_filter.since_ms,
        "until_ms": issue_filter.until_ms,
    }
    asked = search.conditions(issue_filter.query, issue_filter.now_ms, by_words=by_words)
    fragments = [fragment for fragment, applies in chosen if applies] + asked.fragments
    bindings |= asked.bindings
    if issue_filter.scope is not None:
        scoped = in_scope(issue_filter.scope, project_ids)
        fragments, bindings = fragments + scoped.fragments, bindings | scoped.bindings
    return fragments, bindings


def by_ids(db: Db, ids: Sequence[int]) -> list[IssueRow]:
    """The issues with these row ids, in no order. For ids that came from a list already limited to what may be seen."""
    return [IssueRow(*row) for row in db.execute(_SELECT_BY_IDS, {"ids": ids_json(ids)})]


def find_issues(db: Db, project_ids: Sequence[int], reference: str) -> list[IssueRow]:
    """Every issue that `reference` names: a fingerprint (one issue per project), else a short id such as SHOP-12."""
    bindings: dict[str, Any] = {"project_ids": ids_json(project_ids), "limit": REFERENCE_ROWS_MAX}
    found = list(db.execute(_SELECT_BY_FINGERPRINT, bindings | {"fingerprint": reference}))
    short_id = re.fullmatch(r"(.+)-([0-9]{1,18})", reference, re.DOTALL)
    if not found and short_id:
        bindings |= {"short_prefix": short_id[1], "short_number": int(short_id[2])}
        found = list(db.execute(_SELECT_BY_SHORT_ID, bindings))
    return [IssueRow(*row) for row in found]


def get_issue(db: Db, project_ids: Sequence[int], reference: str) -> IssueRow | None:
    """The issue that `reference` names, the most recently seen one if several projects have it."""
    return next(iter(find_issues(db, project_ids, reference)), None)


def status_counts(db: Db, project_ids: Sequence[int]) -> dict[str, int]:
    """Issues per stored status, kept by triggers: nothing is counted here. Statuses without issues may be missing."""
    return dict(db.execute(_SELECT_STATUS_COUNTS, {"project_ids": ids_json(project_ids)}))


def open_counts(db: Db, project_ids: Sequence[int]) -> dict[int, int]:
    """Open issues per project; projects that never had one are missing."""
    return dict(db.execute(_SELECT_OPEN_COUNTS, {"project_ids": ids_json(project_ids)}))


def firing_count(db: Db, project_ids: Sequence[int]) -> int:
    """Issues that are resolved and still firing, kept by triggers too."""
    return int(db.execute(_SELECT_FIRING_COUNT, {"project_ids": ids_json(project_ids)}).get or 0)


def _few(
    db: Db, project_ids: Sequence[int], issue_filter: IssueFilter, sort: Sort
) -> tuple[search.Candidates | None, bool]:
    """The issues that an index finds for the filter, if they are few or it is about single events; and whether those
    are all of them."""
    found = matching_events(db, project_ids, issue_filter).found
    if found is not None:
        return search.Candidates([*found[0]], by_words=False), found[1]
    few = search.candidates(db, project_ids, _hints(issue_filter))
    if few is not None:
        return few, True
    ids = few_of_tab(db, project_ids, issue_filter, search.CANDIDATES_MAX)
    scope = issue_filter.scope
    is_at_end = sort is Sort.LAST_SEEN and scope is not None and not scope.has_names  # of the walk itself
    if ids is None and not is_at_end:
        near = _near(db, project_ids, issue_filter)
        ids = None if near is None or near.ids is None else [*near.ids]
    return (None if ids is None else search.Candidates(ids, by_words=False)), True


def _near(db: Db, project_ids: Sequence[int], issue_filter: IssueFilter) -> NearScope | None:
    """What is near the scope; None without one."""
    if issue_filter.near is not None or issue_filter.scope is None:
        return issue_filter.near
    ids_max = search.CANDIDATES_MAX
    return near_scope(db, project_ids, issue_filter.scope, ids_max=ids_max, counted_max=max(ids_max, COUNTED_MAX))


def _hints(issue_filter: IssueFilter) -> search.Hints:
    """The hints of the search, and of the plain filters where the search has none."""
    hints = search.hints(issue_filter.query)
    return hints._replace(
        sources=hints.sources or ((issue_filter.source,) if issue_filter.source is not None else ()),
        routes=(issue_filter.route,) if issue_filter.route is not None else (),
    )


def contains(text: str) -> str:
    """A LIKE pattern (ESCAPE '\\') for strings that contain `text`, cut to TEXT_LENGTH_MAX."""
    escaped = re.sub(r"([\\%_])", r"\\\1", text[:TEXT_LENGTH_MAX])
    return f"%{escaped}%"


def find_issue(db: Db, principal: Principal, ref: str) -> IssueRow:
    """The issue that a request names, among those the caller may see. Raises: NotFound."""
    issue = get_issue(db, visible_projects(db, principal, None), ref)
    if issue is None:
        raise NotFound("no issue has this id")
    return issue
