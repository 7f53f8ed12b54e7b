"""Text that people write, as HTML: a subset of CommonMark. Pure.

MARKUP-1  Every character of the text is escaped, except in the tags that this module makes: no HTML, no image, no
    heading. A link leads to http, https or mail, and passes on nothing (`nofollow noopener`).
MARKUP-2  Characters that hide or reorder text are shown by their name, also those written as an entity; each block
    finds its own direction.
MARKUP-3  Plain addresses become links, outside of code and of links.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup, escape

from bloop.site.filters import reveal

RENDERED_MAX = 128  # texts whose HTML is remembered: 1 MB at most as a rule
_LEFT_OUT = ("heading", "lheading", "hr", "reference", "image", "html_block", "html_inline")
_SCHEMES = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s<>\"'`]+", re.IGNORECASE)
_TAIL = ".,;:!?)]}*_"  # ends a sentence rather than an address
_BLOCKS = frozenset(("paragraph_open", "bullet_list_open", "ordered_list_open", "blockquote_open"))


@lru_cache(RENDERED_MAX)
def render_markdown(text: str) -> Markup:
    """The HTML of a text; the filter `markdown` of templates."""
    return Markup(_MARKDOWN.render(text))  # noqa: S704  (MARKUP-1)


class _Renderer(RendererHTML):
    """As the library writes HTML, with text as MARKUP-2 wants it. Tags and attributes are the library's own."""

    def text(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return _shown(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f"<code>{_shown(tokens[idx].content)}</code>"

    def code_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<pre class="code" dir="ltr" tabindex="0"><code>{_shown(tokens[idx].content)}</code></pre>\n'

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return self.code_block(tokens, idx, options, env)


def _shown(text: str) -> str:
    return reveal(str(escape(text)))


def _is_link(url: str) -> bool:
    return _SCHEMES.match(url) is not None


def _set_attributes(state: StateCore) -> None:
    """Links, and the attributes of blocks and links (MARKUP-1 to MARKUP-3)."""
    for block in state.tokens:
        if block.type in _BLOCKS:
            block.attrSet("dir", "auto")
        if not block.children:
            continue
        children: list[Token] = []
        depth = 0
        leads_nowhere = False
        for token in block.children:
            depth += (token.type == "link_open") - (token.type == "link_close")
            if token.type == "link_open":
                leads_nowhere = not token.attrs["href"]  # `[text]()`: the library makes a link to the page itself
            if leads_nowhere and token.type in ("link_open", "link_close"):
                continue
            if token.type == "link_open":
                token.attrSet("rel", "nofollow noopener")
                token.attrs.pop("title", None)
            children += _with_links(token) if token.type == "text" and depth == 0 else [token]
        block.children = children


def _with_links(token: Token) -> list[Token]:
    """The text with its addresses as links."""
    parts: list[Token] = []
    end = 0
    for match in _ADDRESS.finditer(token.content):
        address = match[0].rstrip(_TAIL)
        if address.endswith("://"):
            continue
        parts.append(_text(token.content[end : match.start()]))
        link = Token("link_open", "a", 1, attrs={"href": _MARKDOWN.normalizeLink(address), "rel": "nofollow noopener"})
        parts += [link, _text(address), Token("link_close", "a", -1)]
        end = match.start() + len(address)
    return [*parts, _text(token.content[end:])]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _make() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
    markdown.disable(_LEFT_OUT).enable("strikethrough")
    markdown.validateLink = _is_link  # type: ignore[method-assign]
    markdown.core.ruler.push("attributes", _set_attributes)
    return markdown


_MARKDOWN = _make()
