"""The page of an issue in Chromium, in front of a real bloop: its menus, and its messages when the issue changes."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bloop.accounts.people.store import create_user
from bloop.base.clock import now_ms
from bloop.db import connection
from tests.acceptance.harness import BloopServer, event
from tests.acceptance.test_list_browser import ensure_issues
from tests.browser.test_keyboard import press
from tests.chromium import Visit
from tests.waiting import until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cookie(bloop: BloopServer) -> str:
    """Ada's; Grace has an account too."""
    with contextlib.closing(connection.open_control(bloop.database_path)) as db, connection.immediate(db):
        create_user(db, username="ada", now_ms=now_ms(), user_id="u1")
        create_user(db, username="grace", now_ms=now_ms(), user_id="u2")
    return bloop.session("u1")


def open_issue(visit: Visit, bloop: BloopServer, name: str, **options: Any) -> Page:
    ensure_issues(bloop, name, release="1.4.2")
    page = visit(f"/?tab=all&q={name}", **options)
    page.locator(".issue-title").click()
    expect(page.locator(".issue-page")).to_be_visible()
    return page


def menu(page: Page, name: str) -> None:
    page.locator(".issue-actions summary", has_text=name).click()


def history(page: Page) -> str:
    """The newest line."""
    return " ".join(page.locator(".history li").first.inner_text().split())


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_the_menus_choose_the_release_of_the_fix_and_the_length_of_a_mute(
    visit: Visit, bloop: BloopServer, java_script_enabled: bool
) -> None:
    name = f"Menus{'With' if java_script_enabled else 'Without'}"
    page = open_issue(visit, bloop, name, java_script_enabled=java_script_enabled)
    status = page.locator(".issue-meta .status")

    menu(page, "Resolve in a release")
    page.get_by_role("button", name="In 1.4.2, where it was seen last").click()
    expect(status).to_have_text("Resolved")
    assert history(page).startswith("Resolved in 1.4.2 by ada just now · on the page, from 127.0.0.0/24")
    page.get_by_role("button", name="Reopen").click()
    menu(page, "Resolve in a release")
    page.get_by_role("button", name="In the next release").click()
    expect(status).to_have_text("Resolved")
    assert history(page).startswith("Resolved in the release after 1.4.2")
    page.get_by_role("button", name="Reopen").click()
    menu(page, "Resolve in a release")
    page.get_by_label("In release", exact=True).fill("1.5.0")
    page.locator(".menu-form").get_by_role("button", name="Resolve").click()
    expect(page.locator(".key-facts")).to_contain_text("1.5.0")

    page.get_by_role("button", name="Reopen").click()
    menu(page, "Mute for a while")
    page.get_by_label("Until it happens more times").fill("100")
    page.get_by_label("Until it happens more times").press("Enter")
    expect(status).to_have_text("Muted")
    expect(page.locator(".key-facts")).to_contain_text("until 100 events more")
    page.get_by_role("button", name="Reopen").click()
    menu(page, "Mute for a while")
    page.get_by_role("button", name="Mute for a day").click()
    expect(status).to_have_text("Muted")
    page.get_by_role("button", name="Reopen").click()
    menu(page, "Mute for a while")
    page.get_by_label("Until (UTC)").fill("2031-01-18T12:00")
    page.locator(".menu-form", has_text="Until (UTC)").get_by_role("button", name="Mute").click()

    expect(page.locator(".key-facts")).to_contain_text("until 18 Jan 2031, 12:00:00 UTC")


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_the_issue_is_assigned(visit: Visit, bloop: BloopServer, java_script_enabled: bool) -> None:
    name = f"Assign{'With' if java_script_enabled else 'Without'}"
    page = open_issue(visit, bloop, name, java_script_enabled=java_script_enabled)
    facts = page.locator(".key-facts")

    menu(page, "Assign")
    page.locator('select[name="assignee"]').select_option("grace")
    page.locator(".menu-form").get_by_role("button", name="Assign").click()
    expect(facts).to_contain_text("grace")
    menu(page, "grace")
    page.get_by_role("button", name="To me").click()
    expect(facts).to_contain_text("ada")
    menu(page, "ada")
    page.get_by_role("button", name="Unassign").click()

    expect(facts).not_to_contain_text("Assigned to")
    assert history(page).startswith("Unassigned by ada")


def test_keys_act_at_once_without_a_menu(visit: Visit, bloop: BloopServer) -> None:
    page = open_issue(visit, bloop, "KeyedError")
    status = page.locator(".issue-meta .status")

    press(page, "a")
    expect(page.locator(".key-facts")).to_contain_text("ada")
    press(page, "m")
    expect(status).to_have_text("Muted")
    press(page, "o")
    expect(status).to_have_text("Unresolved")
    press(page, "r")

    expect(status).to_have_text("Resolved")
    assert history(page).startswith("Resolved by ada")


def test_an_open_page_reports_changes_and_moves_nothing(visit: Visit, bloop: BloopServer) -> None:
    page = open_issue(visit, bloop, "WatchedError")
    line = page.locator("[data-live] button")
    expect(line).to_have_count(0)
    token = bloop.token(scopes="errors:write")
    fingerprint = bloop.errors(bloop.token(), "query=WatchedError")[0]["fingerprint"]
    headers = {"Authorization": f"Bearer {token}"}

    assert bloop.send(event(error_type="WatchedError", release="1.4.2")).status == 200
    until(lambda: events_of(bloop, "WatchedError") == 2, "the event is counted")
    assert bloop.request("POST", f"/v1/errors/{fingerprint}/ignore", headers=headers).status == 200
    expect(line).to_have_text("1 new event, now ignored – reload")
    expect(page.locator(".issue-meta .status")).to_have_text("Unresolved")
    line.click()

    expect(page.locator(".issue-meta .status")).to_have_text("Ignored")
    expect(line).to_have_count(0)


def test_an_old_release_leaves_it_resolved_and_a_new_one_reopens_it(visit: Visit, bloop: BloopServer) -> None:
    page = open_issue(visit, bloop, "PinnedError")
    menu(page, "Resolve in a release")
    page.get_by_label("In release", exact=True).fill("1.5.0")
    page.locator(".menu-form").get_by_role("button", name="Resolve").click()
    expect(page.locator(".issue-meta .status")).to_have_text("Resolved")

    assert bloop.send(event(error_type="PinnedError", release="1.4.9")).status == 200
    until(lambda: firing(bloop) == 1, "it is firing")
    tab = visit("/?tab=firing")
    expect(tab.locator(".issue-title")).to_contain_text("PinnedError")
    expect(tab.locator(".tabs a", has_text="Still firing").locator(".tab-count")).to_have_text("1")
    assert bloop.send(event(error_type="PinnedError", release="1.5.0")).status == 200

    expect(page.locator("[data-live] button")).to_have_text("2 new events, now regressed – reload")
    assert firing(bloop) == 0


def events_of(bloop: BloopServer, error_type: str) -> int:
    with bloop.reader() as db:
        return int(db.execute("SELECT event_count FROM issues WHERE error_type = ?", (error_type,)).get)


def firing(bloop: BloopServer) -> int:
    with bloop.reader() as db:
        return int(db.execute("SELECT sum(issue_count) FROM firing_counts").get or 0)
