"""Fill a database with the demo's events through the writer's own code, for tests that look at pages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apsw
import orjson

from bloop.base.config import Ingest
from bloop.db import connection
from bloop.db.migrate import migrate
from bloop.demo.alerts import store_alerts
from bloop.demo.month import PROJECTS, demo_changes, demo_events
from bloop.features import make_kinds
from bloop.grouping import fingerprint_v1 as v1
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.issues.read import IssueFilter, list_issues
from bloop.issues.status.audit import Actor
from bloop.issues.status.store import change_status
from bloop.pipeline.store import Store
from bloop.projects.store import create_project
from bloop.records.record import EVENT_FORM, encode_event

BATCH = 500
ORIGIN = "https://errors.example.com"


class Seeder:
    """A database and the store that fills it. Close it before another process opens the file for writing."""

    def __init__(self, path: Path, now_ms: int) -> None:
        migrate(path, now_ms)
        self.db = connection.open_writer(path)
        self.now_ms = now_ms
        self._limits = Limits.of(Ingest())
        self._store = Store(self.db, 1, make_kinds(self.db))
        self._projects: dict[str, int] = {}

    def close(self) -> None:
        self.db.close()

    def project(self, slug: str, name: str) -> int:
        with connection.immediate(self.db):
            row, _ = create_project(self.db, name=name, slug=slug, now_ms=self.now_ms)
        self._projects[slug] = row.id
        return row.id

    def store(self, events: Iterable[tuple[str, dict[str, Any], int]]) -> None:
        """Store (project slug, wire event, received_at_ms) in one batch."""
        batch = [(EVENT_FORM, self._record(*event), 0) for event in events]
        stored = self._store.store(batch, {0: 0}, [], now_ms=self.now_ms)
        assert stored.events == len(batch), stored

    def demo(self, issues: int, events: int, seed: int = 7) -> None:
        """Projects, events and status changes of the demo."""
        for slug, name in PROJECTS:
            self.project(slug, name)
        changes = deque(demo_changes(self.now_ms))
        batch: list[tuple[str, dict[str, Any], int]] = []
        for event in demo_events(self.now_ms, issues, events, seed):
            while changes and changes[0].at_ms <= event[2]:
                self.store(batch)
                batch = []
                self._change(changes.popleft())
            batch.append(event)
            if len(batch) >= BATCH:
                self.store(batch)
                batch = []
        self.store(batch)
        for change in changes:
            self._change(change)
        with connection.immediate(self.db):
            store_alerts(self.db, self._projects, ORIGIN, self.now_ms)

    def _record(self, slug: str, body: dict[str, Any], received_at_ms: int) -> bytes:
        event, fingerprint = parse_event(orjson.loads(orjson.dumps(body)), self._limits, received_at_ms)
        fingerprint = fingerprint or v1.compute(event.source, event.error_type, event.route, event.message, event.stack)
        return encode_event(self._projects[slug], received_at_ms, fingerprint, v1.ALGORITHM, event)

    def _change(self, change: Any) -> None:
        ids = _matching(self.db, self._projects[change.project_slug], change)
        with connection.immediate(self.db):
            change_status(
                self.db,
                ids,
                change.status,
                actor=Actor("operator", "dashboard"),
                now_ms=change.at_ms,
                resolution=change.resolution,
                mute=change.mute,
            )


def _matching(db: apsw.Connection, project_id: int, change: Any) -> list[int]:
    page = list_issues(db, [project_id], IssueFilter(text=f"{change.error_type}: {change.message_start}"), limit=200)
    return [row.id for row in page.rows]
