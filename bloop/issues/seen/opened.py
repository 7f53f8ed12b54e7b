"""Opening the page of an issue marks it as seen, and never makes the page wait.

OPENED-1  A page that shows an unseen issue writes once. While another process holds the write lock nothing is written:
    what was opened is remembered, at most PENDING_MAX issues, and written with the next page of an issue.
"""

from __future__ import annotations

import logging
import threading

from bloop.auth.principal import Principal, PrincipalKind
from bloop.base.errors import StorageError
from bloop.db.engine import Db
from bloop.issues.seen.read import unseen
from bloop.issues.seen.store import mark_seen
from bloop.site.deps import Deps

PENDING_MAX = 1000

log = logging.getLogger(__name__)


class OpenedIssues:
    """Shared by the threads of a process."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._pending: dict[tuple[str, int], int] = {}  # account and issue: when
        self._lock = threading.Lock()

    def is_unseen(self, db: Db, principal: Principal, issue_id: int) -> bool:
        """Whether to note it: not of visitors without an account (SEEN-2)."""
        return principal.kind is PrincipalKind.USER and bool(unseen(db, principal.id, [issue_id]))

    def note(self, principal: Principal, issue_id: int) -> None:
        """The account has the issue on its screen (OPENED-1). Not inside of a transaction."""
        with self._lock:
            if len(self._pending) < PENDING_MAX:
                self._pending[principal.id, issue_id] = self._deps.now_ms()
            pending = dict(self._pending)
        try:
            self._deps.database.change(lambda db: _mark(db, pending), wait=False)
        except StorageError as error:
            log.info("opened issues are noted later: %s", error, extra={"action": "opened_issues_wait"})
            return
        with self._lock:
            for key, at_ms in pending.items():
                if self._pending.get(key) == at_ms:
                    del self._pending[key]


def _mark(db: Db, pending: dict[tuple[str, int], int]) -> None:
    for (user_id, issue_id), at_ms in pending.items():
        mark_seen(db, user_id, [issue_id], at_ms)
