"""Rows → the pages about channels. Pure, apart from reading what a config shows of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bloop.alerts import channels
from bloop.alerts.contexts import TestResult
from bloop.alerts.notices import NOTICES
from bloop.alerts.places import CHANNELS_PATH, channel_path, rule_path
from bloop.alerts.rules import words
from bloop.alerts.saved_channels.contexts import (
    ChannelField,
    ChannelForm,
    ChannelKind,
    ChannelLine,
    ChannelPage,
    ChannelsPage,
    ChannelView,
    LastMessage,
    RuleLink,
)
from bloop.alerts.saved_channels.guides import GUIDES, SECRET_KINDS, FieldSpec
from bloop.alerts.saved_channels.read import ChannelUse, LastDelivery, SavedChannel
from bloop.alerts.tabs import alert_tabs
from bloop.projects.read import ProjectRow
from bloop.site.contexts import Option, Shell

FACT_CHARS_MAX = 80
FOREIGN = "Only admins and the project's creator can change this channel."
FOREIGN_ALL = "Only admins can change a channel for all projects."


def channels_page(
    shell: Shell,
    rows: Sequence[tuple[SavedChannel, bool]],
    uses: Mapping[int, Sequence[ChannelUse]],
    last: Mapping[int, LastDelivery],
    fallbacks: Sequence[tuple[str, str]],
    *,
    may_create: bool,
    failed: int,
    notice: str,
    now_ms: int,
) -> ChannelsPage:
    """`rows` come with whether the user may change them, `fallbacks` are types with their targets."""
    return ChannelsPage(
        shell=shell,
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        tabs=alert_tabs(failed, current=CHANNELS_PATH),
        channels=tuple(
            ChannelLine(
                href=channel_path(row.id),
                label=label_of(row),
                kind=words.channel_name(row.channel_type),
                target=hint_of(row),
                project=row.project_name or "",
                rules=_links(uses.get(row.id, ())),
                last=_last(last.get(row.id)),
                may_change=may_change,
            )
            for row, may_change in rows
        ),
        fallbacks=tuple(words.channel_label(kind, target) for kind, target in fallbacks),
        may_create=may_create,
    )


class ChannelPageData(NamedTuple):
    """The data of a channel's page besides the channel."""

    projects: Sequence[ProjectRow] = ()  # that the user may create channels for
    is_admin: bool = False
    uses: Sequence[ChannelUse] = ()


def channel_page(
    shell: Shell,
    row: SavedChannel | None,
    data: ChannelPageData,
    form: Mapping[str, str],
    *,
    may_change: bool,
    test: TestResult | None = None,
    notice: str = "",
    problem: str = "",
    now_ms: int,
) -> ChannelPage:
    """`form` holds the submitted values, empty on a GET."""
    is_foreign_all = row is None or row.project_id is None
    return ChannelPage(
        shell=shell,
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        title="New channel" if row is None else label_of(row),
        problem=problem,
        form=_form(row, data, form),
        may_change=may_change,
        foreign_note="" if may_change else FOREIGN_ALL if is_foreign_all else FOREIGN,
        channel=None if row is None else _view(row, data.uses),
        test=test,
    )


def label_of(row: SavedChannel) -> str:
    """The name, or type and receiver of a channel without one."""
    return row.name or words.channel_label(row.channel_type, channels.target(row.channel_type, row.config))


def hint_of(row: SavedChannel) -> str:
    """The receiver, as far as it may be shown: `https://hooks.slack.com/…XyZ9` tells two channels of Slack apart."""
    shown = channels.redacted(row.channel_type, row.config)
    return str(shown.get("webhook_url") or shown.get("url") or channels.target(row.channel_type, row.config))


def kind_forms(form: Mapping[str, str]) -> tuple[ChannelKind, ...]:
    """Every type with its fields; submitted values stay, except secrets."""
    return tuple(
        ChannelKind(
            type=kind,
            label=words.channel_name(kind),
            help=guide.help,
            fields=tuple(_field(kind, spec, form) for spec in guide.fields),
        )
        for kind, guide in GUIDES.items()
    )


def _form(row: SavedChannel | None, data: ChannelPageData, form: Mapping[str, str]) -> ChannelForm:
    chosen = form.get("type") or ("slack" if row is None else row.channel_type)
    project = form.get("project", "")
    everything = [Option("", words.ALL_PROJECTS.capitalize(), project == "")] if data.is_admin else []
    return ChannelForm(
        href=CHANNELS_PATH if row is None else channel_path(row.id),
        name=form.get("name", "" if row is None else row.name or ""),
        types=tuple(Option(kind, words.channel_name(kind), kind == chosen) for kind in GUIDES),
        kinds=kind_forms(form),
        projects=(*everything, *(Option(p.slug, p.name, p.slug == project) for p in data.projects)),
        project_name="" if row is None else row.project_name or words.ALL_PROJECTS.capitalize(),
    )


def _field(kind: str, spec: FieldSpec, form: Mapping[str, str]) -> ChannelField:
    name = f"{kind}-{spec.name}"
    return ChannelField(
        id=f"field-{name}",
        name=name,
        label=spec.label,
        kind=spec.kind,
        value=form.get(name, "") if spec.kind not in SECRET_KINDS else "",
        placeholder=spec.placeholder,
        required=spec.required,
    )


def _view(row: SavedChannel, uses: Sequence[ChannelUse]) -> ChannelView:
    shown = channels.redacted(row.channel_type, row.config)
    return ChannelView(
        href=channel_path(row.id),
        kind=words.channel_name(row.channel_type),
        target=channels.target(row.channel_type, row.config),
        facts=tuple(_fact(name, value) for name, value in shown.items() if value),
        created_at_ms=row.created_at_ms,
        rules=_links(uses),
        is_named=row.name is not None,
    )


def _fact(name: str, value: object) -> tuple[str, str]:
    """Name and short value; of mappings such as headers only the names."""
    text = ", ".join(map(str, value)) if isinstance(value, Mapping) else " ".join(str(value).split())
    label = name.replace("_", " ").replace("url", "URL")
    return label[:1].upper() + label[1:], text if len(text) <= FACT_CHARS_MAX else f"{text[:FACT_CHARS_MAX]}…"


def _links(uses: Sequence[ChannelUse]) -> tuple[RuleLink, ...]:
    return tuple(RuleLink(use.rule_name, rule_path(use.rule_id), use.enabled) for use in uses)


def _last(row: LastDelivery | None) -> LastMessage | None:
    if row is None:
        return None
    answer = "" if row.state == "sent" else words.describe_answer(row.last_error, row.last_status)
    return LastMessage(row.state, row.created_at_ms, answer)
