"""Who we are to the browser; the ceremonies themselves are in tests/integration/api/test_passkeys.py."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest

from bloop.accounts.passkeys.webauthn import RelyingParty, credential_id_of, handle_of


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("https://errors.example.com", "https://errors.example.com"),
        ("https://Errors.Example.COM/", "https://errors.example.com"),
        ("https://errors.example.com:443", "https://errors.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:5332", "http://localhost:5332"),
        ("https://errors.example.com:8443/", "https://errors.example.com:8443"),
        ("http://[::1]:5332", "http://[::1]:5332"),
    ],
)
def test_the_origin_is_written_as_browsers_write_it(configured: str, expected: str) -> None:
    assert RelyingParty.of("X", configured) == RelyingParty("x", expected)


def test_a_handle_is_the_bytes_of_the_id_and_never_too_long() -> None:
    user_id = str(uuid.uuid4())

    assert handle_of(user_id) == uuid.UUID(user_id).bytes
    assert handle_of("test-user") == b"test-user"
    assert len(handle_of("x" * 100)) == 64


@pytest.mark.parametrize("answer", [{}, {"id": None}, {"id": 7}, {"id": "é"}, {"id": "a b"}, {"id": "A"}])
def test_an_answer_without_a_credential_names_none(answer: dict[str, object]) -> None:
    assert credential_id_of(answer) == b""


def test_the_library_that_verifies_is_not_loaded_with_the_app() -> None:
    code = "import sys, workers.dashboard; from bloop import features; features.mounts(); print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()

    assert not {"webauthn", "cryptography", "cbor2"} & set(loaded)
