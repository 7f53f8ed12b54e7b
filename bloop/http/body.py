"""Finds the end of a request body: bytes in, the body and the bytes after it out. No I/O.

Both framings have the same three members: `feed(data)` takes received bytes and returns None until the body is
complete, then the bytes after it; `stream` is the body so far; `bytes_held` is the memory it occupies.
"""

from __future__ import annotations

import re

from bloop.http.limits import KIB
from bloop.http.refusal import Refused, body_refusal
from bloop.http.spool import MemoryStore, Store

_SIZE_LINE_BYTES_MAX = 1 * KIB  # a few hex digits, and extensions that no known client sends
_TRAILER_BYTES_MAX = 8 * KIB
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")


class SizedBody:
    """A body of `length` bytes, as Content-Length announced it."""

    def __init__(self, length: int, store: Store | None = None) -> None:
        self.stream = MemoryStore() if store is None else store
        self._missing = length

    @property
    def bytes_held(self) -> int:
        return self.stream.memory_bytes

    def feed(self, data: bytes) -> bytes | None:
        missing = self._missing
        if len(data) < missing:
            self.stream.write(data)
            self._missing = missing - len(data)
            return None
        self.stream.write(data[:missing])
        self._missing = 0
        return data[missing:]


class ChunkedBody:
    """A chunked body (RFC 9112 section 7.1), at most `bytes_max` once decoded. Extensions and trailers are dropped."""

    def __init__(self, bytes_max: int, store: Store | None = None) -> None:
        self.stream = MemoryStore() if store is None else store
        self._bytes_max = bytes_max
        self._unread = b""
        self._chunk_missing = 0  # data bytes of the current chunk still to come
        self._chunk_is_open = False  # the CRLF that ends the current chunk is still to come
        self._is_last = False
        self._trailer_bytes = 0

    @property
    def bytes_held(self) -> int:
        return self.stream.memory_bytes + len(self._unread)

    def feed(self, data: bytes) -> bytes | None:
        data = self._unread + data if self._unread else data
        at = 0
        while True:
            if self._chunk_missing:
                taken = min(self._chunk_missing, len(data) - at)
                self.stream.write(data[at : at + taken])
                self._chunk_missing -= taken
                at += taken
            end = -1 if self._chunk_missing else data.find(b"\n", at)
            if end < 0:
                self._unread = data[at:]
                self._check_unread()
                return None
            if data[end - 1 : end] != b"\r" or end == at:
                raise Refused(400, "malformed chunk")
            line, at = data[at : end - 1], end + 1
            if self._is_last and not line:
                return data[at:]
            self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        if self._is_last:
            self._take_trailer(line)
        elif self._chunk_is_open:
            if line:
                raise Refused(400, "malformed chunk")
            self._chunk_is_open = False
        else:
            self._open_chunk(line)

    def _open_chunk(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None or len(line) > _SIZE_LINE_BYTES_MAX:
            raise Refused(400, "malformed chunk size")
        size = int(match[1], 16)
        if self.stream.tell() + size > self._bytes_max:
            raise body_refusal(self._bytes_max)
        self._chunk_missing = size
        self._chunk_is_open = size > 0
        self._is_last = size == 0

    def _take_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _TRAILER_BYTES_MAX:
            raise Refused(431, "trailers too large")
        if _TRAILER_LINE.fullmatch(line) is None:
            raise Refused(400, "malformed trailer")

    def _check_unread(self) -> None:
        """Bound a line that has no end yet, and refuse it at once if it is already malformed."""
        unread = self._unread
        if self._chunk_is_open and unread and unread != b"\r" and not self._chunk_missing:
            raise Refused(400, "malformed chunk")
        if len(unread) > (_TRAILER_BYTES_MAX if self._is_last else _SIZE_LINE_BYTES_MAX):
            raise Refused(400, "malformed chunk size")


Body = SizedBody | ChunkedBody
