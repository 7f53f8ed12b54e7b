"""The dashboard by keyboard only, and the keys it leaves alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.chromium import Visit

MANUAL = Path(__file__).parents[2] / "docs/dashboard.md"
CURSOR = "li.issue.is-cursor"
CHOSEN = "dialog [role=option][aria-selected=true]"


def press(page: Page, *keys: str) -> None:
    page.locator("[data-keys-help]:not([hidden])").wait_for(state="attached")  # shown by the script once it listens
    for key in keys:
        page.keyboard.press(key)


def cursor(page: Page) -> int:
    """Which row it is on, from 0; -1 without one."""
    return int(page.evaluate("[...document.querySelectorAll('li.issue')].findIndex((e) => e.matches('.is-cursor'))"))


def send_key(page: Page, **fields: object) -> bool:
    """Fire a keydown that no keyboard of a test has, at the element in focus; whether the page took it."""
    return not page.evaluate(
        """(fields) => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...fields }))""",
        fields,
    )


def test_the_cursor_moves_is_seen_and_is_the_focus(visit: Visit) -> None:
    page = visit("/?project=web-shop")

    press(page, "j", "j", "j", "k")

    assert cursor(page) == 1
    expect(page.locator(CURSOR).locator(".issue-title")).to_be_focused()
    assert "inset" in page.locator(CURSOR).evaluate("e => getComputedStyle(e).boxShadow")
    press(page, "k", "k", "k")
    assert cursor(page) == 0


def test_arrows_move_the_cursor_once_it_is_in_use_and_scroll_before(visit: Visit) -> None:
    page = visit("/?project=web-shop")

    press(page, "ArrowDown")
    assert cursor(page) == -1
    press(page, "j", "ArrowDown", "ArrowDown", "ArrowUp")

    assert cursor(page) == 1


def test_tab_takes_the_cursor_along(visit: Visit) -> None:
    page = visit("/?project=web-shop")
    page.locator(".issue-title").nth(3).focus()

    press(page, "j")

    assert cursor(page) == 4


@pytest.mark.parametrize("key", ["o", "Enter"])
def test_opening_and_going_up_comes_back_to_the_same_place(visit: Visit, site: Site, key: str) -> None:
    page = visit("/?project=web-shop&sort=events", viewport={"width": 900, "height": 400})
    press(page, *["j"] * 8)
    scrolled, opened = page.evaluate("scrollY"), page.locator(CURSOR).locator(".short-id").text_content()
    assert scrolled > 100

    press(page, key)
    expect(page.locator("#short-id")).to_have_text(opened or "")
    press(page, "p")
    page.wait_for_url("**/events/*")
    press(page, "u")

    page.wait_for_url("**/?project=web-shop&sort=events")
    expect(page.locator(CURSOR).locator(".short-id")).to_have_text(opened or "")
    expect(page.locator(CURSOR).locator(".issue-title")).to_be_focused()
    assert page.evaluate("scrollY") == scrolled


def test_up_from_an_issue_opened_by_its_address_leads_to_its_project(visit: Visit, site: Site) -> None:
    page = visit("/?project=web-shop&tab=all")
    page.goto(f"{site.url}/issues/WORKER-1")

    press(page, "u")

    page.wait_for_url("**/?project=worker")


def test_up_from_a_tab_of_its_own_leads_to_the_list_the_link_was_in(visit: Visit) -> None:
    page = visit("/?project=web-shop&sort=events")
    with page.context.expect_page() as opened:
        page.locator(".issue-title").first.click(modifiers=["ControlOrMeta"])
    tab = opened.value
    expect(tab.locator("#short-id")).to_be_visible()

    press(tab, "u")

    tab.wait_for_url("**/?project=web-shop&sort=events")
    assert cursor(tab) == 0


def test_p_and_n_walk_the_events_and_stop_at_the_ends(visit: Visit) -> None:
    page = visit("/issues/WEB-SHOP-1?t=30d")
    position = page.locator(".event-nav b")
    newest = position.text_content() or ""

    press(page, "n")
    press(page, "p")
    page.wait_for_url("**/events/*")
    expect(position).not_to_have_text(newest)
    press(page, "n")

    expect(position).to_have_text(newest)


def test_j_and_k_walk_the_list_that_an_issue_was_opened_from(visit: Visit) -> None:
    page = visit("/?project=web-shop&tab=all&t=30d")
    ids = page.locator(".row-meta .id").all_text_contents()
    page.locator(".row-title a").nth(1).click()
    expect(page.locator("#short-id")).to_have_text(ids[1])

    press(page, "j")
    expect(page.locator("#short-id")).to_have_text(ids[2])
    press(page, "k")
    expect(page.locator("#short-id")).to_have_text(ids[1])
    press(page, "k")
    expect(page.locator("#short-id")).to_have_text(ids[0])
    press(page, "k")
    press(page, "u")

    page.wait_for_url("**/?project=web-shop&tab=all&t=30d")


@pytest.mark.parametrize(("key", "status"), [("m", "Muted"), ("i", "Ignored"), ("r", "Resolved")])
def test_one_key_sets_the_status_of_an_issue_and_o_reopens_it(visit: Visit, site: Site, key: str, status: str) -> None:
    page = visit(site.open_issue("ios-app"))

    press(page, key)
    expect(page.locator(".crumb-nav .badge").first).to_have_text(status)
    press(page, "o")

    expect(page.get_by_role("button", name="Resolve", exact=True)).to_be_visible()


def test_slash_searches_and_does_not_type_itself(visit: Visit) -> None:
    page = visit("/?project=web-shop&q=cart")

    press(page, "/")

    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    page.keyboard.type("jx?")
    expect(field).to_have_value("jx?")  # what was in it was selected
    assert cursor(page) == -1


def test_g_is_the_first_of_two_keys(visit: Visit, site: Site) -> None:
    page = visit("/ledger")

    press(page, "g", "i")
    page.wait_for_url(f"{site.url}/")
    press(page, "g", "s")

    page.wait_for_url("**/settings/account")


def test_the_manual_has_the_keys_that_help_shows(visit: Visit) -> None:
    page = visit("/settings/account")

    press(page, "?")

    rows = page.locator("dialog.keys dl > div").all()
    shown = [(" ".join(row.locator("kbd").all_text_contents()), row.locator("dd").inner_text()) for row in rows]
    table = [f"| {' '.join(f'`{key}`' for key in keys.split())} | {what} |" for keys, what in shown]
    manual = MANUAL.read_text(encoding="utf-8")
    assert [line for line in table if line not in manual] == [], "\n".join(table)


def test_help_traps_the_focus_and_gives_it_back(visit: Visit) -> None:
    page = visit("/?project=web-shop")
    press(page, "j", "?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()

    press(page, "j", "x", "Tab", "Tab")
    assert cursor(page) == 0
    press(page, "Escape")

    expect(dialog).to_have_count(0)
    expect(page.locator(CURSOR).locator(".issue-title")).to_be_focused()


def test_keys_are_switched_off_until_they_are_switched_on_again(visit: Visit) -> None:
    page = visit("/?project=web-shop")
    press(page, "?")
    page.get_by_label("Shortcuts are on in this browser").uncheck()
    press(page, "Escape", "j", "/", "?")
    assert cursor(page) == -1
    page.reload()
    press(page, "j", "?", "Control+k")
    assert cursor(page) == -1
    expect(page.get_by_role("dialog")).to_have_count(0)

    page.get_by_text("ada", exact=True).click()
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Shortcuts are on in this browser").check()
    page.get_by_role("button", name="Close").click()
    press(page, "j")

    assert cursor(page) == 0


def test_keys_are_left_to_whatever_takes_text(visit: Visit) -> None:
    page = visit("/?project=web-shop")

    for where in ("input", "textarea", "select", "[contenteditable]", "[role=dialog]", "[role=combobox]"):
        page.evaluate(
            """(where) => {
                const [, name, , value = "true"] = /^\\[(\\w+)(=(\\w+))?/.exec(where) ?? [];
                const element = document.createElement(name ? "div" : where);
                if (name) element.setAttribute(name, value);
                element.tabIndex = 0;
                document.body.append(element);
                element.focus();
            }""",
            where,
        )
        press(page, "j", "o", "?", "g", "s")
        assert cursor(page) == -1, where
        expect(page.get_by_role("dialog", name="Keyboard")).to_have_count(0)

    assert page.url.endswith("/?project=web-shop")


def test_what_belongs_to_the_browser_stays_with_it(visit: Visit) -> None:
    page = visit("/?project=web-shop")
    keys: tuple[dict[str, object], ...] = (
        {"key": "j", "ctrlKey": True},
        {"key": "j", "metaKey": True},
        {"key": "j", "altKey": True},
        {"key": "J", "shiftKey": True},
        {"key": "j", "isComposing": True},
        {"key": "k", "ctrlKey": True, "shiftKey": True},
        {"key": "Enter", "shiftKey": True},
        *({"key": key} for key in ("'", "F5", "F6", "Backspace", " ", "PageDown", "Home", "Tab", "Escape")),
    )

    assert [fields for fields in keys if send_key(page, **fields)] == []
    assert cursor(page) == -1


@pytest.mark.parametrize(
    "fields",
    [{"key": "j"}, {"key": "J"}, {"key": "о", "code": "KeyJ"}],
    ids=["plain", "caps lock", "cyrillic"],
)
def test_layouts_and_caps_lock_do_not_get_in_the_way(visit: Visit, fields: dict[str, object]) -> None:
    page = visit("/?project=web-shop")

    assert send_key(page, **fields)
    assert cursor(page) == 0


def test_a_held_key_moves_the_cursor_and_repeats_nothing_else(visit: Visit, site: Site) -> None:
    page = visit(site.open_issue("ios-app"))
    for key in ("r", "p", "?", "u"):
        assert not send_key(page, key=key, repeat=True)
    expect(page.get_by_role("button", name="Resolve", exact=True)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page = visit("/?project=web-shop")

    for _ in range(3):
        send_key(page, key="j", repeat=True)

    assert cursor(page) == 2


def test_keys_a_page_does_not_name_are_not_taken(visit: Visit) -> None:
    page = visit("/settings/account")

    assert [key for key in "/jkxorminpu" if send_key(page, key=key)] == []


def test_single_keys_are_announced(visit: Visit, site: Site) -> None:
    page = visit(site.open_issue("web-shop"))

    expect(page.get_by_role("button", name="Resolve", exact=True)).to_have_attribute("aria-keyshortcuts", "r")
    assert re.search(r"/events/\d+$", page.locator('[aria-keyshortcuts="p"]').get_attribute("href") or "")


# The palette


def test_the_palette_leads_to_a_project_by_a_few_letters(visit: Visit) -> None:
    page = visit("/issues/WEB-SHOP-1")

    press(page, "Control+k")
    field = page.get_by_role("combobox", name="Project, page or action")
    expect(field).to_be_focused()
    field.fill("pro wor")
    expect(page.locator(CHOSEN)).to_have_text("Project: Background worker")
    press(page, "Enter")

    page.wait_for_url("**/?project=worker")


def test_the_palette_performs_what_the_page_offers(visit: Visit, site: Site) -> None:
    page = visit(site.open_issue("worker"))

    press(page, "Control+k")
    page.keyboard.type("mut")
    press(page, "Enter")
    expect(page.locator(".crumb-nav .badge").first).to_have_text("Muted")
    press(page, "Control+k")
    page.get_by_role("option", name="Reopen").click()

    expect(page.get_by_role("button", name="Resolve", exact=True)).to_be_visible()


def test_the_palette_says_where_it_is_and_gives_the_focus_back(visit: Visit) -> None:
    page = visit("/?project=web-shop")
    press(page, "j", "Control+k")
    field = page.get_by_role("combobox", name="Project, page or action")

    press(page, "ArrowDown", "ArrowDown", "ArrowUp")
    expect(field).to_have_attribute("aria-activedescendant", page.locator(CHOSEN).get_attribute("id") or "")
    field.fill("no such thing")
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("No matches")
    press(page, "Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(CURSOR).locator(".issue-title")).to_be_focused()
