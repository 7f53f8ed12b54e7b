"""Reading a request body, and inflating it, never past a bound.

BODY-1  At most `bytes_max` + 1 bytes are read; a declared length above the bound is refused without reading at all.
BODY-2  Inflating stops at the bound, so a few compressed bytes cannot become gigabytes. gzip, zlib and zstd stop
    exactly there; brotli's decoder hands out whole blocks and overshoots by at most a few of them.

Functions take the WSGI environ rather than a framework's request: `wsgi.input` means the same under every server.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import brotli  # type: ignore[import-untyped]
import zstandard

from bloop.base.errors import BadEncoding, BodyTooLarge

ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024  # what RFC 8878 asks every decoder to support; more is memory on demand


def read_body(env: Mapping[str, Any], bytes_max: int) -> bytes:
    """The body exactly as sent, `b""` when there is none.

    Raises:
        BodyTooLarge: it is longer than `bytes_max`, declared or found.
        BadEncoding: its declared length is not a number.
    """
    declared = env.get("CONTENT_LENGTH")
    if declared:
        if not declared.isdecimal():  # a server frames by this header, so it should never come this far
            raise BadEncoding("Content-Length is not a number")
        length = int(declared)
        if length > bytes_max:
            raise BodyTooLarge(bytes_max)
    elif env.get("wsgi.input_terminated"):  # chunked: the stream itself knows where the body ends
        length = bytes_max + 1
    else:
        return b""
    body: bytes = env["wsgi.input"].read(length)
    if len(body) < length:
        body = _read_rest(env["wsgi.input"], body, length)
    if len(body) > bytes_max:
        raise BodyTooLarge(bytes_max)
    return body


def _read_rest(stream: Any, first: bytes, length: int) -> bytes:
    """Streams may answer short reads; only an empty one means the end."""
    parts = [first]
    missing = length - len(first)
    while missing > 0 and parts[-1]:
        parts.append(stream.read(missing))
        missing -= len(parts[-1])
    return b"".join(parts)


def content_encoding(env: Mapping[str, Any]) -> str:
    """The coding the body was sent in, lower-cased; `""` when it was sent plain."""
    header = env.get("HTTP_CONTENT_ENCODING")
    if not header:
        return ""
    coding: str = header.strip().lower()
    return "" if coding == "identity" else coding


def inflate(body: bytes, coding: str, bytes_max: int) -> bytes:
    """Undo one content coding.

    Raises:
        BadEncoding: the coding is not one of gzip, deflate, br, zstd, or the body is not what the coding says.
        BodyTooLarge: the inflated body is longer than `bytes_max`.
    """
    decode = _DECODERS.get(coding)
    if decode is None:
        raise BadEncoding(f"unsupported content encoding, use one of: {', '.join(sorted(_DECODERS))}")
    try:
        inflated = decode(body, bytes_max)
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise BadEncoding(f"body is not valid {coding}") from error
    if len(inflated) > bytes_max:
        raise BodyTooLarge(bytes_max)
    return inflated


def _gunzip(body: bytes, bytes_max: int) -> bytes:
    return _zlib(body, bytes_max, 16 + zlib.MAX_WBITS)


def _deflate(body: bytes, bytes_max: int) -> bytes:
    """HTTP's `deflate` is the zlib format, yet many clients send the raw stream without its header."""
    try:
        return _zlib(body, bytes_max, zlib.MAX_WBITS)
    except zlib.error:
        return _zlib(body, bytes_max, -zlib.MAX_WBITS)


def _zlib(body: bytes, bytes_max: int, wbits: int) -> bytes:
    decoder = zlib.decompressobj(wbits)
    inflated = decoder.decompress(body, bytes_max + 1)
    if len(inflated) <= bytes_max and (not decoder.eof or decoder.unused_data):
        raise zlib.error("stream ends early or has bytes after its end")
    return inflated


def _brotli(body: bytes, bytes_max: int) -> bytes:
    decoder = brotli.Decompressor()
    inflated: bytes = decoder.process(body, output_buffer_limit=bytes_max + 1)
    if len(inflated) <= bytes_max and not decoder.is_finished():
        raise brotli.error("stream ends early")
    return inflated


def _zstd(body: bytes, bytes_max: int) -> bytes:
    """A frame cut short yields the blocks that arrived; the JSON parser finds out."""
    decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
    with decoder.stream_reader(body) as reader:
        return reader.read(bytes_max + 1)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
