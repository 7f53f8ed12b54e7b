"""What an action leaves behind on the page: the toast, its undo, and lists that are saved. With script and without."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.survey import violations
from tests.chromium import Visit

LIST = "/?project=checkout-api&t=30d"
TEN_S = 10_000


def resolve_first(page: Page) -> str:
    """Tick the first row, resolve it; its short id."""
    tick = page.locator('input[name="issue"]').first
    short_id = tick.get_attribute("value")
    assert short_id is not None
    tick.check()
    page.get_by_role("button", name="Resolve", exact=True).click()
    expect(page.locator("[data-toast]")).to_contain_text(f"{short_id} resolved.")
    return short_id


def test_a_toast_goes_after_ten_seconds_and_waits_while_it_is_pointed_at(visit: Visit) -> None:
    page = visit(LIST)
    page.clock.install()
    resolve_first(page)
    toast = page.locator("[data-toast]")

    toast.hover()
    page.clock.fast_forward(2 * TEN_S)
    expect(toast).to_be_visible()
    assert violations(page, within="[data-toast]") == []
    page.mouse.move(5, 5)
    page.clock.fast_forward(TEN_S - 1000)
    expect(toast).to_be_visible()
    page.clock.fast_forward(2000)
    expect(toast).to_have_count(0)


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "none"])
def test_an_action_is_undone_and_done_again_from_its_toast(visit: Visit, has_script: bool) -> None:
    page = visit(LIST, java_script_enabled=has_script)
    short_id = resolve_first(page)
    row = page.locator(f'input[name="issue"][value="{short_id}"]')
    expect(row).to_have_count(0)

    page.get_by_role("button", name="Undo").click()
    expect(row).to_have_count(1)
    expect(page.locator("[data-toast]")).to_contain_text(f"Undone: {short_id} put back.")
    page.get_by_role("button", name="Redo").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Redo").click()  # the redo is an undo, and what undoes it does it again

    expect(row).to_have_count(1)


def test_a_reloaded_page_says_it_once(visit: Visit) -> None:
    page = visit(LIST)
    resolve_first(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-toast]")).to_have_count(1)

    page.reload()

    expect(page.locator("[data-toast]")).to_have_count(0)


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "none"])
def test_a_list_is_saved_opened_from_the_rail_renamed_and_deleted(visit: Visit, has_script: bool) -> None:
    page = visit(f"{LIST}&tab=muted", java_script_enabled=has_script)
    name = f"Quiet checkout {has_script}"

    page.locator("summary", has_text="Save view").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Save view").click()
    expect(page.locator("[data-toast]")).to_contain_text("View saved.")
    page.goto(page.url.split("/?")[0] + "/settings/views")
    page.locator("summary", has_text=f"Change: {name}").click()
    change = page.locator("details[open]").last
    change.get_by_label("Name").fill(f"{name} now")
    change.get_by_role("button", name="Rename view").click()
    page.get_by_role("link", name=f"{name} now").last.click()
    expect(page).to_have_url(re.compile("project=checkout-api&.*tab=muted"))
    page.goto(page.url.split("/?")[0] + "/settings/views")
    page.locator("summary", has_text=f"Change: {name} now").click()
    page.locator("details[open]").last.get_by_role("button", name="Delete view").click()

    expect(page.get_by_role("link", name=f"{name} now")).to_have_count(0)


def test_a_project_is_pinned_and_comes_first(visit: Visit) -> None:
    page = visit(LIST)
    switcher = page.locator(".rail-switch > summary")

    switcher.click()
    page.get_by_role("button", name="Pin iOS app").click()
    switcher.click()

    pinned = page.locator('.project-list [data-group="Pinned"]')
    expect(pinned.last).to_contain_text("iOS app")
    page.get_by_role("button", name="Pin iOS app", pressed=True).click()
    switcher.click()
    expect(page.locator('.project-list [data-group="Pinned"]', has_text="iOS app")).to_have_count(0)
