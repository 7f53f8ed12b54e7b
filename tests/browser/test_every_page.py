"""What holds on every page of the route table, in all its states. Each is looked at once (survey.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.places import EVERYWHERE, FRESH, MACHINES, PLACES, resolve
from tests.browser.site import Site
from tests.browser.survey import REQUESTS_AGAIN_MAX, Findings, foreign, look_at, unfold, violations
from tests.chromium import Visit, contexts
from tests.unit.site.test_render import XSS

Survey = dict[str, Findings]
ASSETS = Path(__file__).parents[2] / "templates/assets"


@pytest.fixture(scope="module")
def survey(site: Site, fresh_site: Site, chromium: Browser) -> Iterator[Survey]:
    found: Survey = {}
    with contexts(chromium) as make:
        for at, places in ((site, EVERYWHERE), (fresh_site, FRESH)):
            context = make()
            context.add_cookies([{"name": "bloop_session", "value": at.cookie, "url": at.url}])
            page = context.new_page()
            for place in places:
                found[place if at is site else f"fresh {place}"] = look_at(page, at.url + resolve(at, place))
            context.close()
        yield found


def test_every_page_of_the_route_table_is_looked_at(site: Site) -> None:
    pages = {t for t, method in site.routes.table() if method == "GET" and not t.startswith(MACHINES)}

    assert pages == set(PLACES)


def test_axe_finds_nothing_light_or_dark(survey: Survey) -> None:
    assert {place: found.violations for place, found in survey.items() if found.violations} == {}


def test_no_page_costs_more_than_it_may(survey: Survey) -> None:
    assert {place: found.heavy for place, found in survey.items() if found.heavy} == {}


def test_nothing_is_wider_than_a_narrow_screen(survey: Survey) -> None:
    assert {place: found.wider_than for place, found in survey.items() if found.wider_than} == {}


def test_text_of_twice_the_size_fits(survey: Survey) -> None:
    """As in a browser set to large text: sizes and breakpoints follow, nothing is cut off or wider than the screen."""
    assert {place: found.cut_off for place, found in survey.items() if found.cut_off} == {}


def test_what_is_read_out_by_itself_is_short(survey: Survey) -> None:
    assert {place: found.talkative for place, found in survey.items() if found.talkative} == {}


def test_event_text_and_names_are_nothing_but_text(survey: Survey) -> None:
    assert {place: found.foreign for place, found in survey.items() if found.foreign} == {}


@pytest.mark.parametrize("path", ["/?project=web-shop", "/settings/appearance", "/system"])
def test_a_second_visit_asks_for_the_page_and_little_else(visit: Visit, path: str) -> None:
    page = visit(path)
    devtools = page.context.new_cdp_session(page)
    cached, received = set(), []
    devtools.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    devtools.on("Network.responseReceived", lambda event: received.append((event["requestId"], event["response"])))
    devtools.send("Network.enable")

    page.goto(page.url)
    page.wait_for_load_state()
    asked = [
        answer["url"]
        for request, answer in received
        if request not in cached and not answer.get("fromDiskCache") and not answer["url"].startswith("data:")
    ]

    assert 1 <= len(asked) <= REQUESTS_AGAIN_MAX, asked


# Hostile text


def test_no_issue_of_the_corpus_runs_anything(visit: Visit, site: Site) -> None:
    page = visit("/?project=hostile")
    links = page.locator(".row-title a").evaluate_all("links => links.map((link) => link.href)")
    assert len(links) == len(XSS) + 1

    for link in links:
        page.goto(link)
        unfold(page)
        assert foreign(page) == [], link


def test_no_address_runs_anything(visit: Visit, site: Site) -> None:
    page = visit("/auth/login")

    for payload in XSS:
        filters = dict.fromkeys(("q", "release", "environment", "source", "route"), payload)
        for path, query in (
            ("/", filters),
            ("/", {"project": payload}),
            ("/auth/login", {"token": payload, "next": payload}),
            ("/auth/login", {"invite": payload, "next": payload}),
        ):
            page.goto(f"{site.url}{path}?{urlencode(query)}")
            assert foreign(page) == [], page.url


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("/?project=hostile", [f"Hostile {XSS[1]}", f"Empty {XSS[0]}"]),
        ("/settings/people", [XSS[0], XSS[1]]),
        ("/settings/account", [XSS[0], XSS[1]]),
        ("/issues/HOSTILE-1", [XSS[0]]),
    ],
)
def test_the_corpus_is_on_the_pages_that_were_looked_at(visit: Visit, path: str, texts: list[str]) -> None:
    words = visit(path).evaluate("document.body.textContent")

    assert [text for text in texts if text not in words] == []


# What axe sees only when it is open, and what it cannot see


def test_axe_would_notice(visit: Visit) -> None:
    page = visit("/auth/login")
    page.evaluate("document.body.append(document.createElement('img'), document.createElement('button'))")

    assert {found.split(": ")[1] for found in violations(page)} == {"image-alt", "button-name", "region"}


def test_axe_finds_nothing_in_menus_and_dialogs(visit: Visit) -> None:
    page = visit("/?project=web-shop", reduced_motion="reduce")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    found = violations(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Project, page or action")).to_be_focused()
    found += violations(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    for menu in page.locator(".rail details").all():
        menu.locator("summary").click()
        found += violations(page, within=".rail")  # what a menu covers is too small to press, and meant to be

    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_is_visible_wherever_tab_leads(visit: Visit, site: Site, scheme: str) -> None:
    page = visit(site.open_issue("web-shop"), color_scheme=scheme)
    plain = []

    for _ in range(25):
        page.keyboard.press("Tab")
        plain += page.evaluate("""() => {
            const shown = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
            const element = document.activeElement;
            const parts = [getComputedStyle(element), getComputedStyle(element, "::after")];
            return element === document.body || parts.some(shown) ? [] : [element.outerHTML.slice(0, 120)];
        }""")

    assert plain == []


def test_nothing_moves_for_those_who_asked_for_that(visit: Visit) -> None:
    page = visit("/?project=web-shop", reduced_motion="reduce")

    moving = page.evaluate("""[...document.querySelectorAll("*")].filter((e) => {
        const { transitionDuration, animationName } = getComputedStyle(e);
        return transitionDuration.split(", ").some((s) => s !== "0s") || animationName !== "none";
    }).length""")

    assert moving == 0


def test_forced_colours_keep_charts_and_the_cursor(visit: Visit) -> None:
    page = visit("/?project=web-shop", forced_colors="active")

    bar, ground = page.evaluate("""[
        getComputedStyle(document.querySelector(".pulse .bar")).stroke,
        getComputedStyle(document.body).backgroundColor,
    ]""")

    assert bar != ground
    page.keyboard.press("j")
    assert page.locator("li.row.is-cursor").evaluate("e => getComputedStyle(e).borderTopStyle") == "solid"


def test_colours_need_no_function_younger_than_custom_properties() -> None:
    """light-dark() and color-mix() came in 2023 and 2024; without them whole rules vanish."""
    found = [f.name for f in ASSETS.glob("*.css") for word in ("light-dark(#", "color-mix(") if word in f.read_text()]

    assert found == []
