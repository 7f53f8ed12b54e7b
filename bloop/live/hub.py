"""What the clients of the stream share (live.py): the latest signals, what was active, and how many clients there are.

One look at the database serves them all (V3), and too many are turned away (V4). A signal is put into words once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

import orjson

from bloop.base.errors import RateLimited, StorageError
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.db.pool import DatabasePool
from bloop.pipeline import signal_log as signals
from bloop.pipeline.signal_log import SignalRow
from bloop.projects import read as projects

ACTIVITY_S = 2.0
REPLAY_MAX = 500  # signals told again to a client that comes back
STREAMS_MAX = 256
PER_CREDENTIAL_MAX = 8
RETRY_AFTER_S = 30  # for those beyond
POLL_LIMIT = 500
CONNECTION_WAIT_S = 0.05  # the streaming thread has others to serve

log = logging.getLogger(__name__)


class SignalFrame(NamedTuple):
    """A signal, ready to be sent."""

    id: int
    project_id: int
    data: bytes


def frame_of(row: SignalRow) -> SignalFrame:
    """A signal as an event of the stream. JSON has no bare line breaks, so it is one `data:` line whatever is in it."""
    body = {
        "id": row.id,
        "kind": row.kind,
        "project_id": row.project_public_id,
        "project": row.project_slug,
        "issue": row.short_id,
        "fingerprint": row.fingerprint,
        "status": row.status,
        "at": row.at_ms,
        "data": orjson.loads(row.data),
    }
    data = b"id: %d\nevent: %s\ndata: %s\n\n" % (row.id, row.kind.encode(), orjson.dumps(body))
    return SignalFrame(row.id, row.project_id, data)


def reset(last_id: int) -> bytes:
    """Too much was missed: the client should look at everything afresh, and go on from here."""
    return b'id: %d\nevent: reset\ndata: {"id":%d}\n\n' % (last_id, last_id)


class Hub:
    """What all streams share: the latest signals, and how many clients there are.

    `refresh` is called by the streaming thread alone; `enter` and `leave` by any.
    """

    def __init__(self, database: DatabasePool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database, self.monotonic = database, monotonic
        self.frames: deque[SignalFrame] = deque(maxlen=REPLAY_MAX)
        self.last_id = 0
        self.ticks = 0  # how often activity was looked for
        self.active: dict[int, int] = {}  # project → the tick it was last active in
        self.public_ids: dict[int, str] = {}
        self._last_seen: dict[int, int] = {}
        self._looked_s = self._looked_for_activity_s = float("-inf")
        self._lock = threading.Lock()
        self._clients: Counter[str] = Counter()
        self._is_looking = False  # since before the clients that are here now
        self._start_id: int | None = None  # where to begin after nobody was listening

    def enter(self, credential: str) -> None:
        """Count a client in.

        Raises:
            RateLimited: there are too many.
        """
        with self._lock:
            if self._clients.total() >= STREAMS_MAX or self._clients[credential] >= PER_CREDENTIAL_MAX:
                raise RateLimited(RETRY_AFTER_S)
            if not self._clients:
                self._start_id, self._is_looking = None, False
            self._clients[credential] += 1

    def begin_at(self, signal_id: int) -> None:
        """A client has been told everything up to `signal_id`."""
        with self._lock:
            self._start_id = signal_id if self._start_id is None else min(self._start_id, signal_id)

    @property
    def clients(self) -> int:
        with self._lock:
            return self._clients.total()

    def leave(self, credential: str) -> None:
        with self._lock:
            self._clients[credential] -= 1
            self._clients += Counter()  # drops zeros

    def refresh(self, interval_s: float = 0.1) -> None:
        """Look for new signals, unless somebody just did. Trouble with the database is looked past: the next look
        finds what this one missed."""
        now_s = self.monotonic()
        if now_s - self._looked_s < interval_s:
            return
        self._looked_s = now_s
        try:
            with self._database.reader(wait_s=CONNECTION_WAIT_S) as db:
                self._look(db, now_s)
        except (StorageError, db_errors.Error) as error:
            log.warning("no look at the signals: %s", error, extra={"action": "stream_poll_failed"})

    def _look(self, db: Db, now_s: float) -> None:
        newest = signals.last_id(db)
        with self._lock:
            if not self._is_looking:
                if self._start_id is None:
                    return
                self.frames.clear()
                self.last_id, self._is_looking = self._start_id, True
        while self.last_id < newest:
            found = [frame_of(row) for row in signals.after(db, self.last_id, limit=POLL_LIMIT)]
            self.frames.extend(found)
            self.last_id = found[-1].id if len(found) == POLL_LIMIT else newest
        if now_s - self._looked_for_activity_s >= ACTIVITY_S:
            self._looked_for_activity_s = now_s
            self._look_for_activity(db)

    def _look_for_activity(self, db: Db) -> None:
        self.ticks += 1
        self.public_ids = {row.id: row.public_id for row in projects.list_projects(db)}
        seen = signals.last_seen_ms(db, list(self.public_ids))
        if self._last_seen:
            self.active |= {p: self.ticks for p, at_ms in seen.items() if at_ms != self._last_seen.get(p)}
        self._last_seen = seen or {0: 0}
