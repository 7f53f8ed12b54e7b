"""The storage page in a browser: a purge that is under way tells how far it is, also after a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from bloop.retention import store as retention
from bloop.retention.read import open_run
from tests.browser.site import Site
from tests.chromium import Visit


@pytest.fixture
def run_id(site: Site) -> int:
    with site.database.reader() as db:
        run = open_run(db)
    assert run is not None, "the site has a purge that is half way"
    return run.id


def test_a_purge_tells_how_far_it_is_while_one_looks_and_after_a_reload(visit: Visit, site: Site, run_id: int) -> None:
    page = visit("/settings/storage")
    text, bar = page.locator("[data-purge-text]"), page.locator("[data-purge] progress")
    expect(text).to_contain_text("of 250,000 events deleted")
    before = float(bar.evaluate("e => e.value"))

    site.database.change(lambda db: retention.add_deleted(db, run_id, raw_events=1111))

    expect(bar).to_have_js_property("value", before + 1111)
    expect(text).to_contain_text(f"{int(before) + 1111:,} of 250,000 events deleted")
    page.reload()
    expect(text).to_contain_text(f"{int(before) + 1111:,} of 250,000 events deleted")


def test_purging_asks_once_more_before_it_deletes(visit: Visit) -> None:
    page = visit("/settings/storage")
    confirm = page.get_by_role("button", name="Delete expired data")
    expect(confirm).to_be_hidden()

    page.get_by_text("Purge now").click()
    expect(confirm).to_be_visible()
    confirm.click()

    expect(page.get_by_role("status").first).to_have_text("Purge requested.")


def test_a_number_of_days_that_is_invalid_is_named_beside_the_form(visit: Visit) -> None:
    page = visit("/settings/storage")
    page.locator("form[action='/settings/storage']").evaluate("form => { form.noValidate = true }")

    page.get_by_label("Hourly counts").fill("0")
    page.locator("form[action='/settings/storage'] button").click()

    expect(page.get_by_role("alert").first).to_have_text("hourly_counts_days must be between 1 and 3650")
    expect(page.get_by_label("Hourly counts")).to_have_value("0")
