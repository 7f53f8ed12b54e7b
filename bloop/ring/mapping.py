"""One process's view of a segment: opening, making, replacing and unlinking it, and the claims held through it.

A process has at most one `Mapping` per segment, whatever number of `Segment`, `Producer` and `Consumer` objects share
it; it is closed with the last of them. Closing a second descriptor of the file would drop the claims (`locks.py`), so
nothing else in a process with claims may open the segment's file, not even to look at it.

Opening and making run under the segment's creation lock: its holder finds a segment either untouched, half made by a
process that died (it is made again), whole, or already unlinked (it is looked up again). Its pages are reserved when
it is made: an unreserved page of a full /dev/shm would kill the process that first writes to it with SIGBUS, in the
middle of a request. Reserving costs memory at once, but a ring passes over all of its bytes in every lap anyway.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import posix_ipc

from bloop.base.errors import RingError, RingMismatch, RingMissing
from bloop.ring import layout, locks
from bloop.ring.layout import Geometry

LOCK_WAIT_S = 10.0  # creation and generation locks are held for milliseconds
_OPEN_TRIES_MAX = 100  # each retry means that another process unlinked the segment just then
_NAME_CHARACTERS_MAX = 200
_HEADER = struct.Struct("=6Q")
_HEAD_TO_TAIL = struct.Struct(f"=Q{(layout.L_TAIL - 1) * 8}xQ")

_lock = threading.RLock()
_open: set[Mapping] = set()

CLOSED = memoryview(bytes(8)).cast("Q")
CLOSED.release()  # stands in for the words of a closed handle: any use raises ValueError, as with a closed file


class Claim(Protocol):
    """The holder of a lock byte. It must stop working in a forked child, which holds no locks."""

    def disown(self) -> None: ...


class Mapping:
    """Shared by every ring object of a process; not for use outside `bloop.ring`. Its methods may run in any thread."""

    __slots__ = ("_claims", "_references", "area", "bell", "fd", "geometry", "name", "ring_id", "words")

    def __init__(self, name: str, fd: int, geometry: Geometry, ring_id: int) -> None:
        self.name, self.fd, self.geometry, self.ring_id = name, fd, geometry, ring_id
        self.bell = posix_ipc.Semaphore(_bell_name(name), posix_ipc.O_CREAT, mode=0o600, initial_value=0)
        self.area = mmap.mmap(fd, geometry.total_bytes)  # duplicates fd, hence is closed together with it
        self.words = memoryview(self.area).cast("Q")
        self._references = 1
        self._claims: dict[int, Claim] = {}

    @property
    def is_current(self) -> bool:
        """False once the segment was replaced or unlinked: attaching now gives another one, or none."""
        return self.words[layout.W_MAGIC] == layout.MAGIC

    def claim(self, byte: int, owner: Claim) -> bool:
        """Take a lock byte for `owner`; False when it is taken, RingMissing when the segment is retired (RING-R12)."""
        with _lock:
            if byte in self._claims or not locks.try_lock(self.fd, byte):
                return False
            if not self.is_current:  # checked under the lock, because replacing a segment takes the same one
                locks.unlock(self.fd, byte)
                raise self._retired()
            self._claims[byte] = owner
            self._references += 1
            return True

    def release_claim(self, byte: int) -> None:
        with _lock:
            del self._claims[byte]
            locks.unlock(self.fd, byte)
            self.release()

    def is_claimed(self, byte: int) -> bool:
        """Whether any process, this one included, has the lock byte."""
        return byte in self._claims or locks.is_held_elsewhere(self.fd, byte)

    def bump_generation(self) -> None:
        """Write a generation that was never there before, also when other processes do so at the same time."""
        with _lock:
            if not self.is_current:
                raise self._retired()
            locks.lock(self.fd, layout.LOCK_GENERATION, within_s=LOCK_WAIT_S)
            self.words[layout.W_GENERATION] = max(time.time_ns(), self.words[layout.W_GENERATION] + 1)
            locks.unlock(self.fd, layout.LOCK_GENERATION)

    def share(self) -> Mapping:
        with _lock:
            self._references += 1
            return self

    def release(self) -> None:
        """Drop one reference; the last one closes everything."""
        with _lock:
            self._references -= 1
            if self._references == 0:
                _open.discard(self)
                self.words.release()
                self.area.close()
                self.bell.close()
                os.close(self.fd)

    def disown(self) -> None:
        """In a forked child: the parent's claims are not ours (RING-R7)."""
        for owner in self._claims.values():
            owner.disown()
        claims, self._claims = self._claims, {}
        for _ in claims:
            self.release()

    def _retired(self) -> RingMissing:
        return RingMissing(f"ring {self.name} was replaced or unlinked; attach again")


def attach(name: str, *, any_version: bool = False) -> Mapping:
    """Map the existing segment; RingMissing, RingMismatch. One of an older layout only with `any_version`."""
    with _lock:
        if (known := _known(name)) is not None:
            if known.geometry.version is not layout.CURRENT and not any_version:
                raise RingMismatch(f"ring {name} has layout version {known.geometry.version.number}")
            return known.share()
        with _creation_locked(name, flags=0) as fd:
            header = _header(fd)
            if header[layout.W_MAGIC] in (0, layout.RETIRED):
                raise RingMissing(f"ring {name} is only half made, or about to be replaced")
            geometry = _geometry(name, fd, header)
            if geometry is None or not (any_version or geometry.version is layout.CURRENT):
                raise RingMismatch(f"ring {name} has layout version {header[layout.W_VERSION]}")
            return _remember(Mapping(name, fd, geometry, header[layout.W_RING_ID]))


def create(name: str, geometry: Geometry) -> Mapping:
    """Map a segment of this geometry, existing or new; RingMismatch, or RingError when shared memory is full."""
    with _lock:
        if (known := _known(name)) is not None:
            if known.geometry != geometry:
                raise RingMismatch(f"ring {name} is open in this process with another geometry, {known.geometry}")
            return known.share()
        for _ in range(_OPEN_TRIES_MAX):
            with _creation_locked(name, flags=posix_ipc.O_CREAT) as fd:
                header = _header(fd)
                if header[layout.W_MAGIC] == 0:
                    return _remember(_make(name, fd, geometry))
                if header[layout.W_MAGIC] != layout.RETIRED:
                    if _geometry(name, fd, header) == geometry:
                        return _remember(Mapping(name, fd, geometry, header[layout.W_RING_ID]))
                    _retire(name, fd, header)
                _unlink_segment(name)
        raise RingError(f"ring {name} was replaced {_OPEN_TRIES_MAX} times while it was being opened")


def unlink(name: str) -> bool:
    """Remove segment and doorbell; processes that still have them open keep them. False when there was no segment."""
    with _lock:
        if (known := _known(name)) is not None:
            known.words[layout.W_MAGIC] = layout.RETIRED
        else:
            with suppress(RingMissing), _creation_locked(name, flags=0) as fd:
                if _header(fd)[layout.W_MAGIC] == layout.MAGIC:
                    os.pwrite(fd, layout.RETIRED.to_bytes(8, sys.byteorder), layout.W_MAGIC * 8)
        with suppress(posix_ipc.ExistentialError):
            posix_ipc.unlink_semaphore(_bell_name(name))
        return _unlink_segment(name)


def checked_name(name: str) -> str:
    """The name with its leading slash, as shm_open(3) wants it; ValueError for an impossible one."""
    bare = name.removeprefix("/")
    if not bare or "/" in bare or "\0" in bare or len(bare) > _NAME_CHARACTERS_MAX:
        raise ValueError(f"not a name for shared memory: {name!r}")
    return "/" + bare


def _bell_name(name: str) -> str:
    return name + ".bell"


def _known(name: str) -> Mapping | None:
    """This process's mapping of the segment that has the name now; requires holding `_lock`."""
    return next((m for m in _open if m.name == name and m.is_current and os.fstat(m.fd).st_nlink), None)


def _remember(mapping: Mapping) -> Mapping:
    _open.add(mapping)
    return mapping


@contextmanager
def _creation_locked(name: str, *, flags: int) -> Iterator[int]:
    """The segment's descriptor, under the creation lock; closed afterwards unless a mapping took it. Needs `_lock`."""
    for _ in range(_OPEN_TRIES_MAX):
        fd = _open_segment(name, flags)
        try:
            locks.lock(fd, layout.LOCK_CREATE, within_s=LOCK_WAIT_S)
            if os.fstat(fd).st_nlink == 0:  # replaced or unlinked while we waited for the lock
                continue
            yield fd
            return
        finally:
            if any(mapping.fd == fd for mapping in _open):
                locks.unlock(fd, layout.LOCK_CREATE)
            else:
                os.close(fd)
    raise RingError(f"ring {name} was replaced {_OPEN_TRIES_MAX} times while it was being opened")


def _open_segment(name: str, flags: int) -> int:
    try:
        fd: int = posix_ipc.SharedMemory(name, flags, mode=0o600, size=0).fd  # any other size would resize it
    except posix_ipc.ExistentialError:
        raise RingMissing(f"no ring {name}; the process that creates it has not started yet") from None
    except posix_ipc.PermissionsError:
        raise RingError(f"ring {name} belongs to another user") from None
    return fd


def _header(fd: int) -> tuple[int, ...]:
    return _HEADER.unpack(os.pread(fd, _HEADER.size, 0).ljust(_HEADER.size, b"\0"))


def _geometry(name: str, fd: int, header: tuple[int, ...]) -> Geometry | None:
    """The geometry of a segment of a layout we know, None for another; RingMismatch when it is no ring at all."""
    magic, number, _, lane_count, lane_bytes, lane_head_bytes = header
    expected = layout.HEADER_BYTES + lane_count * (lane_head_bytes + lane_bytes)
    if magic != layout.MAGIC or os.fstat(fd).st_size != expected:
        raise RingMismatch(f"shared memory {name} is not a bloop ring, or is damaged")
    version = layout.VERSIONS.get(number)
    if version is None or version.lane_head_bytes != lane_head_bytes:
        return None
    return Geometry(lane_count, lane_bytes, version)


def _make(name: str, fd: int, geometry: Geometry) -> Mapping:
    """Lay out an empty segment. No process maps one without a magic, so a half-made one may be truncated first."""
    os.ftruncate(fd, 0)
    try:
        os.posix_fallocate(fd, 0, geometry.total_bytes)
    except OSError as error:
        _unlink_segment(name)
        needed = f"{geometry.total_bytes >> 10} KiB of shared memory: {error.strerror}"
        remedy = "give /dev/shm more space (Docker: --shm-size) or set a smaller ingest.channel_capacity"
        raise RingError(f"ring {name} needs {needed}; {remedy}") from error
    mapping = Mapping(name, fd, geometry, secrets.randbits(63) or 1)
    words = mapping.words
    words[layout.W_VERSION] = layout.LAYOUT_VERSION
    words[layout.W_RING_ID] = mapping.ring_id
    words[layout.W_LANE_COUNT] = geometry.lane_count
    words[layout.W_LANE_BYTES] = geometry.lane_bytes
    words[layout.W_LANE_HEAD_BYTES] = layout.LANE_HEAD_BYTES
    words[layout.W_GENERATION] = time.time_ns()
    words[layout.W_MAGIC] = layout.MAGIC  # last (RING-R12)
    return mapping


def _retire(name: str, fd: int, header: tuple[int, ...]) -> None:
    """Mark a ring of another geometry or layout as replaced, if it is empty and unused; else RingMismatch.

    Relies on RING-R13 only. The locks taken here go with the descriptor.
    """
    _, version, _, lane_count, lane_bytes, lane_head_bytes = header
    existing = f"ring {name} exists with {lane_count} lanes of {lane_bytes} bytes, layout version {version}"
    lanes = range(lane_count)
    if not all(locks.try_lock(fd, byte) for byte in (layout.LOCK_CONSUMER, *(layout.LOCK_LANE_0 + n for n in lanes))):
        raise RingMismatch(f"{existing}, and is in use; stop the processes that use it first")
    for lane in lanes:
        at = layout.HEADER_BYTES + lane * lane_head_bytes
        head, tail = _HEAD_TO_TAIL.unpack(os.pread(fd, _HEAD_TO_TAIL.size, at))
        if head & layout.POSITION_MASK != tail:
            raise RingMismatch(f"{existing}, and holds records; start bloop once as before, to store them")
    os.pwrite(fd, layout.RETIRED.to_bytes(8, sys.byteorder), layout.W_MAGIC * 8)


def _unlink_segment(name: str) -> bool:
    try:
        posix_ipc.unlink_shared_memory(name)
    except posix_ipc.ExistentialError:
        return False
    return True


def _after_fork_in_child() -> None:
    global _lock  # another thread of the parent may have held it
    _lock = threading.RLock()
    for mapping in tuple(_open):
        mapping.disown()


os.register_at_fork(after_in_child=_after_fork_in_child)
