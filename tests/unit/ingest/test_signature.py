from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import Unauthorized
from bloop.ingest.hmac_signature import SigningKey, parse_signature, sign
from tests import vectors


@pytest.mark.parametrize("case", vectors.load("signatures"), ids=vectors.case_id)
def test_signature_is_hex_hmac_sha256_of_the_body(case):
    secret, body = case["secret"].encode(), case["body"].encode()

    assert sign(secret, body).hex() == case["signature"]
    assert SigningKey(secret).matches(parse_signature(case["signature"]), body)
    assert SigningKey(secret).matches(parse_signature(case["signature"].upper()), body)


def test_one_changed_bit_of_body_or_signature_fails():
    signature = sign(b"secret", b"body")

    assert not SigningKey(b"secret").matches(signature, b"bodz")
    assert not SigningKey(b"secrez").matches(signature, b"body")
    assert not SigningKey(b"secret").matches(bytes([signature[0] ^ 1]) + signature[1:], b"body")


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_digest_of_another_length_fails_without_an_error(length):
    assert not SigningKey(b"secret").matches((sign(b"secret", b"body") * 3)[:length], b"body")


def test_empty_secret_verifies_nothing():
    assert not SigningKey(b"").matches(sign(b"", b"body"), b"body")


@pytest.mark.parametrize("header", [None, ""])
def test_missing_header_is_named(header):
    with pytest.raises(Unauthorized, match=r"^missing X-Signature header$"):
        parse_signature(header)


@pytest.mark.parametrize("header", ["abc", "zz", "ab cd", " ab", "ab\n", "sha256=ab", "0x12", "äö", "\U0001f600"])
def test_header_that_is_not_hex_is_refused(header):
    with pytest.raises(Unauthorized, match=r"^invalid signature encoding$"):
        parse_signature(header)


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=300))
def test_a_signing_key_agrees_with_the_library(secret, body):
    assert SigningKey(secret).matches(hmac.new(secret, body, "sha256").digest(), body)
    assert not SigningKey(secret).matches(hmac.new(secret + b"x", body, "sha256").digest(), body)
