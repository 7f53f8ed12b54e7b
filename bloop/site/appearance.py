"""/settings/appearance: how the pages look in this browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import falcon

from bloop.site.contexts import Option, Page, Shell
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.look import LOOKS, Look
from bloop.site.principal import principal_of
from bloop.site.settings_nav import APPEARANCE, NavLink, settings_nav

_LABELS = {
    "theme": ("Theme", {"auto": "System", "light": "Light", "dark": "Dark"}),
    "rail": ("Sidebar", {"wide": "Wide", "small": "Narrow"}),
    "rows": ("Rows", {"normal": "Comfortable", "tight": "Compact"}),
    "keys": ("Keyboard shortcuts", {"on": "On", "off": "Off"}),
}


@dataclass(frozen=True, slots=True)
class LookChoice:
    """A name of LOOKS with its values."""

    name: str
    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class AppearancePage(Page):
    template: ClassVar[str] = "kit/appearance.html"

    shell: Shell
    nav: tuple[NavLink, ...]
    choices: tuple[LookChoice, ...]


class Appearance:
    """GET /settings/appearance"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        send_page(self._deps, req, resp, self._page(req))

    def _page(self, req: falcon.Request) -> Page:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            shell = self._deps.shell(db, principal)
        nav = settings_nav(APPEARANCE, is_admin=principal.is_admin)
        return AppearancePage(shell, nav, look_choices(Look.from_request(req)))


def look_words(look: Look) -> str:
    """The choices in a line: `System theme, wide sidebar, comfortable rows, shortcuts on`."""
    theme, sidebar, rows, keys = (_LABELS[name][1][getattr(look, name)] for name in LOOKS)
    return f"{theme} theme, {sidebar.lower()} sidebar, {rows.lower()} rows, shortcuts {keys.lower()}"


def look_choices(look: Look) -> tuple[LookChoice, ...]:
    """Every choice, with the present value marked."""
    return tuple(
        LookChoice(name, label, tuple(Option(v, words[v], v == getattr(look, name)) for v in LOOKS[name]))
        for name, (label, words) in _LABELS.items()
    )
