"""Contexts of the pages about rules: the list, a rule with its form, the preview beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Option, Page, Shell, TabLink
from bloop.site.strip import Strip


@dataclass(frozen=True, slots=True)
class AlertArea(Page):
    """The fields of every page of alerts. `notice` says what the user just did."""

    shell: Shell
    now_ms: int
    notice: str


@dataclass(frozen=True, slots=True)
class TestLine:
    """The result of a test at one receiver; `took` and `detail` are empty until it answered.

    `answer` is the beginning of what it answered, empty where it may not be shown.
    """

    label: str
    is_sent: bool
    took: str
    detail: str
    answer: str

    @property
    def mark(self) -> str:
        return "good" if self.is_sent else "error" if self._is_answered else "off"

    @property
    def outcome(self) -> str:
        return "accepted it" if self.is_sent else "rejected it" if self._is_answered else "has not answered"

    @property
    def _is_answered(self) -> bool:
        return bool(self.took or self.detail)


@dataclass(frozen=True, slots=True)
class TestResult:
    """`is_waiting`: not every receiver has answered; reload `href` for the rest."""

    at_ms: int
    lines: tuple[TestLine, ...]
    is_waiting: bool
    href: str


# Rules --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule in the list: it notifies `targets` when `condition` in `scope`. `targets` may be empty."""

    href: str
    name: str
    condition: str
    scope: str
    targets: tuple[str, ...]
    is_default: bool  # the targets are the default channels
    enabled: bool
    last_fired_at_ms: int | None
    may_change: bool


@dataclass(frozen=True, slots=True)
class AlertsPage(AlertArea):
    """`/alerts`. `fallbacks` are the default channels; `failed` counts deliveries."""

    template: ClassVar[str] = "alerts/alerts.html"

    tabs: tuple[TabLink, ...]
    rules: tuple[RuleLine, ...]
    fallbacks: tuple[str, ...]
    failed: int


# One rule -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChannelOption:
    """A channel that the rule may notify. `project` is the slug it is for, empty for all."""

    id: int
    label: str
    detail: str
    project: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class NewChannelFields:
    """A channel to make with the rule. `placeholders` are by type; `is_open` where there is none to choose yet."""

    types: tuple[Option, ...]
    placeholders: tuple[tuple[str, str], ...]
    address: str
    name: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class RuleForm:
    """The values of the form, as text. `project_name` replaces the select once the rule exists."""

    href: str
    preview_href: str
    name: str
    default_name: str
    description: str
    types: tuple[Option, ...]
    threshold: str
    window_minutes: str
    multiplier: str
    compare_minutes: str
    baseline_minutes: str
    min_count: str
    issue: str
    route: str
    projects: tuple[Option, ...]
    project_name: str
    environment: str
    environments: tuple[str, ...]
    source: str
    sources: tuple[str, ...]
    cooldown_minutes: str
    cooldown_default: str
    channels: tuple[ChannelOption, ...]
    new_channel: NewChannelFields

    @property
    def has_more(self) -> bool:
        """Whether a field of the folded part has a value."""
        return bool(self.source or self.route or self.cooldown_minutes or self.description)


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """A firing in the preview. `href` is empty without an issue."""

    at_ms: int
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Preview:
    """How often a rule would have fired in `days`: `count` times, of which `lines` are the newest.

    `problem`: why the form describes no rule yet.
    """

    days: int
    count: int
    lines: tuple[PreviewLine, ...]
    strip: Strip | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PreviewPart(Page):
    """The answer to the form's script: the preview alone."""

    template: ClassVar[str] = "alerts/preview.html"

    preview: Preview
    now_ms: int


@dataclass(frozen=True, slots=True)
class FiringLine:
    at_ms: int
    text: str
    short_id: str
    href: str
    is_test: bool
    outcome: str


@dataclass(frozen=True, slots=True)
class RuleView:
    """The stored rule beside its form."""

    href: str
    log_href: str
    name: str
    enabled: bool
    created_at_ms: int
    created_by: str
    condition: str
    scope: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertPage(AlertArea):
    """`/alerts/{id}`, and `/alerts/new`, where `rule` is None.

    `fallbacks` serve a rule without any channel. `foreign_note`: why it is read-only.
    """

    template: ClassVar[str] = "alerts/alert.html"

    problem: str
    form: RuleForm
    may_change: bool
    foreign_note: str
    preview: Preview | None
    rule: RuleView | None
    fallbacks: tuple[str, ...]
    can_test: bool
    test: TestResult | None
    firings: tuple[FiringLine, ...]
