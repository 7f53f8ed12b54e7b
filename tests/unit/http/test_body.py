from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.http.body import ChunkedBody, SizedBody
from bloop.http.refusal import Refused


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data` in pieces of the given sizes, the rest as the last."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def feed_all(body: SizedBody | ChunkedBody, pieces: list[bytes]) -> bytes | None:
    """Feed piece by piece; the rest once the body is whole, with the pieces after it."""
    for n, piece in enumerate(pieces):
        rest = body.feed(piece)
        if rest is not None:
            return rest + b"".join(pieces[n + 1 :])
    return None


def encode(chunks: list[bytes], trailer: bytes = b"") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailer + b"\r\n"


@given(st.binary(max_size=60), st.binary(max_size=20), st.lists(st.integers(0, 9), max_size=20))
def test_sized_body_ends_where_it_said_however_it_arrives(content, after, sizes):
    body = SizedBody(len(content))

    assert feed_all(body, cut(content + after, sizes)) == after
    assert body.stream.getvalue() == content
    assert body.bytes_held == len(content)


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=6), st.binary(max_size=20), st.lists(st.integers(0, 9)))
def test_chunked_body_decodes_however_it_arrives(chunks, after, sizes):
    body = ChunkedBody(bytes_max=1000)

    assert feed_all(body, cut(encode(chunks, b"A: b\r\nC:\r\n") + after, sizes)) == after
    assert body.stream.getvalue() == b"".join(chunks)


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=6))
def test_chunked_body_is_not_whole_before_its_last_byte(chunks):
    encoded = encode(chunks)

    for end in range(len(encoded)):
        assert ChunkedBody(bytes_max=1000).feed(encoded[:end]) is None


NEARLY_CHUNKS = st.lists(
    st.sampled_from([b"1", b"0", b"2", b"f", b"40", b"a", b"\r\n", b"\r", b"\n", b";", b" ", b"a:b", b"1\r\na\r\n"]),
    max_size=30,
).map(b"".join)


@given(NEARLY_CHUNKS, st.lists(st.integers(1, 5), max_size=30))
def test_verdict_on_any_bytes_does_not_depend_on_how_they_arrive(data, sizes):
    def verdict(pieces: list[bytes]) -> object:
        body = ChunkedBody(bytes_max=50)
        try:
            return feed_all(body, pieces), body.stream.getvalue()
        except Refused as refused:
            return refused.status

    assert verdict(cut(data, sizes)) == verdict([data])


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"32\r\n" + b"x" * 50 + b"\r\n0\r\n\r\n", None),
        (b"33\r\n", 413),
        (b"32\r\n" + b"x" * 50 + b"\r\n1\r\n", 413),
        (b"f" * 15 + b"\r\n", 413),
        (b"f" * 16 + b"\r\n", 400),
        (b"0" * 1025, 400),
        (b"1;" + b"x" * 1023 + b"\r\n", 400),
        (b"1;a\x01\r\n", 400),
        (b"1 \r\n", 400),
        (b" 1\r\n", 400),
        (b"1\r\nab", 400),
        (b"1\r\na\n", 400),
        (b"0\r\n" + b"T: x\r\n" * 3000, 431),
        (b"0\r\nT: " + b"x" * 9000, 400),
    ],
)
def test_chunks_have_bounds(data, status):
    body = ChunkedBody(bytes_max=50)

    if status is None:
        assert body.feed(data) == b""
    else:
        with pytest.raises(Refused) as refusal:
            body.feed(data)
        assert refusal.value.status == status
