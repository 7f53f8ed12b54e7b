"""A large database: by default 1,000,000 events of 100,000 issues over the last three days.

The real store writes it, in this process, so its rows are exactly those of the writer. Most issues happen only within
one fiftieth of the time, and a few dozen throughout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import apsw
import msgspec

from benchmarks.names import add_names
from bloop.accounts.links import store as login_links
from bloop.base.clock import DAY_MS, now_ms
from bloop.base.config import NO_LIMITS
from bloop.base.json_body import decode_json
from bloop.bench.corpus import Corpus
from bloop.bench.instance import SECRET
from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.grouping.fingerprint_v1 import ALGORITHM
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.issues.events.index import make_block, next_range
from bloop.pipeline.store import RingRecord, Store
from bloop.projects import store as projects
from bloop.projects.tokens import store as tokens
from bloop.records.event import Event
from bloop.records.record import EVENT_FORM, encode_event

WINDOWS = 50
SPAN_MS = 3 * DAY_MS  # less than retention keeps
HOT_ISSUES = 50
HOT_SHARE = 5  # every fifth event belongs to one of them
BATCH = 5000
PROTOTYPES = 4000
CHECKPOINT_EVERY = 10  # batches
LINK_TTL_S = 3600

# One in five resolved, one in twenty ignored, one in twenty muted; the rest stays open.
_STATUSES = (
    "UPDATE issues SET status = 'resolved', resolved_at_ms = last_seen_ms WHERE id % 5 = 0",
    "UPDATE issues SET status = 'ignored' WHERE id % 20 = 1",
    "UPDATE issues SET status = 'muted' WHERE id % 20 = 2",
)
_COUNTS = "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM issues)"
_HOT = "SELECT fingerprint FROM issues ORDER BY event_count DESC LIMIT 1"
_COLD = "SELECT fingerprint FROM issues ORDER BY event_count, id LIMIT 1"
_DEEP = """
SELECT last_seen_ms, status, id FROM issues WHERE project_id = :project_id
 ORDER BY last_seen_ms DESC, status DESC, id DESC LIMIT 1 OFFSET :skip
"""
_LABELS = "SELECT release, environment FROM releases ORDER BY event_count DESC LIMIT 1"


class Dataset(NamedTuple):
    """Facts about the database that the queries need."""

    events: int
    issues: int
    token: str
    login_token: str
    hot_fingerprint: str
    cold_fingerprint: str
    deep_place: tuple[int, str, int]  # last seen, status, id of the last issue of page 499
    release: str
    environment: str
    crowded_fingerprint: str = ""  # of the issue with every release, where there are `names`


def build(
    path: Path, events: int, issues: int, *, span_ms: int = SPAN_MS, names: int = 0, more_issues: int = 0
) -> Dataset:
    """Make the database at `path`, which must not exist, and the credentials to read it with. Its events were received
    over the last `span_ms`. With `names`, so many releases, environments and routes come on top, and `more_issues`
    issues that name them (benchmarks/names.py)."""
    migrate.migrate(path, now_ms())
    with closing(connection.open_writer(path)) as db:
        projects.ensure_default_project(db, SECRET, now_ms())
        project_id = db.execute("SELECT id FROM projects").get
        assert isinstance(project_id, int)
        _store(db, project_id, events, issues, span_ms)
        with db:
            for statement in _STATUSES:
                db.execute(statement)
            token = tokens.create_token(
                db, name="bench", project_id=project_id, scopes=("errors:read",), now_ms=now_ms()
            ).token
            login_token = login_links.create_login_link(db, now_ms=now_ms(), ttl_s=LINK_TTL_S)
        crowded = add_names(db, project_id, names=names, issues=more_issues) if names else ""
        db.execute("PRAGMA optimize")
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        return _describe(db, project_id, token, login_token)._replace(crowded_fingerprint=crowded)


def index_events(path: Path) -> int:
    """Make every block of the event index, as the retention process does within minutes; how many there are."""
    made = 0
    with closing(connection.open_cleaner(path)) as db:
        while (ids := next_range(db, now_ms())) is not None:
            made += make_block(db, ids, now_ms())
    return made


def _describe(db: apsw.Connection, project_id: int, token: str, login_token: str) -> Dataset:
    def row(statement: str, **bindings: int) -> tuple[str, ...]:
        first_row = db.execute(statement, bindings).fetchone()
        assert first_row is not None, statement
        return tuple(first_row)

    event_count, issue_count = map(int, row(_COUNTS))
    last_seen_ms, status, issue_id = row(_DEEP, project_id=project_id, skip=min(499 * 50, issue_count - 1) - 1)
    release, environment = row(_LABELS)
    return Dataset(
        event_count,
        issue_count,
        token,
        login_token,
        row(_HOT)[0],
        row(_COLD)[0],
        (int(last_seen_ms), status, int(issue_id)),
        release,
        environment,
    )


def _store(db: apsw.Connection, project_id: int, events: int, issues: int, span_ms: int) -> None:
    store = Store(db, 1, make_kinds(db, NO_LIMITS))
    batch: list[RingRecord] = []
    batches = 0
    for record in _records(project_id, events, issues, span_ms):
        batch.append(record)
        if len(batch) == BATCH:
            store.store(batch, {}, (), now_ms=now_ms())
            batch.clear()
            batches += 1
            if batches % CHECKPOINT_EVERY == 0:
                db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    if batch:
        store.store(batch, {}, (), now_ms=now_ms())


def _records(project_id: int, events: int, issues: int, span_ms: int) -> Iterator[RingRecord]:
    """Window by window; within one, events of its own issues mixed with the hot ones, times rising."""
    prototypes = _prototypes(span_ms)
    fields = [msgspec.structs.asdict(event) for event in prototypes]
    start_ms = now_ms() - span_ms
    cold = max(issues - HOT_ISSUES, 1)
    kind = EVENT_FORM
    for n in range(events):
        window = n * WINDOWS // events
        if n % HOT_SHARE == 0:
            issue = cold + n // HOT_SHARE % HOT_ISSUES
        else:
            first, end = window * cold // WINDOWS, (window + 1) * cold // WINDOWS
            nth = n - n // HOT_SHARE - 1  # of the events that are not of hot issues
            issue = first + nth % max(end - first, 1)
        at_ms = start_ms + span_ms * n // events
        variant = fields[(issue * 7 + n % 2) % len(fields)]  # an issue has events of two releases or environments
        base = fields[issue % len(fields)]
        event = Event(
            **{
                **base,
                "timestamp_ms": at_ms,
                "release": variant["release"],
                "environment": variant["environment"],
                "message": f"{base['message']} in part {issue}",
                "request_id": f"set-{n}",
                "user_id_hash": f"{n % 50_000:032x}",
            }
        )
        yield kind, encode_event(project_id, at_ms, f"{issue:016x}", ALGORITHM, event), 0


def _prototypes(span_ms: int) -> list[Event]:
    corpus, limits, at_ms = Corpus("set", timestamp_ms=now_ms() - span_ms), Limits(), now_ms()
    return [parse_event(decode_json(corpus.body(n)), limits, at_ms)[0] for n in range(PROTOTYPES)]
