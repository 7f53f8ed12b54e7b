"""The pages in a real Chromium: what a person does, with and without JavaScript, and what hostile events cannot do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bloop import clock
from bloop.config import Auth, RateLimit, Settings
from bloop.config import Database as DatabaseSettings
from bloop.pages.render import Renderer
from bloop.storage.sessions import create_session
from bloop.web.dashboard_app import create_dashboard_app
from bloop.web.database import Database
from bloop.web.deps import Deps
from tests.seeding import Seeder
from tests.unit.pages.test_render import XSS

pytestmark = pytest.mark.browser

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
window.bloopFound = [];
addEventListener("securitypolicyviolation", (e) => bloopFound.push(`${e.violatedDirective} ${e.blockedURI}`));
window.alert = (text) => bloopFound.push(`alert ${text}`);
"""


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """Answers the page and its assets side by side."""


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class Site:
    """The dashboard app on a free port of loopback, with a month of demo events and one hostile project."""

    def __init__(self, folder: Path) -> None:
        path, now_ms = folder / "bloop.db", clock.now_ms()
        seeder = Seeder(path, now_ms)
        seeder.demo(issues=60, events=1500)
        seeder.project("empty", "Empty")
        seeder.project("hostile", "Hostile <b>&amp;")
        seeder.store(hostile_events(now_ms))
        seeder.close()
        self.database = Database(path, pool_size=4, query_timeout_ms=5000)
        self.server = make_server("127.0.0.1", 0, None, server_class=ThreadingServer, handler_class=Quiet)  # type: ignore[arg-type]
        self.url = f"http://localhost:{self.server.server_port}"
        settings = Settings(
            auth=Auth(hmac_secret="s" * 40, rp_origin=self.url),
            database=DatabaseSettings(path=str(path)),
            rate_limit=RateLimit(auth_per_second=0),
        )
        deps = Deps(
            settings=settings,
            database=self.database,
            ring_stat=lambda: None,
            bump_generation=lambda: None,
            render=Renderer(),
            now_ms=clock.now_ms,
        )
        app, _ = create_dashboard_app(deps)
        self.server.set_app(app)
        self.cookie = self.database.change(lambda db: create_session(db, None, now_ms=now_ms, ttl_s=3600))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.database.close()


def hostile_events(now_ms: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    """An event per payload, with the payload in every field that takes text, and words longer than any screen."""
    for number, payload in enumerate((*XSS, "W" * 120)):
        text = payload.replace("\x00", "")
        stack = f"{text}\n    at {text} (https://x.example/{text}.js:1:2)\n    at ok (/srv/app.js:1:2)"
        body = {
            "timestamp": now_ms - 1000 * number,
            "source": "web",
            "error_type": f"E{number}{text}",
            "stack": stack,
            "metadata": {text: text, "nested": {text: [text]}},
        }
        names = ("environment", "release", "message", "route_or_procedure", "screen", "request_id", "user_id_hash")
        yield "hostile", body | dict.fromkeys(names, text), now_ms - 1000 * number


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(site: Site, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a path in a context of its own, signed in; afterwards nothing may have broken the content policy."""
    contexts: list[BrowserContext] = []
    pages: list[Page] = []
    complaints: list[str] = []

    def open_path(path: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.add_cookies([{"name": "bloop_session", "value": site.cookie, "url": site.url}])
        context.add_init_script(WATCH)
        page = context.new_page()
        pages.append(page)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.on("console", lambda m: complaints.append(m.text) if "Content Security Policy" in m.text else None)
        page.goto(site.url + path)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert complaints == []


def overflow_px(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def lightness(page: Page) -> float:
    """Of the page's background, 0 black to 1 white."""
    return float(
        page.evaluate("""() => {
            const context = document.createElement("canvas").getContext("2d");
            context.fillStyle = getComputedStyle(document.body).backgroundColor;
            context.fillRect(0, 0, 1, 1);
            const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
            return (red + green + blue) / 765;
        }""")
    )


def test_from_the_list_to_a_resolved_issue(visit: Callable[..., Page], site: Site) -> None:
    page = visit("/?project=worker")
    page.get_by_label("Search issues").fill("deadlock")
    page.get_by_label("Search issues").press("Enter")
    page.wait_for_url("**/?*q=deadlock*")
    expect(page.locator("li.issue")).to_have_count(1)

    page.get_by_role("link", name="ActiveRecord::Deadlocked").click()
    expect(page.locator(".status")).to_have_text("Unresolved")
    expect(page.locator(".frame-app").first).to_contain_text("StockLevel#reserve!")
    page.get_by_role("button", name="Resolve").click()

    expect(page.locator(".status")).to_have_text("Resolved")
    expect(page.locator(".history li").first).to_contain_text("Resolved by operator")
    page.goto(f"{site.url}/?project=worker&tab=resolved")
    expect(page.locator("li.issue", has_text="ActiveRecord::Deadlocked")).to_be_visible()


def test_a_changed_select_filters_at_once_and_keeps_the_url_short(visit: Callable[..., Page]) -> None:
    page = visit("/?project=web-shop&tab=all")

    page.get_by_label("Environment").select_option("preview")

    page.wait_for_url("**/?project=web-shop&tab=all&environment=preview")
    page.get_by_role("link", name="Remove filter Environment preview").click()
    page.wait_for_url("**/?project=web-shop&tab=all")


def test_everything_works_without_javascript(visit: Callable[..., Page]) -> None:
    page = visit("/?project=checkout-api", java_script_enabled=False)
    page.get_by_label("Environment").select_option("staging")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="IntegrityError").click()

    page.get_by_role("link", name="First event", exact=True).click()
    expect(page.locator(".event-position")).to_contain_text("1 of ")
    page.locator(".frame-fold summary").first.click()
    expect(page.locator(".frame-fold .frame").first).to_be_visible()
    page.get_by_text("Raw text, as received").click()
    expect(page.locator("#raw-stack")).to_contain_text("Traceback (most recent call last)")
    page.get_by_role("button", name="Mute").click()

    expect(page.locator(".status")).to_have_text("Muted")
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)


def test_colours_follow_the_system_until_the_toggle_says_otherwise(visit: Callable[..., Page]) -> None:
    dark = visit("/", color_scheme="dark")
    assert lightness(dark) < 0.2
    page = visit("/", color_scheme="light")
    assert lightness(page) > 0.8
    toggle = page.locator("[data-theme-toggle]")

    toggle.click()
    toggle.click()

    expect(toggle).to_contain_text("Dark")
    assert lightness(page) < 0.2
    page.reload()
    assert lightness(page) < 0.2


@pytest.mark.parametrize("width", [320, 768])
def test_nothing_is_wider_than_a_narrow_screen(visit: Callable[..., Page], site: Site, width: int) -> None:
    page = visit("/", viewport={"width": width, "height": 700})
    paths = ["/", "/?project=empty", "/?project=hostile", "/?q=none&release=x", "/issues/WEB-SHOP-1", "/issues/NONE-1"]
    paths += [f"/issues/HOSTILE-{number}" for number in (1, len(XSS) + 1)]

    for path in paths:
        page.goto(site.url + path)
        assert overflow_px(page) == 0, path


def test_hostile_events_run_nothing_and_break_no_policy(visit: Callable[..., Page], site: Site) -> None:
    page = visit("/?project=hostile")
    expect(page.locator("li.issue")).to_have_count(len(XSS) + 1)
    assert page.evaluate("bloopFound") == []

    for number in range(1, len(XSS) + 1):
        page.goto(f"{site.url}/issues/HOSTILE-{number}")
        expect(page.locator(".issue-page")).to_be_visible()
        for summary in page.locator("summary").all():
            summary.evaluate("element => element.parentElement.open = true")
        assert page.evaluate("bloopFound") == []
        assert page.locator("main script, main iframe, main img, main [onerror], main [onload]").count() == 0
    page.goto(f"{site.url}/?q=%3Cscript%3Ealert(1)%3C/script%3E&release=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E")
    assert page.evaluate("bloopFound") == []


def test_the_keyboard_finds_the_content_and_shows_exact_times(visit: Callable[..., Page]) -> None:
    page = visit("/?project=web-shop")

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(".issue-title").first.focus()

    shown = page.locator("li.issue").first.locator("time").first.evaluate("e => getComputedStyle(e, '::after').content")
    assert "UTC" in shown
    page.locator(".project-menu summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".project-menu .menu-list")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".project-menu .menu-list")).to_be_hidden()
