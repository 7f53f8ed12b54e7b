"""One site and one Chromium for all tests here; a page of any test that breaks the content policy fails it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.site import Site, fresh, hostile
from tests.chromium import Visit, launched, visiting

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"), hostile)
    yield made
    made.stop()


@pytest.fixture(scope="package")
def fresh_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Where nobody has an account yet, nothing has arrived, and the buffer is missing."""
    made = Site(tmp_path_factory.mktemp("fresh"), fresh, has_ring=False)
    yield made
    made.stop()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def visit(site: Site, chromium: Browser) -> Iterator[Visit]:
    with visiting(chromium, site.url, site.cookie) as visit:
        yield visit
