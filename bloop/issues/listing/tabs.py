"""The tabs of the list: what each one holds, and how many.

TABS-1  A tab's number is how many issues the list has on it with the same scope and filters. Up to COUNTED_MAX it is
    exact, beyond it says so.
TABS-2  Counting is bounded too: where no index has the answer, it looks at SEARCHED_MAX issues, those nearest to the
    window first, and the number is then at least so many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bloop.db.engine import Db, ids_json
from bloop.issues.listing.model import IssueFilter, Tab

COUNTED_MAX = 10_000
SEARCHED_MAX = 10_000

CONDITIONS = {
    Tab.OPEN: "i.status IN ('unresolved', 'regressed')",
    Tab.MINE: "i.assignee = :me AND i.status IN ('unresolved', 'regressed')",
    Tab.UNRESOLVED: "i.status = 'unresolved'",
    Tab.REGRESSED: "i.status = 'regressed'",
    Tab.RESOLVED: "i.status = 'resolved'",
    Tab.IGNORED: "i.status = 'ignored'",
    Tab.MUTED: "i.status = 'muted'",
    Tab.FIRING: "i.is_firing = 1",
    Tab.NEW: "i.first_release = :new_in",
}


class TabCount(NamedTuple):
    number: int
    is_more: bool = False  # there are, or may be, more


# Tabs that have an index of their own, and hold few issues as a rule.
_FROM = {
    Tab.MINE: """
  FROM issues AS t INDEXED BY issues_by_assignee
 WHERE t.assignee = :me
""",
    Tab.REGRESSED: """
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN issues AS t INDEXED BY issues_regressed
 WHERE t.project_id = wanted.value AND t.status = 'regressed'
""",
    Tab.FIRING: """
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN issues AS t INDEXED BY issues_firing
 WHERE t.project_id = wanted.value AND t.is_firing = 1
""",
    Tab.NEW: """
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN issues AS t INDEXED BY issues_by_first_release
 WHERE t.project_id = wanted.value AND t.first_release = :new_in
""",
}
SELECT_FEW = {tab: f"SELECT t.id {source} LIMIT :few_max" for tab, source in _FROM.items()}


def bindings_of(issue_filter: IssueFilter) -> dict[str, Any]:
    """What CONDITIONS name."""
    return {"me": issue_filter.me, "new_in": issue_filter.new_in}


def few_of_tab(db: Db, project_ids: Sequence[int], issue_filter: IssueFilter, ids_max: int) -> list[int] | None:
    """The issues that may be on the tab, if an index finds that there are at most `ids_max`; else None."""
    if issue_filter.tab not in SELECT_FEW:
        return None
    ids = ids_of_tab(db, project_ids, issue_filter, ids_max + 1)
    return ids if len(ids) <= ids_max else None


def ids_of_tab(db: Db, project_ids: Sequence[int], issue_filter: IssueFilter, limit: int) -> list[int]:
    """Issues that may be on a tab with an index of its own."""
    bindings = bindings_of(issue_filter) | {"project_ids": ids_json(project_ids), "few_max": limit}
    return [row[0] for row in db.execute(SELECT_FEW[issue_filter.tab], bindings)]


def bounded_count(what: str) -> str:
    """The statement that counts rows up to `:limit`; `what` is FROM and WHERE, constant fragments only."""
    return " ".join(("SELECT", "count(*) FROM (SELECT 1", what, "LIMIT :limit) AS counted"))
