"""Every page looked at once, for all the tests that have a question about every page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"  # installed by `make test`, or npm ci in this folder
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
HTML_BYTES_MAX = 60_000
REQUESTS_MAX = 12  # of a first visit
REQUESTS_AGAIN_MAX = 3  # with the assets in the browser's cache: the page, a picture, a stream
SHIFT_MAX = 0.02  # cumulative layout shift (web.dev/articles/cls)
WIDTHS = (320, 768)
WIDE = {"width": 1280, "height": 900}
NORMAL, TWICE = {"standard": 16, "fixed": 13}, {"standard": 32, "fixed": 26}

_RUN = """async ([within, tags, rules]) => {
    const runOnly = rules ? { type: "rule", values: rules } : { type: "tag", values: tags };
    const found = await axe.run(within, { runOnly, resultTypes: ["violations"] });
    return found.violations.map(({ id, impact, nodes }) =>
        [impact, `${id}: ${nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join("; ")}`]);
}"""
_SHIFT = """
new Promise((resolve) => {
    let shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    document.fonts.ready.then(() => requestAnimationFrame(() => setTimeout(() => resolve(shift))));
})
"""
_OPEN = "document.querySelectorAll('main details').forEach((element) => { element.open = true })"
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Controls and headings whose text is larger than they are. Text that may end in an ellipsis is not among them.
_CUT_OFF = """
[...document.querySelectorAll("a.button, button, .tabs a, .badge, .status, label, h1, h2, th, td")]
    .filter((e) => e.checkVisibility() && getComputedStyle(e).clipPath === "none")
    .filter((e) => e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).display !== "inline")
    .map((e) => `${e.outerHTML.slice(0, 120)} ${e.scrollWidth} > ${e.clientWidth}`)
"""
# A region that is read out when it changes holds a sentence, never a list or a whole page.
_TALKATIVE = """
[...document.querySelectorAll("[aria-live]:not([aria-live=off]), [role=status], [role=alert], [role=log]")]
    .map((e) => e.textContent.trim()).filter((text) => text.length > 300)
"""
# Elements and attributes that none of our pages has, and links that lead elsewhere.
_FOREIGN = """
[
    ...document.querySelectorAll(`body :is(script, style, img, iframe, object, embed, base, link, meta, math)`),
    ...[...document.querySelectorAll("*")].filter((e) => /(^| )(on|style( |$))/.test(e.getAttributeNames().join(" "))),
    ...[...document.querySelectorAll("[href], [action], [formaction], [src]")].filter((e) =>
        ["href", "action", "formaction", "src"].some((name) =>
            e.hasAttribute(name) && new URL(e.getAttribute(name), location).origin !== origin)),
].map((e) => e.outerHTML.slice(0, 200))
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with one page; all empty when nothing is."""

    violations: list[str]  # by axe, of any impact
    wider_than: list[int]  # of WIDTHS
    cut_off: list[str]  # at twice the text size
    talkative: list[str]  # what would be read out in full at every change
    foreign: list[str]
    heavy: list[str]  # HTML, requests or layout shifts beyond what a page may cost


def foreign(page: Page) -> list[str]:
    """Elements on it that bloop never writes."""
    return list(page.evaluate(_FOREIGN))


def unfold(page: Page) -> None:
    """Open what is folded away."""
    page.evaluate(_OPEN)


def violations(page: Page, rules: list[str] | None = None, within: str = "html") -> list[str]:
    """What axe finds, of any impact."""
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    return [f"{impact}: {text}" for impact, text in page.evaluate(_RUN, [within, TAGS, rules])]


def look_at(page: Page, url: str) -> Findings:
    """The page at `url` with everything on it unfolded: light, dark, narrow, in large text."""
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light", reduced_motion="reduce")  # no colours on their way
    heavy = _cost(page, url)
    talkative = page.evaluate(_TALKATIVE)
    unfold(page)
    strange = foreign(page)
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {text}" for text in violations(page, ["color-contrast"])]  # the rest looks the same in the dark
    cut_off = _in_large_text(page)
    return Findings(found, [width for width in WIDTHS if _is_wider(page, width)], cut_off, talkative, strange, heavy)


def _cost(page: Page, url: str) -> list[str]:
    """What a visit costs more than it may."""
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    answer = page.goto(url)
    assert answer is not None
    page.wait_for_load_state()
    shift, size = page.evaluate(_SHIFT), len(answer.body())
    first = len(requested)
    return [
        text
        for text, is_over in (
            (f"{size:,} bytes of HTML", size > HTML_BYTES_MAX),
            (f"{first} requests: {requested}", first > REQUESTS_MAX),
            (f"layout shift {shift:.3f}", shift > SHIFT_MAX),
        )
        if is_over
    ]


def _is_wider(page: Page, width: int) -> bool:
    page.set_viewport_size({"width": width, "height": 700})
    return bool(page.evaluate(_OVERFLOW) > 0)


def _in_large_text(page: Page) -> list[str]:
    devtools = page.context.new_cdp_session(page)
    devtools.send("Page.setFontSizes", {"fontSizes": TWICE})
    assert page.evaluate("getComputedStyle(document.body).fontSize") == "28px"
    found = list(page.evaluate(_CUT_OFF))
    overflow_px = page.evaluate(_OVERFLOW)
    devtools.send("Page.setFontSizes", {"fontSizes": NORMAL})
    devtools.detach()
    return found + ([f"{overflow_px} px wider than the screen"] if overflow_px else [])
