from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError, meta, nodes

import bloop
from bloop.site.assets import TEMPLATES
from bloop.site.contexts import Page, Panel
from bloop.site.render import Renderer, context_of
from tests.unit.site.samples import every_page, issue_page, list_page, texts_of

MODULES = [importlib.import_module(found.name) for found in pkgutil.walk_packages(bloop.__path__, "bloop.")]
PAGES = [
    cls
    for module in MODULES
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, Page) and cls.__module__ == module.__name__
    if hasattr(cls, "template")  # what several pages share has none
]
URL_ATTRIBUTES = ("href", "src", "action", "formaction")

# Each tries another way out of where it is printed: an element, an attribute, a comment, a script, a template, a URL.
XSS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>",
    "--><iframe src=javascript:alert(1)>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "javascript:alert(1)",
    "</pre></details><style>*{display:none}</style>",
    "\u202e<b>\x00\x1b[31m&lt;",
    "＜script＞ 😀 \u2028",
)


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


class Tags(HTMLParser):
    """Element names, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.names: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(html)
        self.close()

    VOID = ("meta", "link", "input", "br", "img", "hr")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()


def variables_of(renderer: Renderer, template: str) -> set[str]:
    """What a template takes from its context, the templates it extends and includes counted in."""
    environment = renderer.environment
    assert environment.loader is not None
    tree = environment.parse(environment.loader.get_source(environment, template)[0])
    imports = [name for statement in tree.find_all(nodes.FromImport) for name in statement.names]
    imported = {name if isinstance(name, str) else name[1] for name in imports}
    found = meta.find_undeclared_variables(tree) - imported
    for other in meta.find_referenced_templates(tree):
        if other is None:
            assert "panel" in found, f"{template} chooses a template at run time that is no panel's"
        for name in (other,) if other is not None else (panel.template for panel in Panel.__subclasses__()):
            found |= variables_of(renderer, name)
    return found - set(environment.globals)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_a_template_uses_exactly_the_fields_of_its_context(renderer: Renderer, page: type[Page]) -> None:
    assert variables_of(renderer, page.template) == {f.name for f in fields(page)}


def test_every_template_belongs_to_a_page() -> None:
    shipped = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("[!_]*.html")}
    skeletons = ("base", "card", "page", "signed_out", "settings_page")
    others = {f"kit/{name}.html" for name in skeletons} | {"bench/report.html"}

    assert shipped - others == {page.template for page in PAGES}


def test_every_page_is_well_formed_and_names_no_id_twice(renderer: Renderer) -> None:
    for page in every_page():
        tags = Tags(renderer.page(page))

        assert tags.open == []
        assert len(tags.ids) == len(set(tags.ids))


def test_every_icon_and_label_target_exists(renderer: Renderer) -> None:
    for page in every_page():
        html = renderer.page(page)
        ids = set(Tags(html).ids)

        assert set(re.findall(r'<use href="#([^"]+)"', html)) <= ids
        assert set(re.findall(r'(?:data-copy="#|aria-labelledby=")([^"]+)"', html)) <= ids


def test_a_missing_name_is_an_error_not_an_empty_string(renderer: Renderer) -> None:
    with pytest.raises(UndefinedError):
        renderer("accounts/login.html", {"has_accounts": True})


def test_pages_need_no_inline_script_or_style(renderer: Renderer) -> None:
    for page in every_page():
        html = renderer.page(page)
        tags = Tags(html)

        assert "style" not in tags.names
        assert not [name for name, _ in tags.attributes if name == "style" or name.startswith("on")]
        assert set(re.findall(r"<script[^>]*>([^<]*)</script>", html)) <= {""}


@pytest.mark.parametrize("payload", XSS)
def test_event_text_stays_text_in_every_field_of_every_page(renderer: Renderer, payload: str) -> None:
    for harmless, hostile in zip(every_page(), every_page(lambda text: f"{text}{payload}"), strict=True):
        expected, found = Tags(renderer.page(harmless)), Tags(renderer.page(hostile))

        ours = [name for name in found.names if name != "span"]  # labels of hidden characters are spans
        assert set(ours) <= set(expected.names) | {"bdi"}
        assert {name for name, _ in found.attributes} <= {name for name, _ in expected.attributes} | {"title", "class"}
        for name, value in found.attributes:
            if name in URL_ATTRIBUTES:
                assert value.startswith(("/", "#")), value
                assert not value.startswith("//"), value


def test_the_corpus_reaches_the_pages(renderer: Renderer) -> None:
    hostile = list_page(lambda text: f"{text}<mark-7>")

    assert sum("<mark-7>" in text for text in texts_of(hostile)) > 15
    assert "&lt;mark-7&gt;" in renderer.page(hostile)


def test_a_page_is_the_same_for_the_same_context(renderer: Renderer) -> None:
    assert renderer.page(issue_page()) == renderer.page(issue_page())


def test_templates_ask_no_questions_about_two_fields_at_once() -> None:
    """An `and` or `or` over fields is a rule, and rules live in the context classes."""
    allowed = {
        "newer_href or older_href",
        "section.heading and not (loop.first and skip_heading)",
        "run.in_app or not section.has_app_frames",
        "issue.stored_count is not none and issue.stored_count != issue.event_count",
    }
    for path in Path(TEMPLATES).rglob("*.html"):
        for condition in re.findall(r"{%-? (?:el)?if (.+?) -?%}", path.read_text(encoding="utf-8")):
            if re.search(r"\b(and|or)\b", condition):
                assert condition in allowed, f"{path.name}: {condition}"


def test_contexts_hold_every_field_by_name() -> None:
    page = list_page()

    assert context_of(page)["rows"] is page.rows
