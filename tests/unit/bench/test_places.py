"""Load goes to this machine, unless somebody says twice that another one is meant."""

from __future__ import annotations

import pytest

from bloop.base.errors import BloopError
from bloop.bench.places import find_target
from tests.unit.bench.stub_server import StubServer


def test_a_bloop_on_this_machine_is_found() -> None:
    server = StubServer()
    with server.serving():
        target = find_target(f"http://localhost:{server.port}/", key="bloop_k", secret="", really="")

    assert (target.host, target.port, target.secret, target.project_key) == (
        "127.0.0.1",
        server.port,
        "bloop_k",
        "bloop_k",
    )
    assert server.requests[0].startswith(b"GET /health ")


@pytest.mark.parametrize("really", ["", "example.com", "192.0.2.2"])
def test_another_machine_needs_its_name_once_more(really: str) -> None:
    with pytest.raises(BloopError, match="is not this machine"):
        find_target("http://192.0.2.1:5332", key="k", secret="", really=really)


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        ("https://localhost", "k", "http://HOST:PORT"),
        ("localhost:5332", "k", "http://HOST:PORT"),
        ("http://localhost:5332/v1", "k", "http://HOST:PORT"),
        ("http://localhost:5332", "", "--key-file"),
    ],
)
def test_what_cannot_be_a_target_is_said(url: str, key: str, said: str) -> None:
    with pytest.raises(BloopError, match=said):
        find_target(url, key=key, secret="", really="")


def test_nothing_at_an_address_is_said() -> None:
    server = StubServer()
    with server.serving():
        port = server.port

    with pytest.raises(BloopError, match="nothing answers"):
        find_target(f"http://127.0.0.1:{port}", key="k", secret="", really="")
