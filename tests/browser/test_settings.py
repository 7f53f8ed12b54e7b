"""Settings and System in a browser: present values at a glance, also without JavaScript; live checks."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from bloop.base import clock
from bloop.base.reasons import Reason
from bloop.processes.store import store_heartbeat
from tests.browser.site import Site
from tests.chromium import Visit

CHANGES_WITHIN_MS = 15_000


@pytest.mark.parametrize("scripted", [True, False])
def test_a_line_leads_to_the_place_where_its_value_is_changed(visit: Visit, scripted: bool) -> None:
    page = visit("/settings", java_script_enabled=scripted)

    page.get_by_role("link", name="Passkeys 2").click()

    assert page.url.endswith("/settings/account#passkeys")
    expect(page.get_by_role("heading", name="Passkeys")).to_be_visible()


@pytest.mark.parametrize("scripted", [True, False])
def test_the_project_of_the_middle_group_is_chosen(visit: Visit, scripted: bool) -> None:
    page = visit("/settings", java_script_enabled=scripted)

    page.get_by_text("Choose another project").click()
    page.locator(".set-projects").get_by_role("link", name="Web shop").click()

    expect(page.get_by_role("heading", name="Project: Web shop")).to_be_visible()
    expect(page.get_by_role("link", name="General Issues are named WEB-SHOP-1")).to_be_visible()


def test_the_look_is_kept_without_javascript(visit: Visit) -> None:
    page = visit("/settings/appearance", java_script_enabled=False)

    page.get_by_text("Dark", exact=True).click()
    page.get_by_role("button", name="Save").click()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto(page.url.replace("/appearance", ""))
    expect(page.get_by_role("link", name="Appearance Dark theme")).to_be_visible()


def test_the_system_page_shows_a_problem_and_its_end_without_a_reload(visit: Visit, site: Site) -> None:
    def report(*troubles: Reason) -> None:
        now_ms = clock.now_ms()
        site.database.change(
            lambda db: store_heartbeat(db, "alerts", started_at_ms=now_ms, now_ms=now_ms, troubles=troubles)
        )

    page = visit("/system")
    remedy = page.locator("#deliveries_failing")
    expect(page.locator("#alerts")).to_contain_text("has not reported yet")
    expect(remedy).to_have_count(0)

    report(Reason.DELIVERIES_FAILING)
    expect(remedy).to_be_visible(timeout=CHANGES_WITHIN_MS)
    expect(page.locator("#alerts .mark-warning")).to_be_visible()

    report()
    expect(remedy).to_have_count(0, timeout=CHANGES_WITHIN_MS)
    expect(page.locator("#alerts .mark-good")).to_be_visible()
    site.database.change(lambda db: db.execute("DELETE FROM process_states"))


def test_print_and_forced_colours_keep_the_values(visit: Visit) -> None:
    page = visit("/settings", forced_colors="active")
    page.emulate_media(media="print", forced_colors="active")

    expect(page.get_by_text("browsers signed in")).to_be_visible()
    expect(page.locator(".rail")).to_be_hidden()
