"""The search page, completion while typing, and the issues of the palette, in a real browser."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.survey import violations
from tests.chromium import Visit

FIELD = "Search events"
CHOSEN = '[aria-selected="true"]'


def events(page: Page) -> int:
    return page.locator("tbody tr").count()


def searched(page: Page) -> str:
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0]


def test_an_event_is_found_by_its_request_in_two_steps(visit: Visit) -> None:
    page = visit("/search?t=30d&q=has:request")
    request = page.locator('[data-name="Request"] a').first.get_attribute("title") or ""
    page.goto(page.url.split("/search")[0] + "/")

    page.keyboard.press("Control+k")
    page.keyboard.type(f"request:{request}")
    page.get_by_role("option", name="Search events").click()

    page.wait_for_url("**/search?**")
    assert searched(page) == f"request:{request}"


def test_every_fact_of_an_event_searches_for_it(visit: Visit) -> None:
    page = visit("/search?t=30d&project=checkout-api")
    status = page.locator('[data-name="HTTP"] a').first
    http = status.inner_text()

    status.click()
    page.wait_for_url("**q=http*")
    assert searched(page) == f"http:{http}"
    page.locator('[data-name="User"] a').first.click()
    page.wait_for_url("**user**")

    assert events(page) > 0
    assert set(page.locator('[data-name="HTTP"]').all_inner_texts()) == {http}
    assert len(set(page.locator('[data-name="User"]').all_inner_texts())) == 1


def test_a_key_and_a_value_are_completed_by_keyboard(visit: Visit) -> None:
    page = visit("/search?t=30d&project=checkout-api")
    field = page.get_by_role("combobox", name=FIELD)

    page.keyboard.press("/")
    expect(field).to_be_focused()
    field.press_sequentially("lev")
    expect(page.get_by_role("option")).to_have_text(["level:level"])
    expect(field).to_have_attribute("aria-expanded", "true")
    assert [found for found in violations(page) if "target-size" not in found] == []  # the list lies over some rows
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", page.locator(CHOSEN).get_attribute("id") or "")
    page.keyboard.press("Enter")
    expect(page.get_by_role("option", name="fatal")).to_be_visible()
    field.press_sequentially("fa")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")

    expect(field).to_have_value("level:fatal ")
    expect(page.get_by_role("listbox")).to_have_count(0)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?**level**")
    assert searched(page).strip() == "level:fatal"


def test_enter_without_a_choice_searches_for_what_was_typed_and_escape_closes(visit: Visit) -> None:
    page = visit("/search?t=30d")
    field = page.get_by_role("combobox", name=FIELD)

    field.press_sequentially("is:re")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    expect(field).to_have_value("is:re")
    field.fill("is:resolved")
    page.keyboard.press("Enter")

    page.wait_for_url("**/search?**is%3Aresolved**")


def test_completion_takes_the_middle_of_a_text_and_a_click(visit: Visit) -> None:
    page = visit("/search?t=30d")
    field = page.get_by_role("combobox", name=FIELD)
    field.fill("level:f env:production")
    field.evaluate("(field) => field.setSelectionRange(7, 7)")

    page.keyboard.press("ArrowDown")
    page.get_by_role("option", name="fatal").click()

    expect(field).to_have_value("level:fatal env:production")
    expect(field).to_be_focused()


def test_without_script_the_field_searches(visit: Visit) -> None:
    page = visit("/search?t=30d", java_script_enabled=False)

    page.get_by_role("searchbox", name=FIELD).fill("http:>=500")
    page.get_by_role("button", name="Search", exact=True).click()

    assert searched(page) == "http:>=500"
    assert events(page) > 0
    page.get_by_text("?", exact=True).click()
    expect(page.get_by_text("Events by tags and metadata")).to_be_visible()


def test_an_unknown_key_is_corrected_in_place(visit: Visit) -> None:
    page = visit("/search?q=reqest:r1")

    expect(page.get_by_role("alert")).to_contain_text("Did you mean request:?")
    expect(page.get_by_role("combobox", name=FIELD)).to_have_attribute("aria-invalid", "true")


def test_the_palette_finds_issues_by_words_and_by_id_and_remembers_them(visit: Visit) -> None:
    page = visit("/search")

    page.keyboard.press("Control+k")
    page.keyboard.type("reading 'price'")
    first = page.get_by_role("dialog").get_by_role("option").first
    expect(first).to_contain_text(re.compile(r"WEB-SHOP-\d+"))
    short_id = first.locator("code").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/issues/{short_id}")
    page.wait_for_load_state()
    page.keyboard.press("Control+k")
    expect(first).to_contain_text(short_id)
    page.keyboard.type(short_id.lower())
    expect(first).to_contain_text(short_id)


@pytest.mark.parametrize("path", ["/search?t=30d", "/search?project=hostile"])
def test_a_phone_shows_every_fact_and_nothing_runs_over(visit: Visit, path: str) -> None:
    page = visit(path)
    page.set_viewport_size({"width": 360, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator('td[data-name="Request"]').first.is_visible()
