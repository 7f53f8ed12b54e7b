"""Templates → HTML. One environment per process: autoescape everywhere, an undefined name is an error.

render = Renderer()
render.page(IssueListPage(…))                   # a context class knows its template
render("accounts/login.html", {"token": …})        # the same by hand; this is `Deps.render`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bloop import __version__
from bloop.site.assets import TEMPLATES, Assets
from bloop.site.contexts import Page
from bloop.site.filters import FILTERS


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
        self.environment.filters |= FILTERS
        self.environment.globals = {"asset": self.assets.url, "version": __version__}

    def __call__(self, template: str, context: Mapping[str, Any]) -> str:
        return self.environment.get_template(template).render(context)

    def page(self, page: Page) -> str:
        return self(page.template, context_of(page))


def context_of(page: Page) -> dict[str, Any]:
    """What a template sees: the fields of its context class, by name."""
    return {f.name: getattr(page, f.name) for f in fields(page)}
