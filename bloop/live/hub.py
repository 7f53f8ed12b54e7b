"""The state that all streams share: the latest signals, recent activity, the number of clients.

One read of the database serves all clients (STREAM-3), their number is limited (STREAM-4), and each signal is encoded
once.
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
REPLAY_MAX = 500  # signals replayed to a client that reconnects
STREAMS_MAX = 256
PER_CREDENTIAL_MAX = 8
RETRY_AFTER_S = 30  # for clients over the limit
POLL_LIMIT = 500
CONNECTION_WAIT_S = 0.05  # the streaming thread serves other clients too

log = logging.getLogger(__name__)


class SignalFrame(NamedTuple):
    """A signal, encoded for sending."""

    id: int
    project_id: int
    data: bytes


def frame_of(row: SignalRow) -> SignalFrame:
    """A signal as an event of the stream. JSON has no bare line breaks, so it always fits one `data:` line."""
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
    """The client missed too much: it should reload everything and continue from here."""
    return b'id: %d\nevent: reset\ndata: {"id":%d}\n\n' % (last_id, last_id)


class Hub:
    """The state that all streams share.

    Only the streaming thread calls `refresh`; any thread may call `enter` and `leave`.
    """

    def __init__(self, database: DatabasePool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database, self.monotonic = database, monotonic
        self.frames: deque[SignalFrame] = deque(maxlen=REPLAY_MAX)
        self.last_id = 0
        self.ticks = 0  # how often activity was read
        self.active: dict[int, int] = {}  # project → the tick it was last active in
        self.public_ids: dict[int, str] = {}
        self._last_seen: dict[int, int] = {}
        self._signals_read_s = self._activity_read_s = float("-inf")
        self._lock = threading.Lock()
        self._clients: Counter[str] = Counter()
        self._is_polling = False  # polling since the first of the current clients
        self._start_id: int | None = None  # where to start after a time without clients

    def enter(self, credential: str) -> None:
        """Count a new client.

        Raises:
            RateLimited: too many clients.
        """
        with self._lock:
            if self._clients.total() >= STREAMS_MAX or self._clients[credential] >= PER_CREDENTIAL_MAX:
                raise RateLimited(RETRY_AFTER_S)
            if not self._clients:
                self._start_id, self._is_polling = None, False
            self._clients[credential] += 1

    def begin_at(self, signal_id: int) -> None:
        """A client has received everything up to `signal_id`."""
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
        """Read new signals, unless that was just done. Database errors are logged: the next call reads what this one
        missed."""
        now_s = self.monotonic()
        if now_s - self._signals_read_s < interval_s:
            return
        self._signals_read_s = now_s
        try:
            with self._database.reader(wait_s=CONNECTION_WAIT_S) as db:
                self._read_signals(db, now_s)
        except (StorageError, db_errors.Error) as error:
            log.warning("could not read the signals: %s", error, extra={"action": "stream_poll_failed"})

    def _read_signals(self, db: Db, now_s: float) -> None:
        newest = signals.last_id(db)
        with self._lock:
            if not self._is_polling:
                if self._start_id is None:
                    return
                self.frames.clear()
                self.last_id, self._is_polling = self._start_id, True
        while self.last_id < newest:
            frames = [frame_of(row) for row in signals.after(db, self.last_id, limit=POLL_LIMIT)]
            self.frames.extend(frames)
            self.last_id = frames[-1].id if len(frames) == POLL_LIMIT else newest
        if now_s - self._activity_read_s >= ACTIVITY_S:
            self._activity_read_s = now_s
            self._read_activity(db)

    def _read_activity(self, db: Db) -> None:
        self.ticks += 1
        self.public_ids = {row.id: row.public_id for row in projects.list_projects(db)}
        last_seen = signals.last_seen_ms(db, list(self.public_ids))
        if self._last_seen:
            self.active |= {p: self.ticks for p, at_ms in last_seen.items() if at_ms != self._last_seen.get(p)}
        self._last_seen = last_seen or {0: 0}
