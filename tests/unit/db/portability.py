"""Problems that PostgreSQL has with a statement: those of its own parser first, then those only its planner reports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import OnConflictAction, SubLinkType
from pglast.parser import ParseError
from pglast.stream import RawStream

from bloop.db.portable import to_postgres

AGGREGATES = {"count", "sum", "min", "max"}
FUNCTIONS = AGGREGATES | {"chr", "substr", "lower", "row_number", "jsonb_array_elements_text"}
_ROW_NUMBERS = {"rowid", "oid", "_rowid_", "ctid"}
_BINDING = re.compile(r"%\((\w+)\)s|%s|%%")


def problems(sql: str) -> list[str]:
    """Empty when both engines understand `sql` (to_postgres has been applied to it here)."""
    try:
        statements = parse_sql(_numbered(to_postgres(sql)))
    except ParseError as error:
        return [str(error)]
    return [problem for statement in statements for problem in _problems(statement.stmt)]


def _numbered(sql: str) -> str:
    """psycopg's bindings as the protocol has them: $1, $2 …; one of the same name is the same."""
    numbers: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        return f"${numbers.setdefault(match[1] or str(match.start()), len(numbers) + 1)}"

    return _BINDING.sub(number, sql)


def _problems(tree: ast.Node) -> Iterator[str]:
    for node in _walk(tree):
        if isinstance(node, ast.RangeSubselect) and node.alias is None:
            yield "a subquery in FROM without a name"
        elif isinstance(node, ast.FuncCall) and _name(node) not in FUNCTIONS and not _is_the_parsers(node):
            yield f"the function {_name(node)}()"
        elif isinstance(node, ast.ColumnRef) and _column(node) in _ROW_NUMBERS:
            yield f"the row number {_column(node)}"
        elif isinstance(node, ast.OnConflictClause) and node.action == OnConflictAction.ONCONFLICT_UPDATE:
            yield from _problems_of_upsert(node)
        elif isinstance(node, ast.SelectStmt):
            yield from _problems_of_grouping(node)
        for condition in _conditions(node):
            if isinstance(condition, ast.ColumnRef | ast.A_Const | ast.ParamRef | ast.CaseExpr):
                yield f"{_text(condition)} as a condition: a number is no boolean"
        for value in _stored_values(node):
            if isinstance(value, ast.BoolExpr | ast.NullTest) or _is_exists(value):
                yield f"{_text(value)} stored: a boolean is no number"


def _problems_of_upsert(node: ast.OnConflictClause) -> Iterator[str]:
    if node.infer is None:
        yield "an upsert that does not say which conflict it means"
    for target in node.targetList or ():
        for part in _walk(target.val):
            if isinstance(part, ast.ColumnRef) and len(part.fields) == 1:
                yield f"{_column(part)} in an upsert: of the row there, or of the new one?"


def _problems_of_grouping(node: ast.SelectStmt) -> Iterator[str]:
    """A column beside an aggregate that is neither grouped by nor aggregated: SQLite takes it from any row."""
    targets: Sequence[ast.ResTarget] = node.targetList or ()
    shown = [*(target.val for target in targets), *(item.node for item in node.sortClause or ())]
    if not node.groupClause and not any(_is_aggregate(part) for value in shown for part in _walk(value, inner=False)):
        return
    groups = set()
    for group in node.groupClause or ():
        is_place = isinstance(group, ast.A_Const) and isinstance(group.val, ast.Integer)
        groups.add(_text(targets[group.val.ival - 1].val if is_place else group))
    named = {target.name for target in targets}
    for value in shown:
        for part in _loose(value, groups):
            if not (len(part.fields) == 1 and _column(part) in named):
                yield f"{_text(part)} beside an aggregate, and not grouped by"


def _loose(value: Any, groups: set[str]) -> Iterator[ast.ColumnRef]:
    if _text(value) in groups or _is_aggregate(value) or isinstance(value, ast.SubLink):
        return
    if isinstance(value, ast.ColumnRef):
        yield value
    for child in _children(value):
        yield from _loose(child, groups)


def _conditions(node: ast.Node) -> Iterator[Any]:
    if isinstance(node, ast.BoolExpr):
        yield from node.args
    for name in ("whereClause", "havingClause", "quals", "agg_filter"):
        yield getattr(node, name, None)
    if isinstance(node, ast.CaseWhen):
        yield node.expr


def _stored_values(node: ast.Node) -> Iterator[Any]:
    if isinstance(node, ast.InsertStmt) and node.selectStmt is not None:
        for row in node.selectStmt.valuesLists or ():
            yield from row
    if isinstance(node, ast.UpdateStmt):
        yield from (target.val for target in node.targetList)


def _walk(node: Any, *, inner: bool = True) -> Iterator[ast.Node]:
    """The node and all below it; without `inner`, subqueries are left out."""
    if isinstance(node, ast.Node):
        yield node
    if inner or not isinstance(node, ast.SubLink | ast.RangeSubselect):
        for child in _children(node):
            yield from _walk(child, inner=inner)


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, ast.Node):
        yield from (getattr(node, name) for name in node)
    elif isinstance(node, tuple | list):
        yield from node


def _name(node: ast.FuncCall) -> str:
    return str(node.funcname[-1].sval)


def _is_the_parsers(node: ast.FuncCall) -> bool:
    """What it made of syntax: ESCAPE is a function to PostgreSQL."""
    return len(node.funcname) == 2 and node.funcname[0].sval == "pg_catalog"


def _column(node: ast.ColumnRef) -> str:
    return getattr(node.fields[-1], "sval", "*")


def _is_aggregate(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and _name(node) in AGGREGATES and node.over is None


def _is_exists(node: Any) -> bool:
    return isinstance(node, ast.SubLink) and node.subLinkType == SubLinkType.EXISTS_SUBLINK


def _text(node: Any) -> str:
    return RawStream()(node) if isinstance(node, ast.Node) else ""
