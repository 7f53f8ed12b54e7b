"""Rows and submitted input → the form of a rule and the preview beside it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bloop.alerts.contexts import ChannelOption, NewChannelFields, Preview, PreviewLine, RuleForm
from bloop.alerts.firing.wording import line
from bloop.alerts.places import ALERTS_PATH, PREVIEW_PATH, rule_path
from bloop.alerts.rules import words
from bloop.alerts.rules.forms import chosen_channels
from bloop.alerts.rules.look_back import DAYS, RulePreview
from bloop.alerts.rules.read import RuleRow
from bloop.alerts.saved_channels.guides import GUIDES
from bloop.alerts.saved_channels.pages import hint_of, label_of
from bloop.alerts.saved_channels.read import SavedChannel
from bloop.base.clock import HOUR_MS
from bloop.projects.read import ProjectRow
from bloop.site.contexts import Option
from bloop.site.links import issue_href
from bloop.site.scope import Window
from bloop.site.strip import make_strip

PREVIEW_BARS_MAX = 28  # of eight hours each


class FormData(NamedTuple):
    """What the form of a rule offers. `attached` are the rule's channels, `short_id` names the issue it watches."""

    projects: Sequence[ProjectRow] = ()  # that the user may create rules for
    is_admin: bool = False
    environments: Sequence[str] = ()
    sources: Sequence[str] = ()
    cooldown_default_s: int = 0
    channels: Sequence[SavedChannel] = ()
    attached: frozenset[int] = frozenset()
    short_id: str = ""


def rule_form(rule: RuleRow | None, data: FormData, form: Mapping[str, str]) -> RuleForm:
    """`form` holds the submitted values, or those that a link chose for a new rule; empty for a stored one as it is."""
    values = words.form_values(rule) if rule and not form else form
    chosen = words.form_value(values, "type")
    return RuleForm(
        href=ALERTS_PATH if rule is None else rule_path(rule.id),
        preview_href=PREVIEW_PATH if rule is None else f"{rule_path(rule.id)}/preview",
        name=values.get("name", ""),
        default_name=words.default_rule_name({"type": chosen, "environment": values.get("environment", "")}),
        description=values.get("description", ""),
        types=tuple(Option(name, label.capitalize(), name == chosen) for name, label in words.TYPES.items()),
        threshold=words.form_value(values, "threshold"),
        window_minutes=words.form_value(values, "window_minutes"),
        multiplier=words.form_value(values, "multiplier"),
        compare_minutes=words.form_value(values, "compare_minutes"),
        baseline_minutes=words.form_value(values, "baseline_minutes"),
        min_count=words.form_value(values, "min_count"),
        issue=data.short_id if rule and not form else values.get("fingerprint", ""),
        route=values.get("route", ""),
        projects=_projects(data, values.get("project", "")),
        project_name="" if rule is None else rule.project_name or words.ALL_PROJECTS,
        environment=values.get("environment", ""),
        environments=tuple(data.environments),
        source=values.get("source", ""),
        sources=tuple(data.sources),
        cooldown_minutes=values.get("cooldown_minutes", ""),
        cooldown_default=words.format_minutes(data.cooldown_default_s),
        channels=_channels(data, chosen_channels(form) if form else data.attached),
        new_channel=_new_channel(form, is_open=not data.channels or bool(form.get("new_address"))),
    )


def preview_part(preview: RulePreview) -> Preview:
    window = Window(preview.since_ms - preview.since_ms % HOUR_MS, preview.until_ms + 1, HOUR_MS, is_running=True)
    lines = (
        PreviewLine(message.at_ms, line(message.issue), issue_href(message.issue.short_id))
        if message.issue
        else PreviewLine(message.at_ms, message.text, "")
        for message in preview.newest
    )
    counts = [(at_ms, 1) for at_ms in preview.fired_at_ms]
    strip = make_strip(counts, window, bars_max=PREVIEW_BARS_MAX) if counts else None
    return Preview(DAYS, preview.fired_count, tuple(lines), strip)


def preview_problem(problem: str) -> Preview:
    """In place of a preview: why the form describes no rule."""
    return Preview(DAYS, 0, (), None, problem)


def _projects(data: FormData, chosen: str) -> tuple[Option, ...]:
    everything = [Option("", words.ALL_PROJECTS.capitalize(), chosen == "")] if data.is_admin else []
    return (*everything, *(Option(p.slug, p.name, p.slug == chosen) for p in data.projects))


def _channels(data: FormData, chosen: frozenset[int]) -> tuple[ChannelOption, ...]:
    return tuple(
        ChannelOption(
            id=row.id,
            label=label_of(row),
            detail=f"{words.channel_name(row.channel_type)}, {hint_of(row)}",
            project=row.project_slug or "",
            chosen=row.id in chosen,
        )
        for row in data.channels
    )


def _new_channel(form: Mapping[str, str], *, is_open: bool) -> NewChannelFields:
    """The address of a URL is not sent back: it is a secret."""
    chosen = form.get("new_type") or "slack"
    simple = {kind: spec for kind, guide in GUIDES.items() if (spec := guide.only_field) is not None}
    return NewChannelFields(
        types=tuple(Option(kind, words.channel_name(kind), kind == chosen) for kind in simple),
        placeholders=tuple((kind, spec.placeholder) for kind, spec in simple.items()),
        address=form.get("new_address", "") if chosen == "email" else "",
        name=form.get("new_name", ""),
        is_open=is_open,
    )
