"""The settings: their pages in three groups, the tabs between pages of a group, the base context of such a page.

SETTINGS-1  Every page of the settings is in SECTIONS. The tabs of a page lead to the others of its group.
SETTINGS-2  A line of the overview (`/settings`) shows the present value, so that most visits end there. Features make
    their own lines: a function of the shape of `Hooks.setting_lines` (site/deps.py), named in bloop/features.py. Lines
    that the person may not open are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bloop.auth.principal import Principal
from bloop.site.contexts import Page, Shell, TabLink
from bloop.site.look import Look

OVERVIEW_HREF = "/settings"


class SettingsGroup(StrEnum):
    YOU = "You"
    PROJECT = "Project"
    SERVER = "Server"


class SettingsSection(NamedTuple):
    """A page of the settings. `admin_only` hides the link; the route's need decides who may open the page."""

    label: str
    href: str
    admin_only: bool
    group: SettingsGroup = SettingsGroup.YOU


ACCOUNT = SettingsSection("Account", "/settings/account", admin_only=False)
APPEARANCE = SettingsSection("Appearance", "/settings/appearance", admin_only=False)
VIEWS = SettingsSection("Saved views", "/settings/views", admin_only=False)

PROJECTS = SettingsSection("Projects", "/settings/projects", admin_only=False, group=SettingsGroup.PROJECT)
ALERTS = SettingsSection("Alerts", "/alerts", admin_only=False, group=SettingsGroup.PROJECT)
TOKENS = SettingsSection("API tokens", "/settings/tokens", admin_only=False, group=SettingsGroup.PROJECT)

PEOPLE = SettingsSection("People", "/settings/people", admin_only=True, group=SettingsGroup.SERVER)
STORAGE = SettingsSection("Storage", "/settings/storage", admin_only=True, group=SettingsGroup.SERVER)
SYSTEM = SettingsSection("System", "/system", admin_only=False, group=SettingsGroup.SERVER)
LEDGER = SettingsSection("Ledger", "/ledger", admin_only=False, group=SettingsGroup.SERVER)

SECTIONS = (ACCOUNT, APPEARANCE, VIEWS, PROJECTS, ALERTS, TOKENS, PEOPLE, STORAGE, SYSTEM, LEDGER)

NavLink = TabLink  # what contexts of the settings call their tabs


@dataclass(frozen=True, slots=True)
class SettingsPage(Page):
    """The fields of `kit/settings_page.html`. `notice` says what the user just did."""

    shell: Shell
    nav: tuple[TabLink, ...]
    now_ms: int
    notice: str


def settings_nav(current: SettingsSection, *, is_admin: bool) -> tuple[TabLink, ...]:
    """The pages of the group of `current` that the person may open."""
    return tuple(
        TabLink(section.label, section.href, None, section is current)
        for section in SECTIONS
        if section.group is current.group and (is_admin or not section.admin_only)
    )


class SettingsRequest(NamedTuple):
    """Who looks at the overview, and the project that its middle group is about; `slug` is empty without one."""

    principal: Principal
    slug: str
    look: Look
    now_ms: int


class LineState(StrEnum):
    """How the value of a line is shown."""

    NORMAL = ""
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class SettingLine:
    """A line of the overview. Lines of a group are shown in the order of `rank`; `icon` is of kit/icons.svg."""

    group: SettingsGroup
    rank: int
    icon: str
    label: str
    value: str
    href: str
    state: LineState = LineState.NORMAL


def plural(count: int, noun: str) -> str:
    """`1 passkey`, `1,234 passkeys`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
