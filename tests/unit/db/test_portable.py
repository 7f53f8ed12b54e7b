"""db/portable.py PORTABLE-1 to PORTABLE-4: PostgreSQL's own parser reads every statement of bloop/ and workers/."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

import pytest

from bloop.db.portable import to_postgres
from tests.schema import schema_in_memory
from tests.unit.db.portability import problems
from tests.unit.db.statements import Statement, rendered, written

ENGINE = "bloop/db/"  # SQLite's own business has modules of its own in this room


def test_postgres_reads_every_statement() -> None:
    found = written()

    assert len(found) > 300
    assert _refused(statement for statement in found if not statement.path.startswith(ENGINE)) == {}


def test_postgres_reads_every_composed_statement() -> None:
    with closing(schema_in_memory()) as db:
        found = {statement.sql: statement for statement in rendered(db) if " MATCH " not in statement.sql}

    assert len(found) > 100
    assert _refused(found.values()) == {}


def _refused(statements: Iterable[Statement]) -> dict[Statement, list[str]]:
    return {statement: found for statement in statements if (found := problems(statement.sql))}


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("SELECT a FROM t WHERE b = :b AND c = :c_1", "SELECT a FROM t WHERE b = %(b)s AND c = %(c_1)s"),
        ("VALUES (?, ?)", "VALUES (%s, %s)"),
        ("SELECT a % 60, '100 %'", "SELECT a %% 60, '100 %%'"),
        ("SELECT 'it''s :b, ? and max(a, b)' -- or :c?\n, :d", "SELECT 'it''s :b, ? and max(a, b)' -- or :c?\n, %(d)s"),
        ("SELECT 1 FROM t AS u INDEXED BY t_by_b WHERE 1 = 1", "SELECT 1 FROM t AS u WHERE 1 = 1"),
        (
            "SELECT max(a), min(b, max(c, f(d, e))), max(f(a, b))",
            "SELECT max(a), least(b, greatest(c, f(d, e))), max(f(a, b))",
        ),
        ("SELECT max('a)', b)", "SELECT greatest('a)', b)"),
        ("SELECT a LIKE :b ESCAPE '\\' || char(10)", "SELECT a ILIKE %(b)s ESCAPE '\\' || chr(10)"),
        (
            "DELETE FROM temp.due WHERE CAST(:a AS INTEGER) = 1",
            "DELETE FROM pg_temp.due WHERE CAST(%(a)s AS BIGINT) = 1",
        ),
        (
            "SELECT 1 FROM json_each(:user_ids) AS w",
            "SELECT 1 FROM (SELECT value::bigint AS value FROM jsonb_array_elements_text(%(user_ids)s::jsonb)) AS w",
        ),
        (
            "a IN (SELECT value FROM json_each(:names))",
            "a IN (SELECT value FROM (SELECT value FROM jsonb_array_elements_text(%(names)s::jsonb)) AS each_value)",
        ),
    ],
)
def test_rules_change_the_spelling(sqlite: str, postgres: str) -> None:
    assert to_postgres(sqlite) == postgres


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT a FROM t ORDER BY rowid", "the row number rowid"),
        ("SELECT count(*) FROM (SELECT 1 FROM t)", "a subquery in FROM without a name"),
        ("SELECT ifnull(a, 0) FROM t", "the function ifnull()"),
        ("SELECT a, count(*) FROM t", "a beside an aggregate, and not grouped by"),
        ("SELECT t.a, t.b, sum(t.c) FROM t GROUP BY 1", "t.b beside an aggregate, and not grouped by"),
        ("SELECT a, sum(c) FROM t GROUP BY a ORDER BY b", "b beside an aggregate, and not grouped by"),
        ("SELECT a FROM t WHERE is_b", "is_b as a condition: a number is no boolean"),
        ("SELECT CASE WHEN is_b AND a = 1 THEN 1 END FROM t", "is_b as a condition: a number is no boolean"),
        (
            "INSERT INTO t (a) VALUES (EXISTS (SELECT 1 FROM u))",
            "EXISTS (SELECT 1 FROM u) stored: a boolean is no number",
        ),
        (
            "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT DO UPDATE SET b = excluded.b",
            "an upsert that does not say which conflict it means",
        ),
        (
            "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO UPDATE SET b = b + excluded.b",
            "b in an upsert: of the row there, or of the new one?",
        ),
    ],
)
def test_loose_sql_is_reported(sql: str, problem: str) -> None:
    assert problems(sql) == [problem]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t CROSS JOIN u ON t.a = u.a",
        "INSERT OR IGNORE INTO t (a) VALUES (?)",
        "SELECT a FROM t WHERE a IS :a",
        "PRAGMA user_version",
    ],
)
def test_sql_that_postgres_cannot_parse_is_reported(sql: str) -> None:
    assert len(problems(sql)) == 1
    assert "syntax error" in problems(sql)[0]
