"""A real Chromium for tests, and what it has to say about the pages it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

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
_WATCH = """
addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`));
window.alert = (text) => console.error(`alert: ${text}`);
"""

Visit = Callable[..., Page]


class Complaints(list[str]):
    """What a browser has to say about its pages: broken policies, errors of scripts, dialogs, missing files."""

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(_WATCH)
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


@contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def contexts(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes contexts; in the end none of their pages may have complained."""
    complaints = Complaints()
    with ExitStack() as closing:

        def make(**options: Any) -> BrowserContext:
            context = chromium.new_context(**options)
            closing.callback(context.close)
            context.set_default_timeout(WAIT_MS)
            complaints.watch(context)
            return context

        yield make
    assert complaints == []


@contextmanager
def visiting(chromium: Browser, url: str, cookie: str) -> Iterator[Visit]:
    """Opens a path below `url` in a context of its own, signed in by the cookie."""
    with contexts(chromium) as make:

        def visit(path: str, **options: Any) -> Page:
            context = make(**options)
            context.add_cookies([{"name": "bloop_session", "value": cookie, "url": url}])
            page = context.new_page()
            page.goto(url + path)
            return page

        yield visit
