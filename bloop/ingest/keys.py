"""Which project a signed body or a write-only key belongs to, answered from memory.

KEYS-1  The control-plane generation is looked at on every call, so a rotated key stops working with the next request.
KEYS-2  A load that fails keeps the keys of the last good one and is tried again at most once a second.
KEYS-3  Every digest comparison is constant-time, and an empty secret verifies nothing.
KEYS-4  A project whose day is spent is refused from the load on that says so until the next day begins (UTC), which
    takes no further load.

What a request may show:

    X-Project-Key   signature made with        project
    a known key     that key, or the secret    the key's       (mobile SDKs sign with the secret and name a key)
    the secret      the secret                 default
    unknown         anything                   refused
    none            the secret                 default
    none            some project's key         that key's      (one published client signs but never names its key)

The last line costs one HMAC per project. It is bounded by KEYS_TRIED_MAX and by HASHED_BYTES_MAX per request, and the
key that matched last is tried first; that order tells an onlooker which project was busy, never anything of a key.

With the keys comes which projects have spent the bytes of their day (KEYS-4). They are loaded together, because both
change seldom and one number says that either did.

A write-only key is looked up as it is. It is the whole proof, and it only allows sending.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from bloop.base.errors import StorageError, UnknownKey
from bloop.ingest.hmac_signature import SigningKey

KEYS_TRIED_MAX = 512
HASHED_BYTES_MAX = 4 * 1024 * 1024
HASHED_BYTES_PER_KEY = 512  # what an HMAC costs beside the body, expressed in body bytes
RELOAD_INTERVAL_S = 1.0

log = logging.getLogger(__name__)


class ProjectKey(NamedTuple):
    """One row of the control plane: `key` is both the name the client sends and the secret it signs with."""

    project_id: int
    key: str
    is_trimming: bool = False  # the project's `oversize` setting


class WriteKey(NamedTuple):
    """A key that can only write, shown in clear; `kind` says where clients put it."""

    project_id: int
    kind: str
    key: str


class _Secret(NamedTuple):
    project_id: int
    signing: SigningKey


class _Snapshot(NamedTuple):
    """One good load. Replaced as a whole, so threads that share the cache never see half of one."""

    generation: int
    by_key: dict[str, _Secret]
    default_project_id: int | None
    by_write_key: dict[tuple[str, str], int]  # kind and key → project id
    trimming: frozenset[int]  # ids of projects that want what is too long cut, not refused


class ProjectKeys:
    """The cache. Any thread may call it; one of them loads while the others wait.

    Args:
        load: every project and its key.
        generation: a number that changes whenever one of the others would answer differently.
        legacy_secret: `auth.hmac_secret`; empty switches that way in off.
        default_project_id: where requests signed with the legacy secret go; None when there is no such project.
        load_write_keys: every write-only key that works.
        load_spent: projects that have spent the bytes of their day, and the ms when it ends.
    """

    def __init__(
        self,
        load: Callable[[], Sequence[ProjectKey]],
        generation: Callable[[], int],
        legacy_secret: str,
        default_project_id: Callable[[], int | None],
        *,
        load_write_keys: Callable[[], Sequence[WriteKey]] = tuple,
        load_spent: Callable[[], Mapping[int, int]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._generation, self._default_project_id = load, generation, default_project_id
        self._load_write_keys, self._load_spent = load_write_keys, load_spent
        self.spent: Mapping[int, int] = {}  # project → ms; replaced as a whole, and empty nearly always
        self._legacy_secret = legacy_secret.encode()
        self._legacy_signing = SigningKey(self._legacy_secret)
        self._monotonic = monotonic
        self._snapshot: _Snapshot | None = None
        self._retry_at = float("-inf")
        self._last_match = ""
        self._loading = threading.Lock()

    def find(self, claimed: str | None) -> int | None:
        """The project a request says it is from, unproven; None when it names no project.

        For attributing refusals. Answers from what is loaded and never loads.
        """
        if not claimed or self._snapshot is None:
            return None
        known = self._snapshot.by_key.get(claimed)
        return known.project_id if known else None

    def verify(self, claimed: str | None, signature: bytes, body: bytes) -> int | None:
        """The project that `signature` over `body` proves; None when it proves none.

        Raises:
            UnknownKey: `claimed` is neither a project's key nor the legacy secret.
            StorageError: no load has succeeded yet.
        """
        snapshot = self._snapshot  # `_fresh`, written out: this is the hot path
        if snapshot is None or snapshot.generation != self._generation():
            snapshot = self._reload()
        if not claimed:
            return self._verify_unnamed(snapshot, signature, body)
        known = snapshot.by_key.get(claimed)
        if known is not None:
            proven = known.signing.matches(signature, body) or self._legacy_signing.matches(signature, body)
            return known.project_id if proven else None
        if not self._is_legacy_key(claimed) or snapshot.default_project_id is None:
            raise UnknownKey("invalid project key")
        return snapshot.default_project_id if self._legacy_signing.matches(signature, body) else None

    def is_spent(self, project_id: int, now_ms: int) -> bool:
        """Whether the project's records are to be refused until the next day (KEYS-4)."""
        return now_ms < self.spent.get(project_id, 0)

    def is_trimming(self, project_id: int) -> bool:
        """Whether a project that was just authenticated wants fields that are too long cut."""
        return self._snapshot is not None and project_id in self._snapshot.trimming

    def find_write_key(self, kind: str, key: str | None) -> int | None:
        """As `find`, for a write-only key."""
        return self._snapshot.by_write_key.get((kind, key)) if key and self._snapshot is not None else None

    def authenticate_write_key(self, kind: str, key: str | None) -> int:
        """The project that a write-only key of this kind stands for.

        Raises:
            UnknownKey: no project has it, it was revoked, or there is none.
            StorageError: no load has succeeded yet.
        """
        project_id = self._fresh().by_write_key.get((kind, key or ""))
        if project_id is None:
            raise UnknownKey("invalid project key")
        return project_id

    def _fresh(self) -> _Snapshot:
        snapshot = self._snapshot
        return self._reload() if snapshot is None or snapshot.generation != self._generation() else snapshot

    def _is_legacy_key(self, claimed: str) -> bool:
        # WSGI hands header bytes over as Latin-1 text; back to bytes, a secret with accents still compares.
        return bool(self._legacy_secret) and hmac.compare_digest(
            claimed.encode("latin-1", "replace"), self._legacy_secret
        )

    def _verify_unnamed(self, snapshot: _Snapshot, signature: bytes, body: bytes) -> int | None:
        if snapshot.default_project_id is not None and self._legacy_signing.matches(signature, body):
            return snapshot.default_project_id
        last = snapshot.by_key.get(self._last_match)  # None once that key was rotated
        if last is not None and last.signing.matches(signature, body):
            return last.project_id
        tries_max = min(KEYS_TRIED_MAX, max(1, HASHED_BYTES_MAX // (len(body) + HASHED_BYTES_PER_KEY)))
        for key, known in islice(snapshot.by_key.items(), tries_max):
            if known.signing.matches(signature, body):
                self._last_match = key
                return known.project_id
        return None

    def _reload(self) -> _Snapshot:
        with self._loading:
            generation = self._generation()  # before loading: a change meanwhile shows at the next request
            snapshot, now = self._snapshot, self._monotonic()
            if (snapshot is None or snapshot.generation != generation) and now >= self._retry_at:
                self._retry_at = now + RELOAD_INTERVAL_S
                try:
                    rows = self._load()
                    by_key = {row.key: _Secret(row.project_id, SigningKey(row.key.encode())) for row in rows}
                    by_write_key = {(row.kind, row.key): row.project_id for row in self._load_write_keys()}
                    self.spent = self._load_spent()
                    trimming = frozenset(row.project_id for row in rows if row.is_trimming)
                    default_project_id = self._default_project_id()
                    self._snapshot = snapshot = _Snapshot(
                        generation, by_key, default_project_id, by_write_key, trimming
                    )
                    self._retry_at = float("-inf")
                except Exception:  # the loader is injected: whatever it raises, yesterday's keys beat none
                    log.warning("project keys not reloaded", extra={"action": "keys_reload_failed"}, exc_info=True)
            if snapshot is None:
                raise StorageError("project keys are not loaded yet")
            return snapshot
