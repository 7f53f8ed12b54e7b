"""MARKUP-1 to MARKUP-3 of bloop.site.markup.py."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import InvalidField
from bloop.issues.comments.model import TEXT_CHARS_MAX, check_text
from bloop.site.markup import render_markdown

TAGS = {"p", "br", "strong", "em", "s", "a", "code", "pre", "ul", "ol", "li", "blockquote", "span"}
ATTRIBUTES = {
    "a": {"href", "rel"},
    "span": {"class", "title"},
    "pre": {"class", "dir", "tabindex"},
    "ol": {"dir", "start"},
}
PIECES = st.sampled_from(
    [
        *("<script>", "</p>", "<img src=x onerror=y>", "[a](", "javascript:", "https://a.example/", ")", "![", "]"),
        *("`", "```\n", "**", "_", "~~", "\n", "\n\n", "- ", "> ", "1. ", "&lt;", "&#x202e;", '"', "'", "\\", " x "),
        "<https://b.example>",
    ]
)


class Found(HTMLParser):
    """Every tag with its attributes, as a browser reads them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a"]


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join)))
def test_no_text_makes_a_tag_or_an_attribute_that_is_not_ours(text: str) -> None:
    for tag, attributes in Found(render_markdown(text)).tags:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES.get(tag, {"dir"})
        if tag == "a":
            assert (attributes["href"] or "").lower().startswith(("https://", "http://", "mailto:"))
            assert attributes["rel"] == "nofollow noopener"


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html,<script>)",
    "[x](//evil.example)",
    "[x](/auth/logout)",
    "<javascript:alert(1)>",
    "![x](https://evil.example/pixel.png)<b>",
    "<https://evil.example/\"onmouseover='x'>",
    '[x](https://a.example "t" onclick=)',
]


def test_a_link_without_an_address_is_its_text() -> None:
    assert render_markdown("[a *b*]() [c](https://a.example)") == (
        '<p dir="auto">a <em>b</em> <a href="https://a.example" rel="nofollow noopener">c</a></p>\n'
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(text: str) -> None:
    found = Found(render_markdown(text))

    assert {tag for tag, _ in found.tags} <= {"p", "a"}
    assert all((href or "").startswith("https://") for href in found.links())


def test_the_subset_is_rendered() -> None:
    html = render_markdown("**b** *i* ~~s~~ `c`\n\n- one\n- two\n\n> quote\n\n```python\nx < 1\n```")

    assert html == (
        '<p dir="auto"><strong>b</strong> <em>i</em> <s>s</s> <code>c</code></p>\n'
        '<ul dir="auto">\n<li>one</li>\n<li>two</li>\n</ul>\n'
        '<blockquote dir="auto">\n<p dir="auto">quote</p>\n</blockquote>\n'
        '<pre class="code" dir="ltr" tabindex="0"><code>x &lt; 1\n</code></pre>\n'
    )


@pytest.mark.parametrize("text", ["# big", "a\n===", "---", "[a]: https://x.example", "| a | b |\n|---|---|"])
def test_headings_rules_and_tables_stay_text(text: str) -> None:
    assert {tag for tag, _ in Found(render_markdown(text)).tags} <= {"p", "br", "a"}


def test_a_line_end_is_a_line_end() -> None:
    assert render_markdown("one\ntwo") == '<p dir="auto">one<br />\ntwo</p>\n'


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://a.example/x?y=1.", ["https://a.example/x?y=1"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("`https://a.example`", []),
        ("[https://a.example](https://b.example)", ["https://b.example"]),
        ("https:// and http://", []),
        ("<https://a.example> mailto:a@b.example <mailto:a@b.example>", ["https://a.example", "mailto:a@b.example"]),
    ],
)
def test_plain_addresses_become_links(text: str, links: list[str]) -> None:
    assert Found(render_markdown(text)).links() == links


@pytest.mark.parametrize(
    "text", ["a\u202eb", "a&#x202e;b", "`a\u202eb`", "```\na\u202eb\n```", "[a\u202eb](https://a.example)"]
)
def test_characters_that_reorder_text_are_shown_by_name(text: str) -> None:
    html = render_markdown(text)

    assert "\u202e" not in html
    assert '<span class="hidden-char" title="U+202E">RLO</span>' in html


@pytest.mark.parametrize("text", ["[", "*a ", "**a_b", "[a](b", "&", "<", "_a", "- a\n  ", "> ", "`", "~~a", "1. a\n"])
def test_the_longest_comment_renders_in_bounded_time(text: str) -> None:
    started = time.process_time()
    render_markdown((text * TEXT_CHARS_MAX)[:TEXT_CHARS_MAX])

    assert time.process_time() - started < 2.0  # 10 to 40 ms here; what is quadratic takes minutes


def test_text_is_stored_without_blank_ends_and_with_one_kind_of_line_end() -> None:
    assert check_text("\r\n a\r\nb\rc \n") == "a\nb\nc"
    assert len(check_text("x" * TEXT_CHARS_MAX)) == TEXT_CHARS_MAX


@pytest.mark.parametrize("value", [None, 5, ["x"], "", " \n\t", "x" * (TEXT_CHARS_MAX + 1)])
def test_a_comment_must_have_text(value: object) -> None:
    with pytest.raises(InvalidField) as raised:
        check_text(value)

    assert raised.value.name == "text"
