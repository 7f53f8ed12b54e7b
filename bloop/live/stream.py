"""GET /v1/stream: what happens to issues, while it happens, as server-sent events. The signals table read aloud.

    retry: 2000
    id: 57

    id: 58
    event: issue.new
    data: {"id":58,"kind":"issue.new","project_id":"…","project":"shop","issue":"SHOP-12", … }

V1  `id` is the signal's. A client that comes back with it (`Last-Event-ID`, or `after` in the URL) misses nothing and
    sees nothing twice, whichever process died meanwhile. One that was away for more than REPLAY_MAX signals, or for
    longer than signals are kept, gets `event: reset` instead and looks for itself.
V2  A token hears its project, a person everything they see, or the one project they name. A credential that ends takes
    its streams along within CHECK_S.
V3  One look at the database serves all clients, and its connection is given back before anybody waits.
V4  At most STREAMS_MAX clients, and PER_CREDENTIAL_MAX of one credential. Further ones are told to come back later.

`event: activity` has no id: it says that issues of some projects were counted up, at most every ACTIVITY_S. A comment
every HEARTBEAT_S keeps proxies from closing a quiet stream.

Behind a server that cannot keep connections the answer ends after what there is to say; browsers come back by `retry`.
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
from bloop.site.cookie import session_cookie
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

RETRY_MS = 2000
HEARTBEAT_S = 15.0
CHECK_S = 15.0  # between two looks at whether a credential still holds


class Listener:
    """One client's side of the stream: the channel that the streaming thread pulls from (bloop/http/streams.py)."""

    def __init__(
        self, hub: Hub, credential: str, scope: Collection[int] | None, still_holds: Callable[[], bool]
    ) -> None:
        self._hub, self._credential, self._scope, self._still_holds = hub, credential, scope, still_holds
        self._sent_id = 0  # every signal up to here was sent, or is none of its business
        self._tick = hub.ticks
        self._spoke_s = self._checked_s = hub.monotonic()

    def begin(self, db: Db, after_id: int | None) -> bytes:
        """What is said at once: where the stream stands, or what was missed since `after_id`."""
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
            if not self._still_holds():
                return None
        self._hub.refresh()
        said = self._signals() + self._activity()
        if not said and now_s - self._spoke_s >= HEARTBEAT_S:
            said = b"id: %d\n:\n\n" % self._sent_id
        if said:
            self._spoke_s = now_s
        return said

    def closed(self) -> None:
        self._hub.leave(self._credential)

    def _signals(self) -> bytes:
        if self._hub.last_id <= self._sent_id:
            return b""
        frames = self._hub.frames
        if frames and len(frames) == REPLAY_MAX and frames[0].id > self._sent_id + 1:
            self._sent_id = self._hub.last_id
            return reset(self._sent_id)
        said = b"".join(f.data for f in frames if f.id > self._sent_id and self._concerns(f.project_id))
        self._sent_id = self._hub.last_id
        return said

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
        """That listen at this moment."""
        return self._hub.clients

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, reference = principal_of(req), params.text(req, "project_id")
        after_id = _after(req)
        credential, still_holds = _credential(req, principal, self._deps)
        keep: Callable[[Listener], None] | None = req.env.get("bloop.stream")
        is_kept = keep is not None and not getattr(req.context, "is_head", False)
        listener = None
        with self._deps.database.reader() as db:
            scope = visible_projects(db, principal, reference) if reference else principal.project_ids
            self._hub.enter(credential)
            try:
                listener = Listener(self._hub, credential, scope, still_holds)
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
    """Where the client left off. The browser's own header wins: it is newer than the URL the page was given."""
    text = (req.get_header("Last-Event-ID") or "").strip() or (req.get_param("after") or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # nobody's id: begin with now
        return None
    return int(text)


def _credential(req: falcon.Request, principal: Principal, deps: Deps) -> tuple[str, Callable[[], bool]]:
    """A name for what the client came in with, and whether it still holds. When nobody can tell, it does."""
    if principal.kind is PrincipalKind.TOKEN:
        secret, find = bearer_token(req) or "", deps.hooks.by_bearer
    else:
        secret, find = session_cookie(req) or "", deps.hooks.by_cookie

    def still_holds() -> bool:
        try:
            with deps.database.reader(wait_s=CONNECTION_WAIT_S) as db:
                return find(db, secret, deps.now_ms()) is not None
        except (StorageError, db_errors.Error):
            return True

    return credentials.token_hash(secret), still_holds
