"""Every SQL text of bloop/ and workers/, as it is when the program runs."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import apsw

from bloop.alerts.deliveries import read as deliveries
from bloop.alerts.firing import read as firing
from bloop.alerts.rules import read as rules
from bloop.base.clock import DAY_MS
from bloop.db.walk import PageKey
from bloop.issues import aggregates
from bloop.issues import read as issues
from bloop.issues.events import read as events
from bloop.issues.listing import tab_counts
from bloop.issues.listing.neighbours import page_before
from bloop.issues.listing.page_read import read_list
from bloop.issues.listing.state import IssueView
from bloop.issues.search import conditions
from bloop.issues.search.terms import parse

ROOT = Path(__file__).parents[3]

_SQL = re.compile(
    r"\s*(WITH \w+ AS \(|SELECT\s|INSERT (INTO|OR) |UPDATE \w+\s+SET |DELETE FROM |CREATE (TEMP )?TABLE |PRAGMA \w+"
    r"|BEGIN( IMMEDIATE)?(;|\Z)|COMMIT\Z|ROLLBACK\Z|VACUUM\b|ANALYZE\b|ATTACH |EXPLAIN )"
)


class Statement(NamedTuple):
    path: str  # of the file, from the root of the repository
    name: str  # of the module's constant, or where else it comes from
    sql: str


def written() -> list[Statement]:
    """By file. Constants are read from the imported module, so what is put together of constants is whole."""
    found: list[Statement] = []
    for path in sorted([*(ROOT / "bloop").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(_SQL.match(text) for _, text in _literals(tree)):
            found += _of_module(path.relative_to(ROOT), tree)
    return found


def rendered(db: apsw.Connection) -> list[Statement]:
    """What is put together while the program runs, one of every kind; `db` is a migrated database."""
    found: list[Statement] = []
    for name, call in _RENDERINGS.items():
        texts: list[str] = []
        db.exec_trace = lambda cursor, sql, bindings, texts=texts: bool(texts.append(sql)) or True  # type: ignore
        try:
            call(db)
        finally:
            db.exec_trace = None
        found += [Statement("", f"{name} {number}", sql) for number, sql in enumerate(texts)]
    return found


def _of_module(path: Path, tree: ast.Module) -> Iterator[Statement]:
    module = importlib.import_module(".".join(path.with_suffix("").parts))
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield from _of_value(path, target.id, getattr(module, target.id, None))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            for line, text in _literals(node):
                if _SQL.match(text):
                    yield Statement(str(path), f"line {line}", text)


def _literals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _of_value(path: Path, name: str, value: Any) -> Iterator[Statement]:
    if isinstance(value, str):
        if _SQL.match(value):
            yield Statement(str(path), name, value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _of_value(path, f"{name}[{key!r}]", inner)
    elif isinstance(value, tuple | list):
        for number, inner in enumerate(value):
            yield from _of_value(path, f"{name}[{number}]", inner)


# Every field, alone and with several values, exact and with a star, negated and not; and no search at all.
_SEARCHES = (
    "timeout db is:unresolved,firing -is:muted assigned:ann release:1.0 env:prod source:api level:error first:7d",
    "message:db,x* -message:y first-release:1,2* events:>3 -users:1..5 first-release:4",
    "type:*Error route:/a,/c* -route:/b project:shop last:24h -release:1.* env:p* assigned:nobody,b -assigned:c",
    "",
)
_KEY = PageKey(1, "unresolved", 1)
_EVERY_FILTER = {"source": "api", "route": "/", "since_ms": 1, "until_ms": 2}
_NOW_MS = 40 * DAY_MS
_RANGES = ("24h", "30d", "1970-02-01T01:10..1970-02-01T03:20", "1970-01-05..1970-01-07")
_NAMES = (("", ""), ("prod", ""), ("", "1"), ("prod", "1"))


def _lists_of_issues(db: apsw.Connection) -> None:
    for sort in issues.INDEXED_SORTS:
        for text in _SEARCHES:
            wanted = issues.IssueFilter(text="a", query=parse(text), **_EVERY_FILTER)  # type: ignore
            issues.list_issues(db, [1, 2], wanted, sort=sort, limit=2)
            issues.list_issues(db, [1, 2], wanted, sort=sort, limit=2, before=_KEY)
            page_before(db, [1, 2], wanted, sort=sort, first=_KEY, limit=2)
    for tab in issues.Tab:
        issues.list_issues(db, [1], issues.IssueFilter(tab=tab), limit=2)


def _scoped_lists(db: apsw.Connection) -> None:
    """Every order in every kind of scope, with what its page shows beside the rows."""
    for t in _RANGES:
        for env, release in _NAMES:
            for sort in issues.Sort:
                view = IssueView(env=env, release=release, t=t, sort=sort)
                read_list(db, (1, 2), view, "me", _NOW_MS, is_readable=True)
                read_list(db, (1, 2), view.at(_KEY), "me", _NOW_MS, is_readable=True)
            searched = IssueView(env=env, release=release, t=t, q="timeout is:muted", route="/a", source="api")
            read_list(db, (1,), searched, "", _NOW_MS, is_readable=True)


def _lists_of_aggregates(db: apsw.Connection) -> None:
    for sort in aggregates.AggregateSort:
        for text in _SEARCHES:
            for status in ("unresolved", "resolved"):
                wanted = aggregates.AggregateFilter(status=status, release="1", query=parse(text), **_EVERY_FILTER)  # type: ignore
                aggregates.list_aggregates(db, [1, 2], wanted, sort=sort, limit=2)
                aggregates.list_aggregates(db, [1, 2], wanted, sort=sort, limit=2, before=_KEY)


def _where_nothing_is_rare(lists: Callable[[apsw.Connection], None]) -> Callable[[apsw.Connection], None]:
    """The same lists walked in their own order: every term of the search is then a condition on its rows."""

    def render(db: apsw.Connection) -> None:
        with (
            mock.patch.object(conditions, "CANDIDATES_MAX", -1),
            mock.patch.object(tab_counts, "CANDIDATES_MAX", -1),
        ):
            lists(db)

    return render


def _deliveries(db: apsw.Connection) -> None:
    for state in (None, *deliveries.DeliveryState):
        deliveries.list_deliveries(db, state=state, rule_id=1, project_ids=[1], limit=2)
    deliveries.get_delivery(db, 1)
    deliveries.deliveries_of(db, 1)


def _rules(db: apsw.Connection) -> None:
    rules.list_rules(db)
    rules.list_rules(db, [1])
    rules.get_rule(db, 1)


def _signals(db: apsw.Connection) -> None:
    firing.list_signals_after(db, 1, limit=1)
    firing.list_signals_between(db, 1, 2, limit=1)
    firing.get_signals(db, [1])


def _events(db: apsw.Connection) -> None:
    events.list_events(db, [1, 2], limit=2)
    events.list_events(db, [1, 2], limit=2, before=_KEY)


_RENDERINGS = {
    "issues": _lists_of_issues,
    "issues, nothing rare": _where_nothing_is_rare(_lists_of_issues),
    "scoped lists": _scoped_lists,
    "scoped lists, nothing rare": _where_nothing_is_rare(_scoped_lists),
    "aggregates": _lists_of_aggregates,
    "aggregates, nothing rare": _where_nothing_is_rare(_lists_of_aggregates),
    "deliveries": _deliveries,
    "rules": _rules,
    "signals": _signals,
    "events": _events,
}
