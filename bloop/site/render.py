"""Templates → HTML. One environment per process: autoescape everywhere, an undefined name is an error.

RENDER-1  A page holds the drawings of the icons that it uses and no others: they replace `<!--sprite-->`.
RENDER-2  Beside the fields of its context every template knows `look` (site/look.py), `version` and `asset`.

render = Renderer()
render.page(IssueListPage(…))                   # a context class names its template
render("accounts/login.html", {"token": …})        # the same without a class; this is `Deps.render`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bloop import __version__
from bloop.site.assets import TEMPLATES, Assets
from bloop.site.contexts import Page
from bloop.site.filters import FILTERS
from bloop.site.look import DEFAULT_LOOK
from bloop.site.markup import render_markdown

ICONS = TEMPLATES / "kit" / "icons.svg"  # a <symbol> a line
_SYMBOL = re.compile(r'<symbol id="([im]-\w+)".*</symbol>')
_USED = re.compile(r'<use href="#([im]-\w+)"')
_PLACE = "<!--sprite-->"


class Renderer:
    """Compiles each template once. Safe to share between threads."""

    def __init__(self) -> None:
        self.assets = Assets()
        self.environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self.environment.filters |= FILTERS | {"markdown": render_markdown}
        self.environment.globals = {"asset": self.assets.url, "version": __version__, "look": DEFAULT_LOOK}
        drawings = ICONS.read_text(encoding="utf-8")
        self._symbols = {found[1]: found[0] for found in _SYMBOL.finditer(drawings)}

    def __call__(self, template: str, context: Mapping[str, Any]) -> str:
        return self._with_icons(self.environment.get_template(template).render(context))

    def _with_icons(self, html: str) -> str:
        """The page with the drawings it refers to (RENDER-1)."""
        head, place, body = html.partition(_PLACE)
        if not place:
            return html
        drawn = "".join(self._symbols[name] for name in sorted(set(_USED.findall(body))))
        return f'{head}<svg width="0" height="0" hidden>{drawn}</svg>{body}'

    def page(self, page: Page) -> str:
        return self(page.template, context_of(page))


def context_of(page: Page) -> dict[str, Any]:
    """The fields of a context class by name, as its template sees them."""
    return {f.name: getattr(page, f.name) for f in fields(page)}
