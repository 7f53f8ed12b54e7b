"""What people come for, in the fewest interactions: each test counts them, and fails when a task takes more.

An interaction is a click, a choice in a menu (opening and choosing), a field that is filled and sent, or a key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from bloop.accounts.people.store import create_user
from bloop.base.clock import DAY_MS, MINUTE_MS
from bloop.db import connection
from tests.browser.site import Filled, Site, session
from tests.chromium import Visit, visiting
from tests.seeding import Seeder

TRIAGED = 20
REQUEST = "req-7f3a9c21"


def events(now_ms: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Twenty issues of production of old, five more since this hour's release, three of them in production too."""

    def event(number: int, at_ms: int, **fields: str) -> tuple[str, dict[str, Any], int]:
        body = {
            "timestamp": at_ms,
            "source": "web",
            "environment": "production",
            "release": "1.9.0",
            "error_type": f"Error{chr(65 + number)}",
            "message": "cannot load the cart",
            "request_id": f"req-{number}-{at_ms}",
            **fields,
        }
        return "shop", body, at_ms

    for number in range(TRIAGED):
        yield event(number, now_ms - DAY_MS // 2 - number * MINUTE_MS)
    yield event(3, now_ms - DAY_MS // 3, request_id=REQUEST)
    for number in range(TRIAGED, TRIAGED + 3):
        yield event(number, now_ms - number * MINUTE_MS, release="2.0.0")
    for number in range(TRIAGED + 3, TRIAGED + 5):
        yield event(number, now_ms - number * MINUTE_MS, release="2.0.0", environment="staging")


def fill(seeder: Seeder) -> Filled:
    seeder.project("shop", "Shop")
    seeder.store(events(seeder.now_ms))
    with connection.immediate(seeder.db):
        create_user(seeder.db, username="ada", now_ms=seeder.now_ms, user_id="u0")
        return Filled(session(seeder, "u0"), {})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("shop"), fill)
    yield made
    made.stop()


@pytest.fixture
def open_shop(shop: Site, chromium: Browser) -> Iterator[Visit]:
    with visiting(chromium, shop.url, shop.cookie) as visit:
        yield visit


class Interactions:
    """Does what a person does, and counts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.count = 0

    def choose(self, now: str, choice: str) -> None:
        """Another value in the scope bar, in place of what it says now."""
        self.count += 1
        bar = self.page.get_by_role("region", name="Scope")
        bar.locator("summary:visible").filter(has_text=now).click()
        bar.get_by_role("link", name=choice, exact=True).click()

    def click(self, name: str | re.Pattern[str]) -> None:
        self.count += 1
        self.page.get_by_role("link", name=name).locator("visible=true").first.click()

    def search(self, text: str) -> None:
        self.count += 1
        field = self.page.locator("main input[name=q]")
        field.fill(text)
        field.press("Enter")

    def press(self, key: str) -> None:
        self.count += 1
        self.page.locator("[data-keys-help]:not([hidden])").first.wait_for(state="attached")
        self.page.keyboard.press(key)


@pytest.mark.parametrize("script", [True, False], ids=["", "without-script"])
def test_the_event_of_a_request_is_two_interactions_away(open_shop: Visit, script: bool) -> None:
    person = Interactions(open_shop("/?project=shop", java_script_enabled=script))

    person.search(f"request:{REQUEST}")
    person.click(re.compile("ErrorD"))

    expect(person.page.locator("main")).to_contain_text(REQUEST)
    assert person.count <= 2


def test_the_palette_finds_the_event_of_a_request(open_shop: Visit) -> None:
    person = Interactions(open_shop("/"))

    person.press("Control+k")
    person.page.keyboard.type(f"request:{REQUEST}")
    person.press("Enter")

    expect(person.page.locator("main")).to_contain_text(REQUEST)


@pytest.mark.parametrize("script", [True, False], ids=["", "without-script"])
def test_what_is_new_in_a_release_in_production_this_hour_is_three_interactions_away(
    open_shop: Visit, script: bool
) -> None:
    person = Interactions(open_shop("/?project=shop", java_script_enabled=script))

    person.choose("All environments", "production")
    person.click("1h")
    person.click(re.compile("New in 2.0.0"))

    expect(person.page.locator("li.row")).to_have_count(3)
    expect(person.page.locator(".pager")).to_contain_text("1–3 of 3")
    assert person.count <= 3


def test_twenty_issues_are_resolved_and_each_is_undone(open_shop: Visit, shop: Site) -> None:
    """One by one the cursor goes on by itself; together it is three keys, and one that undoes them all."""
    address = "/?project=shop&release=1.9.0"
    person = Interactions(open_shop(address))
    rows = person.page.locator("li.row")
    expect(rows).to_have_count(TRIAGED)

    person.press("*")
    person.press("r")

    expect(person.page.locator("[data-toast]")).to_contain_text(f"{TRIAGED} issues resolved.")
    expect(rows).to_have_count(0)
    person.press("u")
    expect(rows).to_have_count(TRIAGED)
    assert person.count <= TRIAGED

    person.press("j")
    for left in range(TRIAGED - 1, TRIAGED - 6, -1):
        person.press("r")
        expect(rows).to_have_count(left)
        person.press("u")
        expect(rows).to_have_count(left + 1)
        person.press("r")
        expect(rows).to_have_count(left)


def test_a_phone_reaches_the_first_frame_and_every_area_with_a_thumb(open_shop: Visit) -> None:
    page = open_shop("/?project=shop", viewport={"width": 360, "height": 740})
    first = page.locator("li.row").first.bounding_box()
    assert first is not None
    assert first["y"] <= 200
    page.locator("li.row a").first.click()
    page.wait_for_url("**/issues/*")
    page.wait_for_load_state()
    small = page.evaluate("""[...document.querySelectorAll(
        ".tabbar a, .tabbar summary, .head .actions :is(button, summary), .event-nav .group a, .event-nav button"
    )].filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 39.9).map((e) => e.outerHTML)""")

    assert small == []
    for area in ("Issues", "Search", "Alerts", "More"):
        expect(page.get_by_role("navigation", name="Main, phone").get_by_text(area, exact=True)).to_be_visible()
