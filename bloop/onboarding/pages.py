"""Rows → the set-up page. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, urlencode

from bloop.issues.read import IssueRow
from bloop.onboarding.contexts import (
    ArrivedIssue,
    CodeBlock,
    KeyHelp,
    LanguagePanel,
    NextStep,
    SetupPage,
    SetupStep,
    Waiting,
)
from bloop.onboarding.languages import LANGUAGES, NO_KEY, SnippetLanguage, snippet
from bloop.projects.read import ProjectRow, key_created_at_ms
from bloop.site.contexts import Shell
from bloop.site.filters import relative
from bloop.site.links import issue_href, setup_href
from bloop.site.settings_nav import ALERTS, PEOPLE, PROJECTS, plural

INGEST_PATH = "/v1/ingest"
TEST_PROBLEMS = {
    "full": "The buffer is full: the test error was dropped, as any event would be right now.",
    "refused": "The test error was rejected. See the ledger, under recent rejections, for the reason.",
    "unavailable": "bloop cannot receive events right now.",
}
_KEY_UNUSED = "The key was shown when it was created. It can be shown again until its first use."
_KEY_USED = "The key was shown when it was created, and is in use. If it is lost, create a new one."


class SetupRows(NamedTuple):
    """What the page reads. `rejected` is the reason and time of the newest refused request that may be its."""

    project: ProjectRow
    newest: IssueRow | None
    people_count: int
    rule_count: int
    rejected: tuple[str, int] | None
    signal_id: int


def setup_page(
    shell: Shell,
    rows: SetupRows,
    *,
    key: str,
    may_manage: bool,
    is_admin: bool,
    origin: str,
    language: str,
    problem: str,
    now_ms: int,
) -> SetupPage:
    """`key` is empty unless this request created it or asked for it."""
    project, newest = rows.project, rows.newest
    page_href = setup_href(project.slug)
    return SetupPage(
        shell=shell,
        now_ms=now_ms,
        project_name=project.name,
        key=key,
        key_help=_key_help(rows, may_manage=may_manage),
        languages=tuple(_panels(page_href, origin.rstrip("/") + INGEST_PATH, key, language)),
        arrived=None if newest is None else _arrived(newest),
        next_steps=_next_steps(rows, is_admin=is_admin),
        waiting=_waiting(rows, now_ms),
        status_href=f"{page_href}/status",
        page_href=page_href,
        test_href=f"/projects/{quote(project.slug)}/test-event",
        test_problem=TEST_PROBLEMS.get(problem, ""),
        refreshes=not key and newest is None,
        stream_after=rows.signal_id,
        stream_project=project.public_id,
    )


def is_key_unused(rows: SetupRows) -> bool:
    """Nothing was ever signed with the key, as far as bloop knows: it may be shown again to those who manage it."""
    return rows.project.key_used_at_ms is None and rows.newest is None


def _key_help(rows: SetupRows, *, may_manage: bool) -> KeyHelp:
    project = rows.project
    is_unused = is_key_unused(rows)
    return KeyHelp(
        text=_KEY_UNUSED if is_unused else _KEY_USED,
        show_href=f"{setup_href(project.slug)}/key" if may_manage and is_unused else "",
        rotate_href=f"{PROJECTS.href}/{quote(project.slug)}/rotate" if may_manage else "",
        made_at_ms=key_created_at_ms(project),
    )


def _panels(page_href: str, ingest_url: str, key: str, chosen: str) -> Iterator[LanguagePanel]:
    """With a key on the page no link may lead away from it: tabs then lead to the other panels."""
    for name, language in LANGUAGES.items():
        query = urlencode({"lang": name})
        yield LanguagePanel(
            name=name,
            label=language.label,
            href=f"#lang-{name}" if key else f"{page_href}?{query}",
            is_chosen=name == chosen,
            is_hidden=name != chosen and not key,
            steps=tuple(_steps(name, language, snippet(name, ingest_url, key or NO_KEY))),
        )


def _steps(name: str, language: SnippetLanguage, program: str) -> Iterator[SetupStep]:
    lines = plural(program.count("\n") + 1, "line")
    caption = f"{language.file}, {lines}" if language.file else f"Shell, {lines}"
    answer = "" if language.file else 'It answers {"status":"accepted"}.'
    yield SetupStep(language.save, answer, CodeBlock(caption, program, f"snippet-{name}"))
    if language.is_command:
        yield SetupStep("Run it", "It prints “bloop says: accepted”.", CodeBlock("Shell", language.run, f"run-{name}"))
    elif language.run:
        yield SetupStep("Run it", language.run, None)
    if language.call:
        yield SetupStep("Call it where errors end up", "", CodeBlock(language.call_file, language.call, f"call-{name}"))


def _arrived(row: IssueRow) -> ArrivedIssue:
    return ArrivedIssue(
        issue_href(row.short_id), row.short_id, row.level, row.error_type or "Error", row.message, row.source or ""
    )


def _next_steps(rows: SetupRows, *, is_admin: bool) -> tuple[NextStep, ...]:
    invite = NextStep("people", "Invite teammates", f"{plural(rows.people_count, 'account')} so far", PEOPLE.href)
    alerts = NextStep("alerts", "Choose where alerts go", plural(rows.rule_count, "rule"), ALERTS.href)
    settings_href = f"{PROJECTS.href}/{quote(rows.project.slug)}"
    settings = NextStep(
        "settings", "Project settings", f"Issues are named {rows.project.short_prefix}-1", settings_href
    )
    return (invite, alerts, settings) if is_admin else (alerts, settings)


def _waiting(rows: SetupRows, now_ms: int) -> Waiting:
    used_at_ms = rows.project.key_used_at_ms
    used = (
        "The key has not been used yet." if used_at_ms is None else f"The key was used {relative(used_at_ms, now_ms)}."
    )
    reason, at_ms = rows.rejected or ("", None)
    return Waiting(used, reason, at_ms)
