"""Invariants CHALLENGE-2 and CHALLENGE-3; 1 and 4 are in tests/integration/api/test_passkeys.py."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.accounts.passkeys.challenges import CHALLENGE_TTL_S, NOTE_LENGTH_MAX, Purpose, new_challenge, seal, unseal
from bloop.base.errors import Declined

KEY, OTHER = b"k" * 32, b"o" * 32
NOW_MS = 1_768_737_600_000


def test_a_note_opens_to_what_was_sealed() -> None:
    challenge = new_challenge(Purpose.INVITE, NOW_MS, user_id="u1", username="Zoë", proof="ab" * 32)

    assert unseal(KEY, seal(KEY, challenge), Purpose.INVITE, NOW_MS + CHALLENGE_TTL_S * 1000 - 1) == challenge


def test_every_challenge_is_another() -> None:
    assert len({new_challenge(Purpose.SIGN_IN, NOW_MS).nonce for _ in range(100)}) == 100


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.SIGN_IN])
def test_a_note_opens_for_one_purpose(purpose: Purpose) -> None:
    with pytest.raises(Declined, match="wrong challenge type"):
        unseal(KEY, seal(KEY, new_challenge(Purpose.SIGN_IN, NOW_MS)), purpose, NOW_MS)


def test_a_note_runs_out() -> None:
    with pytest.raises(Declined, match="challenge expired or invalid"):
        unseal(KEY, seal(KEY, new_challenge(Purpose.ADD, NOW_MS)), Purpose.ADD, NOW_MS + CHALLENGE_TTL_S * 1000)


def test_another_key_seals_nothing() -> None:
    with pytest.raises(Declined, match="challenge expired or invalid"):
        unseal(KEY, seal(OTHER, new_challenge(Purpose.SIGN_IN, NOW_MS)), Purpose.SIGN_IN, NOW_MS)


def test_a_note_of_the_longest_name_fits() -> None:
    challenge = new_challenge(Purpose.SET_UP, NOW_MS, user_id="u" * 36, username="\U0001f600" * 64, proof="a" * 64)

    assert len(seal(KEY, challenge)) <= NOTE_LENGTH_MAX


@given(st.data())
def test_a_note_with_one_byte_changed_does_not_open(data: st.DataObject) -> None:
    note = seal(KEY, new_challenge(Purpose.SIGN_IN, NOW_MS, user_id="u1"))
    raw = bytearray(base64.urlsafe_b64decode(note + "=" * (-len(note) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(Declined):
        unseal(KEY, base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), Purpose.SIGN_IN, NOW_MS)


@given(st.text(max_size=200))
def test_other_text_does_not_open(note: str) -> None:
    with pytest.raises(Declined):
        unseal(KEY, note, Purpose.SIGN_IN, NOW_MS)
