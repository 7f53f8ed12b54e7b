"""The common parts of the settings pages: the side navigation and the base context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bloop.site.contexts import Page, Shell


class SettingsSection(NamedTuple):
    """A page of the settings. `admin_only` hides the link; the route's need decides who may open the page."""

    label: str
    href: str
    admin_only: bool


ACCOUNT = SettingsSection("Account", "/settings/account", admin_only=False)
APPEARANCE = SettingsSection("Appearance", "/settings/appearance", admin_only=False)
PEOPLE = SettingsSection("People", "/settings/people", admin_only=True)

PROJECTS = SettingsSection("Projects", "/settings/projects", admin_only=False)
TOKENS = SettingsSection("API tokens", "/settings/tokens", admin_only=False)
ALERTS = SettingsSection("Alerts", "/alerts", admin_only=False)

STORAGE = SettingsSection("Storage", "/settings/storage", admin_only=True)

SECTIONS = (ACCOUNT, APPEARANCE, PROJECTS, ALERTS, TOKENS, PEOPLE, STORAGE)


@dataclass(frozen=True, slots=True)
class NavLink:
    label: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class SettingsPage(Page):
    """The fields of `kit/settings.html`. `notice` says what the user just did."""

    shell: Shell
    nav: tuple[NavLink, ...]
    now_ms: int
    notice: str


def settings_nav(current: SettingsSection, *, is_admin: bool) -> tuple[NavLink, ...]:
    """The links of the side navigation on the page of `current`."""
    return tuple(
        NavLink(section.label, section.href, section is current)
        for section in SECTIONS
        if is_admin or not section.admin_only
    )
