"""Pings: a kind of record, a dialect, and a feature with table, roll-up, page and retention. No spine is touched."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

import falcon
import msgspec
from markupsafe import escape

from bloop.auth.access import OPEN
from bloop.base.clock import minute_of
from bloop.base.config import ProjectLimits
from bloop.base.errors import UnreadableRecord
from bloop.base.meters import Route
from bloop.base.outcomes import Category, Outcome
from bloop.db.engine import Db
from bloop.db.tables import Keep, Table
from bloop.features import Feature
from bloop.ingest.credentials import WriteKeyShown
from bloop.ingest.dialect import Dialect, Endpoint
from bloop.ingest.limits import Limits
from bloop.ingest.parsed import Accept, Codec, Grouping, Parsed, Reject, RejectAll
from bloop.pipeline.signals import Signal
from bloop.records.record import form
from bloop.site.deps import Deps
from bloop.site.routes import Routes

SCHEMA = """
CREATE TABLE IF NOT EXISTS pings (
    id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL, received_at_ms INTEGER NOT NULL, job TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ping_minutes (
    project_id INTEGER NOT NULL, minute_ms INTEGER NOT NULL, pings INTEGER NOT NULL,
    PRIMARY KEY (project_id, minute_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pings_settled (id INTEGER PRIMARY KEY CHECK (id = 1), ping_id INTEGER NOT NULL);
INSERT OR IGNORE INTO pings_settled VALUES (1, 0);
"""
KIND, PATH, KEY_HEADER = 101, "/toy/pings", "HTTP_X_PING_KEY"


class Ping(NamedTuple):
    project_id: int
    received_at_ms: int
    job: str


# The dialect ---------------------------------------------------------------------------------------------------------


def encode(project_id: int, received_at_ms: int, job: Any, grouping: Grouping | None) -> bytes:
    return msgspec.msgpack.encode((project_id, received_at_ms, job))


CODEC = Codec(form(KIND, 1), Category.SESSION, encode)


def parse(body: bytes, limits: Limits, received_at_ms: int, path_values: Mapping[str, str]) -> Parsed:
    """A JSON array of names of jobs."""
    try:
        jobs = json.loads(body)
    except ValueError:
        return RejectAll(Outcome.INVALID, "", "not JSON")
    return [
        Accept(CODEC, job) if isinstance(job, str) else Reject(Outcome.INVALID, str(n), "not a name", Category.SESSION)
        for n, job in enumerate(jobs)
    ]


def answer(parsed: Sequence[Accept | Reject], dropped: int) -> bytes:
    return json.dumps({"accepted": sum(isinstance(record, Accept) for record in parsed) - dropped}).encode()


ENDPOINT = Endpoint(Route(15, 0, "POST", PATH), Category.SESSION, lambda limits: limits.batch_bytes_max, parse, answer)
DIALECT = Dialect("pings", lambda keys: WriteKeyShown(keys, "capture", lambda env: env.get(KEY_HEADER)), (ENDPOINT,))


# The kind ------------------------------------------------------------------------------------------------------------


class PingStore:
    """A `bloop.pipeline.kinds.KindStore`: rows at once, minutes from the rows that are not settled yet."""

    kind, category, is_counted = KIND, Category.SESSION, True

    def __init__(self, db: Db, limits: ProjectLimits) -> None:
        self._db, self.unsettled, self._fresh = db, self._count(db), 0

    def decode(self, payload: bytes, version: int) -> Ping:
        try:
            return Ping(*msgspec.msgpack.decode(payload))
        except (msgspec.DecodeError, TypeError) as error:
            raise UnreadableRecord(f"ping does not decode: {error}") from error

    def insert(self, records: Sequence[Ping]) -> list[Signal]:
        self._db.executemany("INSERT INTO pings (project_id, received_at_ms, job) VALUES (?, ?, ?)", records)
        self._fresh += len(records)
        return []

    def hold(self) -> None:
        """Nothing to do: `pings_settled` already says which pings are counted."""

    def settle(self, projects: Container[int]) -> list[Signal]:
        rows = self._db.execute(
            "SELECT project_id, received_at_ms FROM pings WHERE id > (SELECT ping_id FROM pings_settled)"
        )
        minutes = Counter((project_id, minute_of(at_ms)) for project_id, at_ms in rows if project_id in projects)
        self._db.executemany(
            "INSERT INTO ping_minutes VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET pings = pings + excluded.pings",
            [(*key, count) for key, count in minutes.items()],
        )
        self._db.execute("UPDATE pings_settled SET ping_id = (SELECT coalesce(max(id), 0) FROM pings)")
        return []

    def commit(self, *, is_settled: bool) -> None:
        self.unsettled, self._fresh = 0 if is_settled else self.unsettled + self._fresh, 0

    def rollback(self) -> None:
        self._fresh = 0

    def recover(self) -> None:
        self.unsettled = self._count(self._db)

    @staticmethod
    def _count(db: Db) -> int:
        return int(db.execute("SELECT count(*) FROM pings WHERE id > (SELECT ping_id FROM pings_settled)").get)


# The feature ---------------------------------------------------------------------------------------------------------

TABLES = (
    Table(
        name="pings",
        label="Pings",
        is_missed=True,
        purge=("DELETE FROM pings WHERE id IN (SELECT id FROM pings WHERE project_id = :project_id LIMIT :rows_max)",),
        keep=Keep.SAMPLES,
        prune="DELETE FROM pings WHERE id IN (SELECT id FROM pings WHERE received_at_ms < :before_ms LIMIT :rows_max)",
    ),
    Table(name="ping_minutes", purge=("DELETE FROM ping_minutes WHERE project_id = :project_id",)),
    Table(name="pings_settled"),
)


class PingsPage:
    """GET /toy: pings by minute."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            minutes = list(db.execute("SELECT minute_ms, sum(pings) FROM ping_minutes GROUP BY minute_ms ORDER BY 1"))
        resp.content_type = falcon.MEDIA_HTML
        resp.text = f"<ol>{''.join(f'<li>{escape(minute)}: {escape(pings)}</li>' for minute, pings in minutes)}</ol>"


def mount(routes: Routes, deps: Deps) -> None:
    routes.add("/toy", PingsPage(deps), GET=OPEN)


FEATURE = Feature(
    name="pings",
    tables="tests.toy.pings:TABLES",
    kinds=("tests.toy.pings:PingStore",),
    routes="tests.toy.pings:mount",
)
