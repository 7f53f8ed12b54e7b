"""One site and one Chromium for all tests here; a page of any test that breaks the content policy fails it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from tests.browser.site import Site, fresh, hostile

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 10_000
WATCH = """
addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`));
window.alert = (text) => console.error(`alert: ${text}`);
"""
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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Complaints(list[str]):
    """What a browser has to say about its pages: broken policies, errors of scripts, dialogs, missing files."""

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(WATCH)
        context.on("weberror", lambda error: self.append(f"error: {error.error}"))
        context.on("dialog", lambda dialog: (self.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        context.on("console", self._console)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # The status of a page one asked for is not a complaint; a missing file is one, below.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.append(f"console: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type in ("stylesheet", "script", "image", "font"):
            self.append(f"{response.status}: {response.url}")


@pytest.fixture
def visit(site: Site, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a path of a site in a context of its own, signed in; in the end nothing may have been complained of."""
    contexts: list[BrowserContext] = []
    complaints = Complaints()

    def open_path(path: str, at: Site = site, **options: Any) -> Page:
        context = chromium.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.add_cookies([{"name": "bloop_session", "value": at.cookie, "url": at.url}])
        complaints.watch(context)
        page = context.new_page()
        page.goto(at.url + path)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert complaints == []
