"""Contexts of the alert pages: rules, one rule with its channels, the delivery log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Option, TabLink
from bloop.site.settings_nav import SettingsPage

# Rules --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule in the list, as a sentence: notify `targets` when `condition` in `scope`. `targets` may be empty."""

    href: str
    name: str
    condition: str
    scope: str
    targets: tuple[str, ...]
    enabled: bool
    last_fired_at_ms: int | None
    may_change: bool


@dataclass(frozen=True, slots=True)
class AlertsPage(SettingsPage):
    """`/settings/alerts`. `fallbacks` serve rules without channels of their own; `failed` counts deliveries."""

    template: ClassVar[str] = "alerts/alerts.html"

    tabs: tuple[TabLink, ...]
    rules: tuple[RuleLine, ...]
    fallbacks: tuple[str, ...]
    failed: int


# One rule -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleForm:
    """The values of the form, as text. `project_name` replaces the select once the rule exists."""

    href: str
    name: str
    description: str
    types: tuple[Option, ...]
    threshold: str
    window_minutes: str
    multiplier: str
    compare_minutes: str
    baseline_minutes: str
    min_count: str
    fingerprint: str
    route: str
    projects: tuple[Option, ...]
    project_name: str
    environment: str
    environments: tuple[str, ...]
    source: str
    sources: tuple[str, ...]
    cooldown_minutes: str
    cooldown_default: str

    @property
    def has_more(self) -> bool:
        """Whether a field of the folded part has a value."""
        return bool(self.fingerprint or self.route or self.description)


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """A firing in the preview. `href` is empty without an issue."""

    at_ms: int
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Preview:
    """How often a rule would have fired in `days`: `count` times, of which `lines` are the newest."""

    days: int
    count: int
    lines: tuple[PreviewLine, ...]


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """A channel of the rule. `facts` are its settings without secrets."""

    href: str
    label: str
    target: str
    facts: tuple[tuple[str, str], ...]
    added_at_ms: int


@dataclass(frozen=True, slots=True)
class ChannelField:
    """A field of a channel's form. `kind` is text, url, email, password, or for several lines area or pairs."""

    id: str
    name: str
    label: str
    kind: str
    value: str
    placeholder: str
    required: bool


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """How to add a channel of one type."""

    type: str
    label: str
    help: str
    fields: tuple[ChannelField, ...]
    problem: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class TestLine:
    """The result of a test at one receiver; `answer` is empty until it answered."""

    label: str
    is_sent: bool
    answer: str


@dataclass(frozen=True, slots=True)
class TestResult:
    """`is_waiting`: not every receiver has answered; reload `href` for the rest."""

    at_ms: int
    lines: tuple[TestLine, ...]
    is_waiting: bool
    href: str


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
    enabled: bool
    created_at_ms: int
    created_by: str


@dataclass(frozen=True, slots=True)
class AlertPage(SettingsPage):
    """`/settings/alerts/{id}`, and `/settings/alerts/new`, where `rule` is None.

    `targets` are its own channels, `fallbacks` serve a rule without any. `foreign_note`: why it is read-only.
    """

    template: ClassVar[str] = "alerts/alert.html"

    problem: str
    form: RuleForm
    may_change: bool
    foreign_note: str
    preview: Preview | None
    rule: RuleView | None
    targets: tuple[str, ...]
    fallbacks: tuple[str, ...]
    channels: tuple[ChannelLine, ...]
    channel_forms: tuple[ChannelForm, ...]
    can_test: bool
    test: TestResult | None
    firings: tuple[FiringLine, ...]


# The log ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """A message to one receiver. `answer` is the receiver's, or why there is none; once sent, only `status`."""

    href: str
    state: str
    label: str
    text: str
    rule_name: str
    rule_href: str
    short_id: str
    issue_href: str
    is_test: bool
    attempts: int
    answer: str
    status: int | None
    created_at_ms: int
    sent_at_ms: int | None
    next_try_at_ms: int | None
    may_retry: bool
    may_dismiss: bool

    @property
    def has_actions(self) -> bool:
        return self.may_retry or self.may_dismiss


@dataclass(frozen=True, slots=True)
class DeliveriesPage(SettingsPage):
    """`/settings/alerts/deliveries`, all or of one state or rule. `older_href` is empty on the last page."""

    template: ClassVar[str] = "alerts/deliveries.html"

    tabs: tuple[TabLink, ...]
    states: tuple[TabLink, ...]
    rule_name: str
    all_href: str
    deliveries: tuple[DeliveryLine, ...]
    older_href: str
    dismissable: int
    is_filtered: bool
