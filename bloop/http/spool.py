"""Where the body of a request waits until it is complete: in memory, and when it is long in an unnamed file.

SPOOL-1  A file has no name, so it is gone with the worker, however that ends.
SPOOL-2  All files of a worker together hold at most `spooled_bytes_max`. A body for which there is no room is refused.

Writing to a file may wait for the disk, though as a rule the kernel takes the bytes at once; a body of an upload is
worth that, and no other gets so long.
"""

from __future__ import annotations

import contextlib
import tempfile
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from bloop.http.refusal import Refused

_RETRY_AFTER_S = 5


class MemoryStore(BytesIO):
    """A body in memory."""

    @property
    def memory_bytes(self) -> int:
        return self.tell()


class SpoolFolder:
    """The room for files of one worker; its main loop's thread only."""

    def __init__(self, folder: Path | str, bytes_max: int) -> None:
        self.folder, self._bytes_max = folder, bytes_max
        self.bytes_held = 0

    def take(self, byte_count: int) -> None:
        """Raises Refused when there is no room."""
        if self.bytes_held + byte_count > self._bytes_max:
            raise Refused(503, "too many unfinished uploads", _RETRY_AFTER_S)
        self.bytes_held += byte_count

    def give_back(self, byte_count: int) -> None:
        self.bytes_held -= byte_count


class Spool:
    """A body in memory up to `memory_bytes_max`, then in a file. Only `read` may be called by another thread, when the
    body is complete."""

    def __init__(self, memory_bytes_max: int, room: SpoolFolder) -> None:
        self._memory_bytes_max, self._room = memory_bytes_max, room
        self.file: IO[bytes] = BytesIO()
        self._length = 0
        self._taken_bytes = 0  # of the room
        self.is_in_file = False

    @property
    def memory_bytes(self) -> int:
        return 0 if self.is_in_file else self._length

    def write(self, data: bytes) -> int:
        length = self._length + len(data)
        if length > self._memory_bytes_max:
            self._write_to_file(data, length)
        else:
            self.file.write(data)
        self._length = length
        return len(data)

    def _write_to_file(self, data: bytes, length: int) -> None:
        self._room.take(length - self._taken_bytes)
        self._taken_bytes = length
        try:
            if not self.is_in_file:
                file = tempfile.TemporaryFile(dir=self._room.folder)  # noqa: SIM115 - closed by `close`
                self.file.seek(0)
                file.write(self.file.read())
                self.file, self.is_in_file = file, True
            self.file.write(data)
        except OSError:
            raise _no_room() from None

    def tell(self) -> int:
        return self._length

    def seek(self, position: int) -> int:
        try:
            return self.file.seek(position)  # writes what Python has buffered
        except OSError:
            raise _no_room() from None

    def read(self, size: int = -1) -> bytes:
        return self.file.read(size)

    def readline(self, size: int = -1) -> bytes:
        return self.file.readline(size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        return self.file.readlines(hint)

    def __iter__(self) -> Any:
        return iter(self.file)

    def close(self) -> None:
        """Idempotent."""
        with contextlib.suppress(OSError):  # the disk is full: what was buffered is not needed any more
            self.file.close()
        self._room.give_back(self._taken_bytes)
        self._taken_bytes = 0


def _no_room() -> Refused:
    return Refused(503, "no space for an upload", _RETRY_AFTER_S)


Store = MemoryStore | Spool
