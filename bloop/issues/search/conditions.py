"""A search (issues/search/terms.py) → conditions on issues, and the few issues worth looking at when there are few.

SEARCH-1  Every list stays quick with 100 000 issues because one of two things holds. Either something in the search is
    rare (CANDIDATES_MAX issues at most): then those are looked up by an index, and the list is made from them. Or
    nothing is: then the list is walked in its own order, and a page is full before long.
SEARCH-2  The full-text index finds three characters or more, in any case. Shorter words, and words too common to be
    rare, are compared row by row, where only ASCII letters match in any case.
SEARCH-3  SQL text is constant: values are bound, and only the numbers in the names of bindings differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from bloop.db import word_search
from bloop.db.engine import Db, ids_json
from bloop.db.word_search import WORD_CHARS_MIN
from bloop.issues.search.keys import EVENT_KEYS, FIRING, NOBODY, STATUSES, Field
from bloop.issues.search.terms import Query, Term

ROWS_MAX = 20_000  # of aggregates, of which an issue may have many
CANDIDATES_MAX = 5000  # measured: finding, joining and sorting as many takes 12 ms

# Constant SQL, but for the number in the name of a binding and the column of ours it is about.
_HAYSTACK = (
    "i.error_type || ': ' || i.message || char(10) || coalesce(i.route, '') || char(10) || coalesce(i.culprit, '')"
)
# A word too short to reach from one into the next: comparing them one by one spares putting them together for each row.
_SHORT_WORD = (
    "(i.message LIKE :{name} ESCAPE '\\' OR i.error_type LIKE :{name} ESCAPE '\\'"
    " OR coalesce(i.route, '') LIKE :{name} ESCAPE '\\' OR coalesce(i.culprit, '') LIKE :{name} ESCAPE '\\')"
)
_IS_ONE_OF = "{column} IN (SELECT value FROM json_each(:{name}))"
_IS_FIRING = "i.is_firing = 1"
_IS_LOOKED_AFTER = (
    "EXISTS (SELECT 1 FROM webauthn_users AS u JOIN json_each(:{name}) AS w ON u.username LIKE w.value ESCAPE '\\'"
    " WHERE u.id = i.assignee)"
)
_IS_NOBODYS = "i.assignee IS NULL"
_IS_LIKE = "{column} LIKE :{name} ESCAPE '\\'"
_IS_LIKE_ONE_OF = "EXISTS (SELECT 1 FROM json_each(:{name}) AS w WHERE {column} LIKE w.value ESCAPE '\\')"
_IS_IN_RANGE = "{column} BETWEEN :{name} AND :{name}_high"
_IN_PROJECT = "i.project_id IN (SELECT p.id FROM projects AS p WHERE p.slug IN (SELECT value FROM json_each(:{name})))"
_HAS_ISSUE = "EXISTS (SELECT 1 FROM issues AS i WHERE i.id = a.issue_id AND {})"
_HAS_AGGREGATE = "EXISTS (SELECT 1 FROM aggregates AS a WHERE a.issue_id = i.id AND {})"

_COLUMNS = {
    Field.SOURCE: "i.source",
    Field.ROUTE: "coalesce(i.route, '')",
    Field.TYPE: "i.error_type",
    Field.LEVEL: "i.level",
    Field.MESSAGE: "i.message",
    Field.FIRST_RELEASE: "i.first_release",
}
_NUMBERS = {Field.EVENTS: "i.event_count", Field.USERS: "i.user_count"}
_TIMES = {Field.FIRST: "i.first_seen_ms", Field.LAST: "i.last_seen_ms"}
_OF_AGGREGATES = {Field.RELEASE: "a.release", Field.ENVIRONMENT: "a.environment"}

_BY_SOURCE = """
SELECT i.id
  FROM json_each(:project_ids) AS wanted
  JOIN issues AS i INDEXED BY issues_by_source ON i.project_id = wanted.value
 WHERE i.source IN (SELECT value FROM json_each(:values))
 LIMIT :limit
"""
_BY_ROUTE = """
SELECT i.id
  FROM json_each(:project_ids) AS wanted
  JOIN issues AS i INDEXED BY issues_by_route ON i.project_id = wanted.value
 WHERE i.route IN (SELECT value FROM json_each(:values))
 LIMIT :limit
"""
_BY_LEVEL = """
SELECT i.id
  FROM json_each(:project_ids) AS wanted
  JOIN issues AS i INDEXED BY issues_by_level ON i.project_id = wanted.value
 WHERE i.level IN (SELECT value FROM json_each(:values))
 LIMIT :limit
"""
_BY_RELEASE = """
SELECT a.issue_id
  FROM json_each(:project_ids) AS wanted
  JOIN aggregates AS a INDEXED BY aggregates_by_release ON a.project_id = wanted.value
 WHERE a.release IN (SELECT value FROM json_each(:values))
 LIMIT :limit
"""
_BY_ENVIRONMENT = """
SELECT a.issue_id
  FROM json_each(:project_ids) AS wanted
  JOIN aggregates AS a INDEXED BY aggregates_by_environment ON a.project_id = wanted.value
 WHERE a.environment IN (SELECT value FROM json_each(:values))
 LIMIT :limit
"""
_OF_ROWS = (_BY_RELEASE, _BY_ENVIRONMENT)
# These indexes hold only firing issues, and only assigned ones.
_BY_FIRING = """
SELECT i.id
  FROM json_each(:project_ids) AS wanted
  JOIN issues AS i INDEXED BY issues_firing ON i.project_id = wanted.value AND i.is_firing = 1
 LIMIT :limit
"""
_BY_ASSIGNEE = """
SELECT i.id
  FROM json_each(:values) AS wanted
  JOIN webauthn_users AS u ON u.username = wanted.value COLLATE NOCASE
  JOIN issues AS i INDEXED BY issues_by_assignee ON i.assignee = u.id
 LIMIT :limit
"""


class Conditions(NamedTuple):
    """Fragments over `issues AS i` that all have to hold, and what they bind."""

    fragments: list[str]
    bindings: dict[str, Any]


class Hints(NamedTuple):
    """Parts of a search that an index may find rare: words anywhere in the text, and exact values."""

    words: tuple[str, ...]
    releases: tuple[str, ...] = ()  # any of them
    environments: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    is_firing: bool = False
    routes: tuple[str, ...] = ()


class Candidates(NamedTuple):
    """Row ids of issues; `by_words`: the words of the search are known to be in all of them."""

    ids: list[int]
    by_words: bool


def conditions(query: Query, now_ms: int, *, by_words: bool = False) -> Conditions:
    """The terms as conditions on `issues AS i`; `by_words` leaves out what the full-text index has answered."""
    found = Conditions([], {})
    together: list[str] = []  # one release in one environment, not each for itself
    for number, term in enumerate(query.terms):
        name = f"q{number}"
        if term.field in EVENT_KEYS:
            continue  # issues/events/search.py finds the issues of such events
        if by_words and not term.negated and term.field is Field.TEXT and len(term.values[0]) >= WORD_CHARS_MIN:
            continue
        if not term.negated and term.field in _OF_AGGREGATES and len(query.of(term.field)) == 1:
            fragment, found.bindings[name] = _matches(_OF_AGGREGATES[term.field], term, name)
            together.append(fragment)
            continue
        fragment, found.bindings[name] = _condition(term, name, now_ms)
        found.fragments.append(f"NOT ({fragment})" if term.negated else fragment)
        if term.field in _NUMBERS:
            found.bindings[f"{name}_high"] = term.ranges[0].high
    if together:
        found.fragments.append(_HAS_AGGREGATE.format(" AND ".join(together)))
    return found


def aggregate_conditions(query: Query, now_ms: int, *, by_words: bool = False) -> Conditions:
    """The terms as conditions on `aggregates AS a`: release and environment of itself, the rest of its issue."""
    own = [term for term in query.terms if term.field in _OF_AGGREGATES]
    found = Conditions([], {})
    for number, term in enumerate(own):
        fragment, found.bindings[f"a{number}"] = _matches(_OF_AGGREGATES[term.field], term, f"a{number}")
        found.fragments.append(f"NOT ({fragment})" if term.negated else fragment)
    rest = Query(tuple(term for term in query.terms if term.field not in _OF_AGGREGATES))
    of_issue = conditions(rest, now_ms, by_words=by_words)
    if of_issue.fragments:
        found.fragments.append(_HAS_ISSUE.format(" AND ".join(of_issue.fragments)))
        found.bindings.update(of_issue.bindings)
    return found


def hints(query: Query) -> Hints:
    """The terms of a search that may be rare: they must hold, and name their values exactly."""
    words = [term.values[0] for term in query.of(Field.TEXT)]
    assignees = tuple(value.lower() for value in _exact(query.of(Field.ASSIGNED)))
    for field in (Field.TYPE, Field.ROUTE, Field.MESSAGE):
        words += [max(term.values[0].split("*"), key=len) for term in query.of(field) if len(term.values) == 1]
    return Hints(
        tuple(word for word in words if len(word) >= WORD_CHARS_MIN),
        _exact(query.of(Field.RELEASE)),
        _exact(query.of(Field.ENVIRONMENT)),
        tuple(value.lower() for value in _exact(query.of(Field.SOURCE))),  # as they are stored
        tuple(value.lower() for value in _exact(query.of(Field.LEVEL))),
        tuple(value for value in assignees if NOBODY not in assignees),
        any(term.values == (FIRING,) for term in query.of(Field.IS)),
    )


def candidates(db: Db, project_ids: Sequence[int], hints: Hints) -> Candidates | None:
    """The issues that match the rarest of `hints`; None when none is rare (SEARCH-1).

    They may be of other projects and fail every other condition.
    """
    bindings = {"project_ids": ids_json(project_ids), "limit": CANDIDATES_MAX + 1}
    if hints.words:
        found = word_search.find(db, hints.words, limit=CANDIDATES_MAX + 1)
        if len(found) <= CANDIDATES_MAX:
            return Candidates(found, by_words=True)
    for statement, values in (
        (_BY_FIRING, (FIRING,) if hints.is_firing else ()),
        (_BY_ASSIGNEE, hints.assignees),
        (_BY_RELEASE, hints.releases),
        (_BY_ROUTE, hints.routes),
        (_BY_SOURCE, hints.sources),
        (_BY_LEVEL, hints.levels),
        (_BY_ENVIRONMENT, hints.environments),
    ):
        if values:
            rows_max = ROWS_MAX if statement in _OF_ROWS else CANDIDATES_MAX
            rows = _ids(db, statement, bindings | {"values": _json(values), "limit": rows_max + 1})
            found = list(dict.fromkeys(rows))
            if len(rows) <= rows_max and len(found) <= CANDIDATES_MAX:
                return Candidates(found, by_words=False)
    return None


def like(value: str, *, anywhere: bool) -> str:
    """A LIKE pattern (ESCAPE '\\'): contained as it is, or the whole, where `*` stands for anything."""
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if anywhere else escaped.replace("*", "%")


def _condition(term: Term, name: str, now_ms: int) -> tuple[str, str | int]:
    if term.since is not None:
        return f"{_TIMES[term.field]} >= :{name}", term.since.instant_ms(now_ms)
    if term.field in _NUMBERS:
        return _IS_IN_RANGE.format(column=_NUMBERS[term.field], name=name), term.ranges[0].low
    if term.field is Field.TEXT and len(term.values[0]) < WORD_CHARS_MIN:
        return _SHORT_WORD.format(name=name), like(term.values[0], anywhere=True)
    if term.field is Field.TEXT:
        return _IS_LIKE.format(column=_HAYSTACK, name=name), like(term.values[0], anywhere=True)
    if term.field is Field.IS:
        statuses = {status for value in term.values for status in STATUSES[value]}
        has_status = _IS_ONE_OF.format(column="i.status", name=name)
        return f"({has_status} OR {_IS_FIRING})" if FIRING in term.values else has_status, _json(sorted(statuses))
    if term.field is Field.ASSIGNED:
        is_theirs = _IS_LOOKED_AFTER.format(name=name)
        has_nobody = NOBODY in (value.lower() for value in term.values)
        patterns = [like(value, anywhere=False) for value in term.values]
        return f"({is_theirs} OR {_IS_NOBODYS})" if has_nobody else is_theirs, _json(patterns)
    if term.field is Field.PROJECT:
        return _IN_PROJECT.format(name=name), _json([value.lower() for value in term.values])
    if term.field in _OF_AGGREGATES:
        matches, value = _matches(_OF_AGGREGATES[term.field], term, name)
        return _HAS_AGGREGATE.format(matches), value
    if term.field is Field.FIRST_RELEASE:
        return _matches(_COLUMNS[term.field], term, name)
    return _any_case(_COLUMNS[term.field], term, name)


def _matches(column: str, term: Term, name: str) -> tuple[str, str]:
    """Exactly one of the values, unless there is a `*` in one: then upper and lower case are the same, too."""
    if any("*" in value for value in term.values):
        return _any_case(column, term, name)
    return _IS_ONE_OF.format(column=column, name=name), _json(term.values)


def _any_case(column: str, term: Term, name: str) -> tuple[str, str]:
    is_part = term.field is Field.MESSAGE  # anywhere in the text, unless a `*` says where
    patterns = [like(value, anywhere=is_part and "*" not in value) for value in term.values]
    if len(patterns) == 1:
        return _IS_LIKE.format(column=column, name=name), patterns[0]
    return _IS_LIKE_ONE_OF.format(column=column, name=name), _json(patterns)


def _exact(terms: Sequence[Term]) -> tuple[str, ...]:
    """The values of the first of the terms, unless one of them stands for many."""
    if not terms or any("*" in value for value in terms[0].values):
        return ()
    return terms[0].values


def _ids(db: Db, statement: str, bindings: dict[str, Any]) -> list[int]:
    return [row[0] for row in db.execute(statement, bindings)]


def _json(values: Sequence[str]) -> str:
    return orjson.dumps(list(values)).decode()
