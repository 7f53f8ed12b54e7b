"""What a person does with the pages, with and without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.chromium import Visit


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


def test_from_the_list_to_a_resolved_issue(visit: Visit, site: Site) -> None:
    page = visit("/?project=worker")
    page.get_by_label("Filter issues").fill("deadlock")
    page.get_by_label("Filter issues").press("Enter")
    page.wait_for_url("**/?*q=deadlock*")
    expect(page.locator("li.row")).to_have_count(1)

    page.get_by_role("link", name="ActiveRecord::Deadlocked").click()
    expect(page.locator(".stack").first).to_contain_text("StockLevel#reserve!")
    page.get_by_role("button", name="Resolve", exact=True).click()

    expect(page.locator(".crumb-nav")).to_contain_text("Resolved")
    expect(page.locator(".activity")).to_contain_text("Resolved by ada")
    page.goto(f"{site.url}/?project=worker&tab=resolved")
    expect(page.locator("li.row", has_text="ActiveRecord::Deadlocked")).to_be_visible()


def test_another_environment_keeps_the_tab_and_the_url_short(visit: Visit) -> None:
    page = visit("/?project=web-shop&tab=all")
    bar = page.get_by_role("region", name="Scope")

    bar.get_by_text("All environments").first.click()
    bar.get_by_role("link", name="preview").click()

    page.wait_for_url("**/?project=web-shop&env=preview&tab=all")
    bar.locator("summary:visible").filter(has_text="preview").click()
    bar.get_by_role("link", name="All environments").click()
    page.wait_for_url("**/?project=web-shop&tab=all")


def test_everything_works_without_javascript(visit: Visit) -> None:
    page = visit("/?project=checkout-api&env=staging&t=30d", java_script_enabled=False)
    page.get_by_role("link", name="IntegrityError").click()

    page.get_by_role("link", name="First event", exact=True).click()
    expect(page.locator(".event-nav b")).to_contain_text("Event 1 of ")
    page.locator(".frame-lib summary").first.click()
    expect(page.locator(".frame-lib li").first).to_be_visible()
    page.get_by_text("Raw", exact=True).click()
    expect(page.locator(".raw").first).to_contain_text("Traceback (most recent call last)")
    page.locator(".actions summary", has_text="Mute").click()
    page.get_by_role("button", name="Until you unmute it").click()

    expect(page.locator(".crumb-nav")).to_contain_text("Muted")
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)


def test_colours_follow_the_system_until_the_toggle_says_otherwise(visit: Visit) -> None:
    dark = visit("/", color_scheme="dark")
    assert lightness(dark) < 0.2
    page = visit("/", color_scheme="light")
    assert lightness(page) > 0.8
    toggle = page.locator("[data-theme-toggle]")

    page.locator(".rail-you summary").click()
    toggle.click()
    toggle.click()

    expect(toggle).to_contain_text("Dark")
    assert lightness(page) < 0.2
    page.reload()
    assert lightness(page) < 0.2


def test_the_keyboard_finds_the_content_and_times_are_exact(visit: Visit) -> None:
    page = visit("/?project=web-shop")

    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    expect(page.locator("li.row time").first).to_have_attribute("datetime", re.compile("^\\d{4}-.*Z$"))
    page.locator(".rail-switch summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".rail-switch .pop")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".rail-switch .pop")).to_be_hidden()


def test_a_part_of_a_chart_becomes_the_time_range(visit: Visit) -> None:
    page = visit("/kit?t=7d&q=cart&before=9.x.9")
    chart = page.locator(".pulse [data-brush]")
    box = chart.bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.up()

    expect(page).to_have_url(re.compile(r"/kit\?t=\d{4}-\d\d-\d\dT\d\d%3A\d\d\.\.[^&]+&q=cart$"))
    expect(page.get_by_role("region", name="Scope").get_by_text("–").first).to_be_visible()


def test_a_collapsed_rail_stays_collapsed(visit: Visit) -> None:
    page = visit("/kit")

    page.keyboard.press("[")
    page.reload()

    assert page.evaluate("document.documentElement.dataset.rail") == "small"
    page.keyboard.press("[")
    expect(page.locator(".rail .label").first).to_be_visible()


def test_the_look_needs_no_script(visit: Visit, site: Site) -> None:
    page = visit("/settings/appearance", java_script_enabled=False)

    page.get_by_text("Dark").click()
    page.get_by_role("button", name="Save").click()

    expect(page).to_have_url(f"{site.url}/settings/appearance")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_project_menu_is_narrowed_by_typing(visit: Visit) -> None:
    page = visit("/kit")

    page.keyboard.press("s")
    expect(page.get_by_label("Filter projects")).to_be_focused()
    page.keyboard.type("hostile")

    lines = page.locator(".project-list li:visible")
    expect(lines).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"project=hostile"))


def test_a_question_comes_before_what_cannot_be_undone(visit: Visit) -> None:
    page = visit("/kit")

    page.get_by_role("button", name="Rotate key").click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("path", ["/?project=web-shop", "/issues/WEB-SHOP-1"])
def test_paper_has_the_content_in_dark_ink_and_no_frame(visit: Visit, path: str) -> None:
    page = visit(path, color_scheme="dark")

    page.emulate_media(media="print")

    for hidden in (".rail", ".tabbar", ".actions", ".scope-end"):
        expect(page.locator(f"{hidden}:visible")).to_have_count(0)
    expect(page.locator("h1")).to_be_visible()
    assert lightness(page) > 0.9
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_right_to_left_text_reorders_nothing_around_it(visit: Visit) -> None:
    """The message is Arabic: its row still begins with the type, and its number stands at the right end."""
    page = visit("/?project=web-shop&q=FormatError&t=30d")
    row = page.locator("li.row")
    expect(row).to_have_count(1)

    boxes = [row.locator(part).first.bounding_box() for part in (".row-title b", ".row-title bdi", ".figures .num")]

    lefts = [box["x"] for box in boxes if box]
    assert lefts == sorted(lefts)
    assert len(lefts) == 3
