"""Makes the blocks that searches for single events read (columns.py), some seconds behind the writer.

INDEX-1  A block stands for a range of ids, all of them counted (`settled`), and names every event in it. Ids up to
    there are never given again, so nothing is added to a range that a block stands for. What has no block is searched
    row by row, so a search is right at any moment, whatever was killed.
INDEX-2  Blocks are made from the newest ids backwards: after an upgrade, what people look for is found soonest. Nothing
    is remembered but the blocks themselves.
INDEX-3  Triggers count deleted events and remove a block with its last event. A block that has
    lost half of its events is made again at once, one that has lost any after a day, together with its older neighbours
    while they are small: hashes of a deleted event are gone within a day.
INDEX-4  Rows are read before the write lock is taken, and counted again under it; if an event was deleted meanwhile the
    block is left for the next turn. The lock is held for some 1 to 2 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.base.clock import DAY_MS
from bloop.base.errors import UnreadableRecord
from bloop.db import connection
from bloop.db.engine import Db, ids_json
from bloop.issues.events.columns import BlockRow, Column, listed_hashes, make_columns
from bloop.issues.events.index_read import Block, blocks, settled_id
from bloop.pipeline.dictionaries import dictionary_of
from bloop.projects.read import search_keys
from bloop.records.event_record import DictionaryOf, decode_body, encode_dims, split_dims, tags_of

BLOCK_EVENTS = 4096
REMAKE_AFTER_MS = DAY_MS
JOINED_EVENTS_MAX = BLOCK_EVENTS // 2

_SELECT_NEWEST_ID = "SELECT max(id) FROM events WHERE id BETWEEN :first_id AND :last_id"
_SELECT_FIRST_ID = """
SELECT id FROM events WHERE id BETWEEN :first_id AND :last_id ORDER BY id DESC LIMIT 1 OFFSET :events - 1
"""
_SELECT_ROWS = """
SELECT id, fingerprint_id, received_at_ms, dims_id, body FROM events WHERE id BETWEEN :first_id AND :last_id ORDER BY id
"""
_SELECT_PROJECTS = """
SELECT f.id, f.project_id FROM json_each(:fingerprint_ids) AS wanted JOIN fingerprints AS f ON f.id = wanted.value
"""
_COUNT = "SELECT count(*) FROM events WHERE id BETWEEN :first_id AND :last_id"
_DELETE_BLOCKS = "DELETE FROM event_blocks WHERE first_id BETWEEN :first_id AND :last_id"
_INSERT_BLOCK = """
INSERT INTO event_blocks (first_id, last_id, event_count, indexed_count, from_ms, to_ms, indexed_at_ms)
VALUES (:first_id, :last_id, :events, :events, :from_ms, :to_ms, :now_ms)
"""
_INSERT_COLUMN = "INSERT INTO event_columns (kind, first_id, data) VALUES (?, ?, ?)"


_NO_DIMS = encode_dims("", "", "", None)  # tags do not depend on them


class IdRange(NamedTuple):
    first_id: int
    last_id: int


def next_range(db: Db, now_ms: int) -> IdRange | None:
    """The ids to make a block of next; None when nothing is to do."""
    known, settled = blocks(db), settled_id(db)
    for gap in _gaps(known, settled):
        if (ids := _newest_of(db, gap)) is not None:
            return ids
    return _to_remake(db, known, now_ms)


def make_block(db: Db, ids: IdRange, now_ms: int) -> bool:
    """Replace what blocks there are for these ids; False when an event was deleted meanwhile (INDEX-4).

    Raises:
        db_errors.Error: the block was not stored.
    """
    bounds = ids._asdict()
    rows: list[BlockRow] = db.execute(_SELECT_ROWS, bounds).fetchall()
    columns = _columns(db, rows, ids) if rows else {}
    received = [received_at_ms for _, _, received_at_ms, _, _ in rows]
    with connection.immediate(db):
        if db.execute(_COUNT, bounds).get != len(rows):
            return False
        db.execute(_DELETE_BLOCKS, bounds)
        if rows:
            block = {"events": len(rows), "from_ms": min(received), "to_ms": max(received), "now_ms": now_ms}
            db.execute(_INSERT_BLOCK, bounds | block)
            db.executemany(_INSERT_COLUMN, ((kind, ids.first_id, data) for kind, data in columns.items()))
    return True


def _columns(db: Db, rows: Sequence[BlockRow], ids: IdRange) -> dict[Column, bytes]:
    """Events of projects that list keys are unpacked for the values; all others need not be."""
    lists = search_keys(db)
    if not lists:
        return make_columns(rows, *ids)
    fingerprint_ids = ids_json(list({fingerprint_id for _, fingerprint_id, *_ in rows}))
    projects: dict[int, int] = dict(db.execute(_SELECT_PROJECTS, {"fingerprint_ids": fingerprint_ids}))
    find, listed, used = dictionary_of(db), {}, set()
    for event_id, fingerprint_id, _, dims_id, body in rows:
        keys = lists.get(projects.get(fingerprint_id, 0))
        if keys is not None:
            used.add(keys)
            listed[event_id] = listed_hashes(keys, _tags(body, dims_id, find))
    return make_columns(rows, *ids, listed=listed, lists=sorted(used))


def _tags(body: bytes, dims_id: int, find: DictionaryOf) -> dict[str, list[str]]:
    try:
        body = body if dims_id else split_dims(body)[1]
        return tags_of(decode_body(body, _NO_DIMS, 0, find))
    except UnreadableRecord:
        return {}


def _gaps(known: Sequence[Block], settled: int) -> list[IdRange]:
    """The ranges of ids without a block, the newest first; of the newest only whole blocks, as it still grows."""
    gaps, last_id = [], settled - settled % BLOCK_EVENTS
    for block in known:
        gaps.append(IdRange(block.last_id + 1, last_id))
        last_id = block.first_id - 1
    gaps.append(IdRange(1, last_id))
    return [gap for gap in gaps if gap.first_id <= gap.last_id]


def _newest_of(db: Db, gap: IdRange) -> IdRange | None:
    """The newest BLOCK_EVENTS events of a gap; None when it has none."""
    bounds = gap._asdict()
    if db.execute(_SELECT_NEWEST_ID, bounds).get is None:
        return None
    first_id = db.execute(_SELECT_FIRST_ID, bounds | {"events": BLOCK_EVENTS}).get
    return IdRange(gap.first_id if first_id is None else first_id, gap.last_id)


def _to_remake(db: Db, known: Sequence[Block], now_ms: int) -> IdRange | None:
    """The newest block that has lost too much (INDEX-3), with its older neighbours while they are small."""
    place = next((n for n, block in enumerate(known) if _has_lost(block, now_ms)), None)
    if place is None:
        return None
    block, *others = known[place:]
    first_id, events = block.first_id, block.event_count
    for older in others:
        events += older.event_count
        between = {"first_id": older.last_id + 1, "last_id": first_id - 1}
        if events > JOINED_EVENTS_MAX or db.execute(_SELECT_NEWEST_ID, between).get is not None:
            break
        first_id = older.first_id
    return IdRange(first_id, block.last_id)


def _has_lost(block: Block, now_ms: int) -> bool:
    """Whether it is to be made again."""
    lost = block.indexed_count - block.event_count
    return lost * 2 > block.indexed_count or (lost > 0 and block.indexed_at_ms <= now_ms - REMAKE_AFTER_MS)
