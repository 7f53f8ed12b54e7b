"""Contexts of the pages about channels: the list, and one channel with its form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.alerts.contexts import AlertArea, TestResult
from bloop.site.contexts import Option, TabLink


@dataclass(frozen=True, slots=True)
class RuleLink:
    name: str
    href: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class LastMessage:
    """The newest delivery: its state, and the answer unless it was sent."""

    state: str
    at_ms: int
    answer: str


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """A channel in the list. `project` is empty for all projects, `last` None before the first message."""

    href: str
    label: str
    kind: str
    target: str
    project: str
    rules: tuple[RuleLink, ...]
    last: LastMessage | None
    may_change: bool


@dataclass(frozen=True, slots=True)
class ChannelsPage(AlertArea):
    """`/alerts/channels`. `fallbacks` are the default channels of the configuration."""

    template: ClassVar[str] = "alerts/channels.html"

    tabs: tuple[TabLink, ...]
    channels: tuple[ChannelLine, ...]
    fallbacks: tuple[str, ...]
    may_create: bool


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
class ChannelKind:
    """How a channel of one type is described: help and fields."""

    type: str
    label: str
    help: str
    fields: tuple[ChannelField, ...]


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """`kinds` is the chosen type alone, and the others where the page has a script that shows them in turn.

    `projects` are the choices of a new channel; `project_name` is that of a stored one.
    """

    href: str
    name: str
    types: tuple[Option, ...]
    kinds: tuple[ChannelKind, ...]
    projects: tuple[Option, ...]
    project_name: str


@dataclass(frozen=True, slots=True)
class ChannelView:
    """The stored channel. `facts` are its settings without secrets."""

    href: str
    kind: str
    target: str
    facts: tuple[tuple[str, str], ...]
    created_at_ms: int
    rules: tuple[RuleLink, ...]
    is_named: bool


@dataclass(frozen=True, slots=True)
class ChannelPage(AlertArea):
    """`/alerts/channels/{id}`, and `/alerts/channels/new`, where `channel` is None."""

    template: ClassVar[str] = "alerts/channel.html"

    title: str
    problem: str
    form: ChannelForm
    may_change: bool
    foreign_note: str
    channel: ChannelView | None
    test: TestResult | None
