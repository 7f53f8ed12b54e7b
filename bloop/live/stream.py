"""GET /v1/stream: the rows of the signals table as server-sent events, as they are stored.

    retry: 2000
    id: 57

    id: 58
    event: issue.new
    data: {"id":58,"kind":"issue.new","project_id":"…","project":"shop","issue":"SHOP-12", … }

STREAM-1  `id` is the signal's. A client that reconnects with it (`Last-Event-ID`, or `after` in the URL) misses nothing
          and sees nothing twice, even if a process died meanwhile. One that missed more than REPLAY_MAX signals, or was
          away for longer than signals are kept, gets `event: reset` instead and reloads.
STREAM-2  A token gets its project; a user gets everything visible, or the project they name. When a credential ends,
          its streams end within CHECK_S.
STREAM-3  One read of the database serves all clients, and its connection is returned before any client waits.
STREAM-4  At most STREAMS_MAX clients, and PER_CREDENTIAL_MAX per credential. Further ones get 429 with Retry-After.

`event: activity` has no id: it lists projects with new counts, at most every ACTIVITY_S. A comment every HEARTBEAT_S
keeps proxies from closing a quiet stream.

Behind a server that cannot keep connections open, the answer ends after the current events; browsers reconnect after
`retry`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import falcon
import orjson

from bloop.auth.principal import Principal, PrincipalKind
from bloop.base import credentials
from bloop.base.errors import StorageError
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.live.hub import CONNECTION_WAIT_S, REPLAY_MAX, Hub, frame_of, reset
from bloop.pipeline import signal_log as signals
from bloop.projects.read import visible_projects
from bloop.site import params
from bloop.site.access import bearer_token
from bloop.site.cookie import sign_in_cookie
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

RETRY_MS = 2000
HEARTBEAT_S = 15.0
CHECK_S = 15.0  # between two checks that a credential is still valid


class Listener:
    """One client's side of the stream: the channel that the streaming thread pulls from (bloop/http/streams.py)."""

    def __init__(
        self, hub: Hub, credential: str, scope: Collection[int] | None, is_still_valid: Callable[[], bool]
    ) -> None:
        self._hub, self._credential, self._scope, self._is_still_valid = hub, credential, scope, is_still_valid
        self._sent_id = 0  # every signal up to here was sent or does not concern it
        self._tick = hub.ticks
        self._sent_s = self._checked_s = hub.monotonic()

    def begin(self, db: Db, after_id: int | None) -> bytes:
        """The first frames: the current position, or the signals missed since `after_id`."""
        newest = signals.last_id(db)
        start = b"retry: %d\n" % RETRY_MS
        self._sent_id = newest
        self._hub.begin_at(newest)
        if after_id is None or after_id == newest:
            return start + b"id: %d\n\n" % newest
        if after_id > newest or after_id < signals.first_id(db) - 1 or newest - after_id > REPLAY_MAX:
            return start + b"\n" + reset(newest)
        missed = [frame_of(row) for row in signals.after(db, after_id, limit=REPLAY_MAX)]
        return start + b"id: %d\n\n" % after_id + b"".join(f.data for f in missed if self._concerns(f.project_id))

    def pull(self) -> bytes | None:
        now_s = self._hub.monotonic()
        if now_s - self._checked_s >= CHECK_S:
            self._checked_s = now_s
            if not self._is_still_valid():
                return None
        self._hub.refresh()
        frames = self._signals() + self._activity()
        if not frames and now_s - self._sent_s >= HEARTBEAT_S:
            frames = b"id: %d\n:\n\n" % self._sent_id
        if frames:
            self._sent_s = now_s
        return frames

    def closed(self) -> None:
        self._hub.leave(self._credential)

    def _signals(self) -> bytes:
        if self._hub.last_id <= self._sent_id:
            return b""
        frames = self._hub.frames
        if frames and len(frames) == REPLAY_MAX and frames[0].id > self._sent_id + 1:
            self._sent_id = self._hub.last_id
            return reset(self._sent_id)
        new = b"".join(f.data for f in frames if f.id > self._sent_id and self._concerns(f.project_id))
        self._sent_id = self._hub.last_id
        return new

    def _activity(self) -> bytes:
        if self._tick == self._hub.ticks:
            return b""
        active = [p for p, tick in self._hub.active.items() if tick > self._tick and self._concerns(p)]
        self._tick = self._hub.ticks
        ids = [self._hub.public_ids[p] for p in active if p in self._hub.public_ids]
        return b"event: activity\ndata: %s\n\n" % orjson.dumps({"project_ids": ids}) if ids else b""

    def _concerns(self, project_id: int) -> bool:
        return self._scope is None or project_id in self._scope


class Stream:
    """GET /v1/stream."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._hub = Hub(deps.database)

    @property
    def clients(self) -> int:
        """The number of connected clients."""
        return self._hub.clients

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, reference = principal_of(req), params.text(req, "project_id")
        after_id = _after(req)
        credential, is_still_valid = _credential(req, principal, self._deps)
        keep: Callable[[Listener], None] | None = req.env.get("bloop.stream")
        is_kept = keep is not None and not getattr(req.context, "is_head", False)
        listener = None
        with self._deps.database.reader() as db:
            scope = visible_projects(db, principal, reference) if reference else principal.project_ids
            self._hub.enter(credential)
            try:
                listener = Listener(self._hub, credential, scope, is_still_valid)
                first = listener.begin(db, after_id)
            except BaseException:
                self._hub.leave(credential)
                raise
        if is_kept and keep is not None:
            keep(listener)
        else:
            listener.closed()
        resp.content_type = "text/event-stream"
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("X-Accel-Buffering", "no")  # nginx would hold events back until its buffer is full
        resp.stream = iter([first])


def _after(req: falcon.Request) -> int | None:
    """The last id the client has seen. The header wins: it is newer than the URL in the page."""
    text = (req.get_header("Last-Event-ID") or "").strip() or (req.get_param("after") or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # no valid id: start now
        return None
    return int(text)


def _credential(req: falcon.Request, principal: Principal, deps: Deps) -> tuple[str, Callable[[], bool]]:
    """A hash that names the client's credential, and a check that it is still valid (true if it cannot be read)."""
    if principal.kind is PrincipalKind.TOKEN:
        secret, find = bearer_token(req) or "", deps.hooks.by_bearer
    else:
        secret, find = sign_in_cookie(req, https=deps.settings.https) or "", deps.hooks.by_cookie

    def is_still_valid() -> bool:
        try:
            with deps.database.reader(wait_s=CONNECTION_WAIT_S) as db:
                return find(db, secret, deps.now_ms()) is not None
        except (StorageError, db_errors.Error):
            return True

    return credentials.token_hash(secret), is_still_valid
