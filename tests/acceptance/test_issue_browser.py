"""The page of an issue in Chromium, in front of a real bloop: its menus, and its messages when the issue changes."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

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
    page.locator(".row-title a").click()
    expect(page.locator("#short-id")).to_be_visible()
    return page


def menu(page: Page, name: str) -> Locator:
    """The open menu of the actions with this name."""
    page.locator(".actions summary", has_text=name).click()
    return page.locator(".actions details[open] > .pop")


def state(page: Page) -> Locator:
    """The badges and words beside the short id."""
    return page.locator(".crumb-nav")


def history(page: Page) -> str:
    """The newest line of the activity."""
    return " ".join(page.locator(".activity > li > div").last.inner_text().split())


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_the_menus_choose_the_release_of_the_fix_and_the_length_of_a_mute(
    visit: Visit, bloop: BloopServer, java_script_enabled: bool
) -> None:
    name = f"Menus{'With' if java_script_enabled else 'Without'}"
    page = open_issue(visit, bloop, name, java_script_enabled=java_script_enabled)

    def reopen() -> None:
        page.get_by_role("button", name="Reopen").click()

    menu(page, "Resolve in a release").get_by_role("button", name=re.compile("In 1.4.2.*seen last")).click()
    expect(state(page)).to_contain_text("Resolved")
    expect(state(page)).to_contain_text("in 1.4.2")
    assert history(page).startswith("Resolved in 1.4.2 by ada, just now, on the page, from 127.0.0.0/24")
    reopen()
    menu(page, "Resolve in a release").get_by_role("button", name="In the next release").click()
    expect(state(page)).to_contain_text("in the release after 1.4.2")
    reopen()
    resolving = menu(page, "Resolve in a release")
    resolving.get_by_label("In release").fill("1.5.0")
    resolving.get_by_role("button", name="Resolve", exact=True).click()
    expect(state(page)).to_contain_text("in 1.5.0")

    reopen()
    muting = menu(page, "Mute")
    muting.get_by_label("Until it happens more times").fill("100")
    muting.get_by_label("Until it happens more times").press("Enter")
    expect(state(page)).to_contain_text("Muted")
    expect(state(page)).to_contain_text("100")
    reopen()
    menu(page, "Mute").get_by_role("button", name="For a day").click()
    expect(state(page)).to_contain_text("Muted")
    reopen()
    muting = menu(page, "Mute")
    muting.get_by_label("Until (UTC)").fill("2031-01-18T12:00")
    muting.locator("form", has_text="Until (UTC)").get_by_role("button", name="Mute").click()

    expect(state(page)).to_contain_text("until 18 Jan 2031, 12:00:00 UTC")


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_the_issue_is_assigned(visit: Visit, bloop: BloopServer, java_script_enabled: bool) -> None:
    name = f"Assign{'With' if java_script_enabled else 'Without'}"
    page = open_issue(visit, bloop, name, java_script_enabled=java_script_enabled)
    actions = page.locator(".actions")

    assigning = menu(page, "Assign")
    assigning.locator('select[name="assignee"]').select_option("grace")
    assigning.get_by_role("button", name="Assign", exact=True).click()
    expect(actions.locator(".assignee")).to_have_text("grace")
    menu(page, "grace").get_by_role("button", name="To me").click()
    expect(actions.locator(".assignee")).to_have_text("ada")
    menu(page, "ada").get_by_role("button", name="Unassign").click()

    expect(actions.locator(".assignee")).to_have_count(0)
    assert history(page).startswith("Unassigned by ada")


def test_keys_act_at_once_without_a_menu(visit: Visit, bloop: BloopServer) -> None:
    page = open_issue(visit, bloop, "KeyedError")

    press(page, "a")
    expect(page.locator(".actions .assignee")).to_have_text("ada")
    press(page, "m")
    expect(state(page)).to_contain_text("Muted")
    press(page, "o")
    expect(page.get_by_role("button", name="Resolve", exact=True)).to_be_visible()
    press(page, "r")

    expect(state(page)).to_contain_text("Resolved")
    assert history(page).startswith("Resolved by ada")
    press(page, "c")
    expect(page.get_by_label("Comment", exact=True)).to_be_focused()


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_a_comment_is_written_edited_and_deleted(visit: Visit, bloop: BloopServer, java_script_enabled: bool) -> None:
    name = f"Comment{'With' if java_script_enabled else 'Without'}"
    page = open_issue(visit, bloop, name, java_script_enabled=java_script_enabled)

    page.get_by_label("Comment", exact=True).fill("It is **not** the cache.")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator(".said strong")).to_have_text("not")
    page.locator(".own summary").click()
    page.get_by_label("Edit your comment").fill("It *is* the cache.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".said em")).to_have_text("is")
    expect(page.locator(".activity > li").last).to_contain_text("edited")
    page.locator(".own summary").click()
    page.locator(".own").get_by_role("button", name="Delete").click()

    expect(page.locator(".said")).to_have_count(0)


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_deleting_asks_first(visit: Visit, bloop: BloopServer, java_script_enabled: bool) -> None:
    name = f"Delete{'With' if java_script_enabled else 'Without'}"
    page = open_issue(visit, bloop, name, java_script_enabled=java_script_enabled)

    menu(page, "More actions").get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name=re.compile("Delete (issue|1 issue)")).click()

    expect(page.locator("#short-id")).to_have_count(0)
    until(lambda: not bloop.errors(bloop.token(), f"query={name}"), "it is gone")


def test_facts_lead_to_the_events_that_share_them_without_script(visit: Visit, bloop: BloopServer) -> None:
    page = open_issue(visit, bloop, "FactsError", java_script_enabled=False)

    page.locator(".kv a", has_text="1.4.2").click()
    expect(page.get_by_label("Filter events")).to_have_value("release:1.4.2")
    expect(page.locator(".table-stack tbody tr")).to_have_count(1)
    page.get_by_label("Filter events").fill("release:9.9")
    page.get_by_label("Filter events").press("Enter")

    expect(page.get_by_role("heading", name="No matches")).to_be_visible()


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
    expect(state(page)).not_to_contain_text("Ignored")
    line.click()

    expect(state(page)).to_contain_text("Ignored")
    expect(line).to_have_count(0)


def test_an_old_release_leaves_it_resolved_and_a_new_one_reopens_it(visit: Visit, bloop: BloopServer) -> None:
    page = open_issue(visit, bloop, "PinnedError")
    resolving = menu(page, "Resolve in a release")
    resolving.get_by_label("In release").fill("1.5.0")
    resolving.get_by_role("button", name="Resolve", exact=True).click()
    expect(state(page)).to_contain_text("Resolved")

    assert bloop.send(event(error_type="PinnedError", release="1.4.9")).status == 200
    until(lambda: firing(bloop) == 1, "it is firing")
    tab = visit("/?tab=firing")
    expect(tab.locator(".row-title a")).to_contain_text("PinnedError")
    expect(tab.locator(".tabs a", has_text="Still firing").locator(".count")).to_have_text("1")
    assert bloop.send(event(error_type="PinnedError", release="1.5.0")).status == 200

    expect(page.locator("[data-live] button")).to_have_text("2 new events, now regressed – reload")
    assert firing(bloop) == 0


def events_of(bloop: BloopServer, error_type: str) -> int:
    with bloop.reader() as db:
        return int(db.execute("SELECT event_count FROM issues WHERE error_type = ?", (error_type,)).get)


def firing(bloop: BloopServer) -> int:
    with bloop.reader() as db:
        return int(db.execute("SELECT sum(issue_count) FROM firing_counts").get or 0)
