from __future__ import annotations

import gzip
import io
import zlib

import brotli
import pytest
import zstandard

from bloop.base.errors import BadEncoding, BodyTooLarge
from bloop.ingest.body import content_encoding, inflate, read_body

TEXT = b'{"message":"' + b"hello " * 50 + b'"}'


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(data) + encoder.flush()


CODINGS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.compress),
]


class Trickle(io.RawIOBase):
    """A stream that answers at most `step` bytes a read, as sockets do, and says how many it gave away."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step, self.given = data, step, 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "an unbounded read"
        part = self._data[self.given : self.given + min(size, self._step)]
        self.given += len(part)
        return part


def environ(data: bytes, *, length: str | None = None, step: int = 1 << 30, chunked: bool = False) -> dict[str, object]:
    env: dict[str, object] = {"wsgi.input": Trickle(data, step), "wsgi.input_terminated": chunked}
    if length is not None:
        env["CONTENT_LENGTH"] = length
    return env


def test_body_of_declared_length_is_read_and_no_byte_more():
    env = environ(b"hello, next request", length="5")

    assert read_body(env, 100) == b"hello"
    assert env["wsgi.input"].given == 5


def test_short_reads_are_put_together():
    assert read_body(environ(b"0123456789", length="10", step=3), 100) == b"0123456789"


def test_body_that_ends_early_is_what_arrived():
    assert read_body(environ(b"01234", length="10", step=3), 100) == b"01234"


def test_chunked_body_is_read_to_its_end():
    assert read_body(environ(b"0123456789", chunked=True, step=4), 100) == b"0123456789"


@pytest.mark.parametrize("length", [None, "", "0"])
def test_no_length_and_no_chunks_is_no_body(length):
    assert read_body(environ(b"ignored", length=length), 100) == b""


def test_bound_is_inclusive():
    assert read_body(environ(b"x" * 100, length="100"), 100) == b"x" * 100
    assert read_body(environ(b"x" * 100, chunked=True), 100) == b"x" * 100


def test_declared_length_above_the_bound_is_refused_unread():
    env = environ(b"x" * 101, length="101")

    with pytest.raises(BodyTooLarge) as raised:
        read_body(env, 100)

    assert raised.value.bytes_max == 100
    assert env["wsgi.input"].given == 0


def test_chunked_body_above_the_bound_is_left_one_byte_past_it():
    env = environ(b"x" * 10_000, chunked=True, step=30)

    with pytest.raises(BodyTooLarge):
        read_body(env, 100)

    assert env["wsgi.input"].given == 101


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", "+5"])
def test_length_that_is_no_number_is_refused(length):
    with pytest.raises(BadEncoding, match="Content-Length is not a number"):
        read_body(environ(b"x" * 10, length=length), 100)


@pytest.mark.parametrize(
    ("header", "coding"), [(None, ""), ("", ""), ("identity", ""), ("GZIP", "gzip"), (" br ", "br"), ("a, b", "a, b")]
)
def test_content_encoding_is_read_without_case(header, coding):
    assert content_encoding({} if header is None else {"HTTP_CONTENT_ENCODING": header}) == coding


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
def test_each_coding_inflates_to_what_was_sent(coding, compress):
    assert inflate(compress(TEXT), coding, len(TEXT)) == TEXT
    assert inflate(compress(b""), coding, 10) == b""


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
def test_one_byte_above_the_bound_is_too_large(coding, compress):
    with pytest.raises(BodyTooLarge):
        inflate(compress(TEXT), coding, len(TEXT) - 1)


@pytest.mark.parametrize(("coding", "compress"), CODINGS)
def test_bomb_is_refused_without_being_inflated(coding, compress, tracemalloc_peak):
    bomb = compress(bytes(5_000_000))
    assert len(bomb) < 10_000

    with tracemalloc_peak() as peak, pytest.raises(BodyTooLarge):
        inflate(bomb, coding, 32_768)

    assert peak.bytes < 500_000


@pytest.mark.parametrize(("coding", "compress"), [c for c in CODINGS if c[0] != "zstd"])
def test_body_cut_short_is_bad(coding, compress):
    with pytest.raises(BadEncoding, match=f"^body is not valid {coding}$"):
        inflate(compress(TEXT)[:-3], coding, 10_000)


def test_zstd_cut_short_never_passes_for_the_whole():
    try:
        inflated = inflate(zstandard.compress(TEXT)[:-3], "zstd", 10_000)
    except BadEncoding:
        return
    assert inflated != TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("junk", [b"", b"\xff\xff\xff\xff not compressed", TEXT])
def test_body_that_is_not_what_its_coding_says_is_bad(coding, junk):
    if coding == "zstd" and junk == b"":
        assert inflate(junk, coding, 100) == b""  # no frame at all is an empty zstd stream
        return
    with pytest.raises(BadEncoding):
        inflate(junk, coding, 10_000)


@pytest.mark.parametrize(("coding", "compress"), [c for c in CODINGS if c[0] != "zstd"])
def test_bytes_after_the_end_are_bad(coding, compress):
    with pytest.raises(BadEncoding):
        inflate(compress(TEXT) + b"trailing", coding, 10_000)


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip", "lzma", "aes128gcm"])
def test_unknown_coding_is_refused_with_the_known_ones(coding):
    with pytest.raises(BadEncoding, match="unsupported content encoding, use one of: br, deflate, gzip, x-gzip, zstd"):
        inflate(b"", coding, 100)
