"""Acceptance tests start real processes. They share one test worker, so that they do not starve each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.acceptance.harness import BloopServer
from tests.chromium import Visit, launched, visiting

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("processes"))


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., BloopServer]]:
    """Makes quiet servers, not started yet; afterwards every one is ended and nothing is left."""
    servers: list[BloopServer] = []

    def make(name: str = "a", **variables: str) -> BloopServer:
        servers.append(BloopServer(tmp_path / name, quiet=True, **variables))
        return servers[-1]

    yield make
    for server in servers:
        server.remove_traces()


@pytest.fixture
def server(make_server: Callable[..., BloopServer]) -> BloopServer:
    """A running server."""
    return make_server().start()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BloopServer]:
    """A running server shared by a module, for tests that leave it intact."""
    server = BloopServer(tmp_path_factory.mktemp("server"))
    try:
        yield server.start()
    finally:
        server.remove_traces()


# Tests of pages: a module may define another `bloop`, or sign in another user as `cookie`.


@pytest.fixture(scope="module")
def bloop(shared_server: BloopServer) -> BloopServer:
    return shared_server


@pytest.fixture(scope="module")
def cookie(bloop: BloopServer) -> str:
    return bloop.session()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(bloop: BloopServer, cookie: str, chromium: Browser) -> Iterator[Visit]:
    with visiting(chromium, f"http://localhost:{bloop.port}", cookie) as visit:
        yield visit
