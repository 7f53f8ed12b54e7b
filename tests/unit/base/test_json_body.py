from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import InvalidEvent
from bloop.base.json_body import LENIENT_VALUES_MAX, decode_exactly, decode_json

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"a\udc00b"', "a\ufffdb"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'{"\ud83d":1}', {"\ufffd": 1}),
        (rb'["\u0000",{"\u0000":"\u0000x"}]', ["\ufffd", {"\ufffd": "\ufffdx"}]),
        (rb'"\\u0000"', "\\u0000"),
        (b'"0000"', "0000"),
        (b'"\xff"', "\ufffd"),
        (b'"caf\xe9"', "caf\ufffd"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'[18446744073709551615,-9223372036854775808,"\xff"]', [2**64 - 1, -(2**63), "\ufffd"]),
        (b'[18446744073709551616,"\xff"]', [float(2**64), "\ufffd"]),
        (b'[-9223372036854775809,"\xff"]', [-float(2**63), "\ufffd"]),
        (b"18446744073709551616", float(2**64)),
    ],
)
def test_what_cannot_be_stored_is_replaced(body, value):
    decoded = decode_json(body)

    assert decoded == value
    assert orjson.loads(orjson.dumps(decoded)) == value


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 400])
def test_numbers_json_does_not_have_are_refused(value):
    for body in (f"[{value}]", f'{{"a":{{"b":{value}}}}}', f'[{value},"\\ud800"]'):
        with pytest.raises(InvalidEvent, match=r"^invalid JSON: ") as raised:
            decode_json(body.encode())
        assert raised.value.path == ""


@pytest.mark.parametrize(
    "body", [b"", b" ", b"{", b"[1,]", b"{'a':1}", b'{"a":1}}', b'"a\nb"', b"nul", b"\xff", b"01", b"+1"]
)
def test_what_is_not_json_is_refused_with_the_place(body):
    with pytest.raises(InvalidEvent, match=r"^invalid JSON: .*line 1 column \d+"):
        decode_json(body)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_bottomless_nesting_is_refused(body):
    with pytest.raises(InvalidEvent, match="nested too deeply"):
        decode_json(body)


def test_replacing_needs_no_more_depth_than_reading():
    value = decode_json(b"[" * 990 + rb'"\u0000"' + b"]" * 990)

    for _ in range(990):
        (value,) = value
    assert value == "\ufffd"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_number_json_does_not_have_costs_only_itself_where_nothing_may_be_lost(number):
    value = decode_exactly(f'{{"a":{{"b":[1,{number}]}},"c":"{number}"}}'.encode())

    assert value == {"a": {"b": [1, None]}, "c": number}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 2**70, int("9" * 400)])
def test_large_integer_is_written_as_it_was_sent(number):
    value = decode_exactly(f'{{"n":{number},"d":-0.5}}'.encode())

    assert orjson.dumps(value) == f'{{"n":{number},"d":-0.5}}'.encode()


def test_lenient_reader_looks_at_the_size_before_it_builds_anything():
    fitting = b"[NaN" + b",[]" * (LENIENT_VALUES_MAX // 2 - 2) + b"]"

    assert len(decode_exactly(fitting)) == LENIENT_VALUES_MAX // 2 - 1
    with pytest.raises(InvalidEvent, match="more than 100000 values"):
        decode_exactly(fitting[:-1] + b",[],[]]")


@given(json_values)
def test_ordinary_json_comes_out_unchanged(value):
    expected = json.loads(json.dumps(value).replace(r"\u0000", r"\ufffd"))
    body = json.dumps(value).encode()
    if any(mark in body for mark in (rb"\ud8", rb"\ud9", rb"\uda", rb"\udb", rb"\udc", rb"\udd", rb"\ude", rb"\udf")):
        return  # astral characters are escaped as pairs; lone halves have their own tests

    assert decode_json(body) == expected


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_that_can_be_stored_or_a_typed_error(body):
    try:
        value = decode_json(body)
    except InvalidEvent:
        return
    orjson.dumps(value)
    orjson.dumps(decode_exactly(body))


@given(st.text(st.characters(categories=["Cs", "Lu", "Cc"]), max_size=10))
def test_every_string_that_comes_out_encodes(text):
    value = decode_json(json.dumps([text, {text: 1}]).encode())

    assert "\0" not in value[0]
    value[0].encode()
    next(iter(value[1])).encode()
