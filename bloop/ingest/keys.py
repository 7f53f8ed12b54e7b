"""Which project a signed body or a write-only key belongs to, answered from memory.

KEYS-1  The control-plane generation is looked at on every call, so a rotated key stops working with the next request.
KEYS-2  A load that fails keeps the keys of the last good one and is tried again at most once a second.
KEYS-3  Every digest comparison is constant-time, and an empty secret verifies nothing.
KEYS-4  An old key that was kept stops at its time by itself, in every worker.
KEYS-5  The use of a key is reported through the ring, at most once in USE_NOTED_EVERY_S by each worker. So what people
        see as its last use is at most that much too old, and the hot path pays one look at the clock.
KEYS-6  A key that works no more, old or revoked, still says whose refusals its requests are.
KEYS-7  A project whose day is spent is refused from the load on that says so until the next day begins (UTC), which
    takes no further load.

What a request may show:

    X-Project-Key   signature made with        project
    a known key     that key, or the secret    the key's       (mobile SDKs sign with the secret and name a key)
    an old key      that key, or the secret    the key's, until it ends; then refused
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
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from bloop.base.credentials import token_hash
from bloop.base.errors import StorageError, UnknownKey
from bloop.ingest.hmac_signature import SigningKey
from bloop.records.record import KeyUse, Kind, encode_key_use

KEYS_TRIED_MAX = 512
HASHED_BYTES_MAX = 4 * 1024 * 1024
HASHED_BYTES_PER_KEY = 512  # what an HMAC costs beside the body, expressed in body bytes
RELOAD_INTERVAL_S = 1.0
USE_NOTED_EVERY_S = 60.0

log = logging.getLogger(__name__)


class ProjectKey(NamedTuple):
    """A key that works: `key` is both the name the client sends and the secret it signs with.

    `made_at_ms` says which of the project's keys it is. `ends_at_ms` None: it is the current one.
    """

    project_id: int
    key: str
    made_at_ms: int = 0
    ends_at_ms: int | None = None
    is_trimming: bool = False  # the project's `oversize` setting


class WriteKey(NamedTuple):
    """A key that can only write, shown in clear; `kind` says where clients put it."""

    project_id: int
    kind: str
    key: str
    is_revoked: bool = False


class _Secret:
    """A key that works. `note_at_s` is when its use is reported next; threads may race, and then report it twice."""

    __slots__ = ("ends_at_s", "made_at_ms", "note_at_s", "project_id", "signing")

    def __init__(self, key: ProjectKey, note_at_s: float) -> None:
        self.project_id, self.made_at_ms, self.note_at_s = key.project_id, key.made_at_ms, note_at_s
        self.ends_at_s = math.inf if key.ends_at_ms is None else key.ends_at_ms / 1000
        self.signing = SigningKey(key.key.encode())


class _Snapshot(NamedTuple):
    """One good load. Replaced as a whole, so threads that share the cache never see half of one."""

    generation: int
    by_key: dict[str, _Secret]  # current keys first
    ended: Mapping[str, int]  # SHA-256 of a key → project id
    default_project_id: int | None
    by_write_key: dict[tuple[str, str], WriteKey]  # by kind and key
    trimming: frozenset[int]  # ids of projects that want what is too long cut, not refused


class ProjectKeys:
    """The cache. Any thread may call it; one of them loads while the others wait.

    Args:
        load: every project's key, and its old ones that were kept.
        load_ended: the SHA-256 (`credentials.token_hash`) of keys that work no more → the project they belonged to.
        generation: a number that changes whenever one of the others would answer differently.
        legacy_secret: `auth.hmac_secret`; empty switches that way in off.
        default_project_id: where requests signed with the legacy secret go; None when there is no such project.
        load_write_keys: every write-only key, revoked ones included.
        load_spent: projects that have spent the bytes of their day, and the ms when it ends.
        now_s: the wall clock, for keys that end.
    """

    def __init__(
        self,
        load: Callable[[], Sequence[ProjectKey]],
        generation: Callable[[], int],
        legacy_secret: str,
        default_project_id: Callable[[], int | None],
        *,
        load_ended: Callable[[], Mapping[str, int]] = dict,
        load_write_keys: Callable[[], Sequence[WriteKey]] = tuple,
        load_spent: Callable[[], Mapping[int, int]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._load, self._generation, self._default_project_id = load, generation, default_project_id
        self._load_ended, self._load_write_keys, self._load_spent = load_ended, load_write_keys, load_spent
        self.spent: Mapping[int, int] = {}  # project → ms; replaced as a whole, and empty nearly always
        self._legacy_secret = legacy_secret.encode()
        self._legacy_signing = SigningKey(self._legacy_secret)
        self._monotonic, self._now_s = monotonic, now_s
        self._push: Callable[[int, bytes], object] | None = None
        self._snapshot: _Snapshot | None = None
        self._retry_at = float("-inf")
        self._last_match = ""
        self._loading = threading.Lock()

    def report_uses_to(self, push: Callable[[int, bytes], object]) -> None:
        """Report the use of keys as records, through `Sink.push` (KEYS-5)."""
        self._push = push

    def find(self, claimed: str | None) -> int | None:
        """The project a request says it is from, unproven; None when it names no project.

        For attributing refusals (KEYS-6). Answers from what is loaded and never loads.
        """
        snapshot = self._snapshot
        if not claimed or snapshot is None:
            return None
        known = snapshot.by_key.get(claimed)
        if known is not None:
            return known.project_id
        return snapshot.ended.get(token_hash(claimed)) if snapshot.ended else None

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
            now_s = self._now_s()
            if now_s >= known.ends_at_s:
                raise UnknownKey("invalid project key")
            if not (known.signing.matches(signature, body) or self._legacy_signing.matches(signature, body)):
                return None
            if now_s >= known.note_at_s:
                self._note_use(known, now_s)
            return known.project_id
        if not self._is_legacy_key(claimed) or snapshot.default_project_id is None:
            raise UnknownKey("invalid project key")
        return snapshot.default_project_id if self._legacy_signing.matches(signature, body) else None

    def is_spent(self, project_id: int, now_ms: int) -> bool:
        """Whether the project's records are to be refused until the next day (KEYS-7)."""
        return now_ms < self.spent.get(project_id, 0)

    def is_trimming(self, project_id: int) -> bool:
        """Whether a project that was just authenticated wants fields that are too long cut."""
        return self._snapshot is not None and project_id in self._snapshot.trimming

    def find_write_key(self, kind: str, key: str | None) -> int | None:
        """As `find`, for a write-only key."""
        known = self._snapshot.by_write_key.get((kind, key)) if key and self._snapshot is not None else None
        return known.project_id if known is not None else None

    def authenticate_write_key(self, kind: str, key: str | None) -> int:
        """The project that a write-only key of this kind stands for.

        Raises:
            UnknownKey: no project has it, it was revoked, or there is none.
            StorageError: no load has succeeded yet.
        """
        known = self._fresh().by_write_key.get((kind, key or ""))
        if known is None or known.is_revoked:
            raise UnknownKey("invalid project key")
        return known.project_id

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
        last = snapshot.by_key.get(self._last_match)  # None once that key has ended
        if last is not None and last.signing.matches(signature, body):
            return self._used_unnamed(last)
        tries_max = min(KEYS_TRIED_MAX, max(1, HASHED_BYTES_MAX // (len(body) + HASHED_BYTES_PER_KEY)))
        for key, known in islice(snapshot.by_key.items(), tries_max):
            if known.signing.matches(signature, body):
                self._last_match = key
                return self._used_unnamed(known)
        return None

    def _used_unnamed(self, known: _Secret) -> int | None:
        now_s = self._now_s()
        if now_s >= known.ends_at_s:
            return None
        if now_s >= known.note_at_s:
            self._note_use(known, now_s)
        return known.project_id

    def _note_use(self, known: _Secret, now_s: float) -> None:
        known.note_at_s = now_s + USE_NOTED_EVERY_S
        if self._push is not None:
            self._push(Kind.KEY_USE, encode_key_use(KeyUse(known.project_id, int(now_s * 1000), known.made_at_ms)))

    def _reload(self) -> _Snapshot:
        with self._loading:
            generation = self._generation()  # before loading: a change meanwhile shows at the next request
            snapshot, now = self._snapshot, self._monotonic()
            if (snapshot is None or snapshot.generation != generation) and now >= self._retry_at:
                self._retry_at = now + RELOAD_INTERVAL_S
                try:
                    rows = self._load()
                    by_key = self._secrets_of(rows, snapshot)
                    by_write_key = {(row.kind, row.key): row for row in self._load_write_keys()}
                    self.spent = self._load_spent()
                    trimming = frozenset(row.project_id for row in rows if row.is_trimming)
                    self._snapshot = snapshot = _Snapshot(
                        generation, by_key, self._load_ended(), self._default_project_id(), by_write_key, trimming
                    )
                    self._retry_at = float("-inf")
                except Exception:  # the loader is injected: whatever it raises, yesterday's keys beat none
                    log.warning("project keys not reloaded", extra={"action": "keys_reload_failed"}, exc_info=True)
            if snapshot is None:
                raise StorageError("project keys are not loaded yet")
            return snapshot

    def _secrets_of(self, keys: Sequence[ProjectKey], before: _Snapshot | None) -> dict[str, _Secret]:
        """By key, current ones first: they win where keys are equal, and are the first that an unnamed body tries."""
        noted = {key: known.note_at_s for key, known in before.by_key.items()} if before is not None else {}
        by_key: dict[str, _Secret] = {}
        for row in sorted(keys, key=lambda row: row.ends_at_ms is not None):
            by_key.setdefault(row.key, _Secret(row, noted.get(row.key, -math.inf)))
        return by_key
