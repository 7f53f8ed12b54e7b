"""The SQL that bloop writes: one text for SQLite, which runs it as it is, and for PostgreSQL, after these rules.

PORTABLE-1  A statement uses SQL that both engines spell alike. Where they differ and a rule below translates, it uses
    SQLite's spelling; without a rule, it belongs into a module of this room (word search, sizes, backups).
PORTABLE-2  The rules change spelling, never meaning: no rule needs to know a table. Bindings keep names and values.
PORTABLE-3  Literals and comments are never touched, except that `%` is doubled, as the drivers want it.
PORTABLE-4  A list is bound as JSON. A name that ends in `ids` says that it holds integers, every other name text.

PostgreSQL's schema would have: BIGINT for INTEGER, BYTEA for BLOB, JSONB where a column is read by `->>`, and a
collation `nocase` that compares ASCII letters in any case. Nothing in bloop imports this yet: there is one engine. The
test of this module proves that a second one could read every statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_LITERAL = re.compile(r"'(?:[^']|'')*'|--[^\n]*")
_MASK = re.compile("\x00([0-9]+)\x00")
_SCALAR = {"max": "greatest", "min": "least"}


class RewriteRule(NamedTuple):
    """`pattern` is applied to the text between literals and comments, with `replacement` as `re.sub` takes it."""

    why: str
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def _list(match: re.Match[str]) -> str:
    name, alias = match["name"], match["alias"] or "each_value"
    value = "value::bigint AS value" if name.endswith("ids") else "value"
    return f"(SELECT {value} FROM jsonb_array_elements_text(:{name}::jsonb)) AS {alias}"  # noqa: S608


RULES = (
    RewriteRule("`%` starts a binding: a literal one is doubled", re.compile("%"), "%%"),
    RewriteRule("an index hint: PostgreSQL has none", re.compile(r"\s+INDEXED BY \w+"), ""),
    RewriteRule("a list is JSON", re.compile(r"json_each\(:(?P<name>\w+)\)(?: AS (?P<alias>\w+))?"), _list),
    RewriteRule("LIKE ignores the case of ASCII letters", re.compile(r"\bLIKE\b"), "ILIKE"),
    RewriteRule("a character by its code", re.compile(r"\bchar\("), "chr("),
    RewriteRule("the schema of temporary tables", re.compile(r"\btemp\."), "pg_temp."),
    RewriteRule("64 bits, as SQLite's are", re.compile(r"\bINTEGER\b"), "BIGINT"),
    RewriteRule("a named binding", re.compile(r"(?<!:):([a-z]\w*)"), r"%(\1)s"),
    RewriteRule("a binding by position", re.compile(r"\?"), "%s"),
)


def to_postgres(sql: str) -> str:
    """A statement for psycopg: `%(name)s` and `%s` for bindings."""
    masked: list[str] = []

    def mask(match: re.Match[str]) -> str:
        masked.append(match[0].replace("%", "%%"))
        return f"\x00{len(masked) - 1}\x00"

    text = _LITERAL.sub(mask, sql)
    for rule in RULES:
        text = rule.pattern.sub(rule.replacement, text)
    text = _scalar_extremes(text)
    return _MASK.sub(lambda match: masked[int(match[1])], text)


def _scalar_extremes(text: str) -> str:
    """`max(a, b)` and `min(a, b)` are `greatest` and `least`; with one argument they are aggregates in both engines.

    Of columns that are never NULL: SQLite answers NULL where one argument is, PostgreSQL the other argument.
    """
    for match in reversed(list(re.finditer(r"\b(max|min)\(", text))):
        if _has_second_argument(text, match.end()):
            text = f"{text[: match.start()]}{_SCALAR[match[1]]}{text[match.end() - 1 :]}"
    return text


def _has_second_argument(text: str, start: int) -> bool:
    depth = 0
    for character in text[start:]:
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        if depth < 0:
            return False
        if character == "," and depth == 0:
            return True
    return False
