"""The terms of a search that columns answer: which events of a block have, or may have, the values. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bloop.issues.events.columns import (
    LEVEL_OTHER,
    Column,
    has_tag,
    hash_positions,
    http_positions,
    http_tester,
    is_http_exact,
    known_positions,
    level_code,
    level_positions,
    list_hash,
    tag_positions,
)
from bloop.issues.events.index_read import BlockColumns
from bloop.issues.events.match import any_fits
from bloop.issues.search.keys import Field
from bloop.issues.search.terms import Query, Term
from bloop.records.event_record import LEVELS, id_hash, metadata_hash, stored_id

_BY_HASH = {
    Field.REQUEST: Column.REQUESTS,
    Field.EVENT: Column.EVENT_IDS,
    Field.USER: Column.USERS,
    Field.DEVICE: Column.DEVICES,
}
_KNOWN = {field.value: column for field, column in _BY_HASH.items()} | {Field.HTTP.value: Column.HTTP}
# Columns whose values are shared by the fewest events come first: the others are then read in few blocks.
_ORDER = (
    *(Column.REQUESTS, Column.EVENT_IDS, Column.USERS, Column.DEVICES),
    *(Column.TAG_HASHES, Column.LEVELS, Column.HTTP),
)


class Lookup(NamedTuple):
    """A term as a question to one column; a block without that column has no such event."""

    column: Column
    positions: Callable[[BlockColumns], list[int]]
    is_exact: bool  # every position has a value of the term, and need not be checked
    tester: Callable[[BlockColumns], Callable[[int], bool]] | None = None  # quicker where few positions are left


def lookups(query: Query) -> list[Lookup]:
    """Of all terms that columns answer, in the order in which to ask."""
    found = [lookup for term in query.terms if not term.negated and (lookup := _lookup(term)) is not None]
    return sorted(found, key=lambda lookup: _ORDER.index(lookup.column))


def _lookup(term: Term) -> Lookup | None:
    if term.field is Field.HTTP:
        is_exact = all(is_http_exact(statuses) for statuses in term.ranges)
        return Lookup(
            Column.HTTP,
            lambda block: http_positions(block.of(Column.HTTP), term.ranges),
            is_exact,
            lambda block: http_tester(block.of(Column.HTTP), term.ranges),
        )
    if term.field is Field.LEVEL:
        codes = frozenset(level_code(n) for n, name in enumerate(LEVELS) if any_fits(term, name)) | {LEVEL_OTHER}
        return Lookup(Column.LEVELS, lambda block: level_positions(block.of(Column.LEVELS), codes), is_exact=False)
    if term.field is Field.HAS:
        known = _KNOWN.get(term.values[0]) if len(term.values) == 1 else None
        if known is None:
            return None
        return Lookup(known, lambda block: known_positions(block.of(known), block.count), is_exact=True)
    if any("*" in value for value in term.values):
        return None
    if term.field is Field.TAG:
        return Lookup(Column.TAG_HASHES, lambda block: _tags(term, block), is_exact=False)
    if (column := _BY_HASH.get(term.field)) is not None:
        hashes = tuple(id_hash(stored_id(value)) for value in term.values)
        return Lookup(column, lambda block: hash_positions(block.of(column), hashes), is_exact=False)
    return None


def _tags(term: Term, block: BlockColumns) -> list[int]:
    hashes = [metadata_hash(term.tag, value) for value in term.values]
    hashes += [list_hash(keys) for keys in block.listed_keys() if term.tag not in keys]
    if not has_tag(block.of(Column.TAG_HASHES), hashes):
        return []
    return tag_positions(block.of(Column.TAGS), hashes, block.count)
