"""Every text a person can read is plain English: pages, scripts, mails, messages, command help and documents.

A pattern here is a translated idiom, an actor that is not named, or a word for which the field has another. Each has
its reason, the better word, and an example that the pattern must find. Code is left out: what is in backticks, in
<code>, in the name or value of a form field, in comments and in docstrings.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import yaml

from bloop.cli.main import main

ROOT = Path(__file__).parents[2]


class Banned(NamedTuple):
    pattern: str
    why: str
    better: str
    example: str


NO_ACTOR = "who or what is meant?"
BANNED = (
    Banned(r"\b(nobody|somebody|everybody|anybody)\b", NO_ACTOR, "no user, all users, a client", "Nobody is told."),
    Banned(r"\b(whoever|whatever)\b", NO_ACTOR, "the user who, any", "Tell whoever is added next"),
    Banned(r"\banew\b", "old", "again", "it begins anew"),
    Banned(r"\b(go|goes|went|going) on\b(?! to )", "idiom", "continue", "Storing goes on."),
    Banned(r"\bby (itself|themselves)\b", "idiom", "automatically, alone, separately", "It ends by itself."),
    Banned(r"\bwhat (becomes|became|will become) of\b", "idiom", "outcome", "What became of it"),
    Banned(r"\b(is|are|was|were|been|be) told\b|\btold so\b|\btell(s|ing)? (them|whom|somebody)\b",
           "messages are sent", "notify, send, get", "The client is told `dropped`."),
    Banned(r"\b(for ever|for good)\b", "idiom", "forever, permanently", "Totals stay for ever."),
    Banned(r"\bon trial\b", "idiom", "test restore", "restored on trial"),
    Banned(r"\b(is|are) well\b|\bails?\b", "people are well", "healthy, problems", "bloop is well"),
    Banned(r"\bstand(s|ing)? still\b", "idiom", "stopped, interrupted", "The writer stands still."),
    Banned(r"\b(will|would|does) not do\b|\bwon't do\b", "idiom", "is invalid", "A field will not do."),
    Banned(r"\b(issues?|it|them|one) (came|comes?) back\b|\b(brings?|bringing) (it |them )?back\b|^Came back",
           "an issue regresses", "regress, open again", "It comes back if it happens again."),
    Banned(r"\basked for\b", "idiom", "requested", "as many asked for by hand"),
    Banned(r"\b(no|more|make|free|enough) room\b|\broom (for|left|in the|that)\b", "a room has walls", "space, disk",
           "There is no room for a copy."),
    Banned(r"\bunless (told|said) otherwise\b", "idiom", "by default", "for good unless told otherwise"),
    Banned(r"\bsees? to\b|\blooks? after\b|\btakes? along\b", "idiom", "handle, assign, delete",
           "until an admin sees to it"),
    Banned(r"\b(was|were|been|get|gets) pruned\b", "jargon", "expire, delete", "this event was pruned"),
    Banned(r"\bbodies go\b|\bNumbers are kept\b", "which bodies?", "Counts are kept forever; event details expire.",
           "Numbers are kept, bodies go"),
    Banned(r"\bNothing is called\b|\bis called so\b", "idiom", "No matches", "Nothing is called so"),
    Banned(r"\b(Take back|Runs out|Signed in on|Name of the new one)\b", "the field's word", "Revoke, Expires",
           "Runs out in 3 d"),
    Banned(r"\bof just now\b|\bdid not take it\b", "idiom", "sent just now, rejected it", "Test of just now"),
    Banned(r"\bit is not yours\b|\bnot yours to see\b", "idiom", "you don't have access", "it is not yours to see"),
    Banned(r"\b(Make|Made) (this|a|the) (rule|channel|project|token)\b", "the field's word", "Create",
           "Make this rule"),
    Banned(r"\b(Look|Looks|Looking) again\b", "idiom", "Check again", "Look again"),
    Banned(r"\bWho may what\b|\bWho is told\b", "idiom", "Access, Channels", "Who is told"),
    Banned(r"\bOops\b|\bUh[- ]oh\b|\bSorry\b|\bPlease try\b", "no jokes", "what to do", "Oops, that failed"),
    Banned(r"\bAre you sure\b", "ask about the effect", "Rotate this key?", "Are you sure?"),
)  # fmt: skip
# Patterns that hold for words on pages and in messages, but not for the longer prose of the documents.
SHORT_TEXTS = (
    Banned(r"[a-z]!(?=$|[\"'<\s])", "nothing here is that exciting", "a full stop, or none", "Saved!"),
    Banned(r"\b(simply|easily|just (click|run|add))\b", "it is not simple for the reader", "leave it out",
           "Simply add a channel"),
    Banned(r"\bAn error (has )?occurred\b", "says nothing", "what happened, what to do", "An error occurred"),
)  # fmt: skip


class Text(NamedTuple):
    place: str
    text: str


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def templates() -> list[Text]:
    """Lines of pages, mails, snippets and scripts."""
    folder = ROOT / "templates"
    paths = sorted(path for suffix in ("html", "js", "txt") for path in folder.rglob(f"*.{suffix}"))
    return [text for path in paths if path.parent.name != "fonts" for text in _lines_of_template(path)]


def _lines_of_template(path: Path) -> Iterator[Text]:
    content = path.read_text(encoding="utf-8")
    content = re.sub(r"{#.*?#}", lambda match: "\n" * match[0].count("\n"), content, flags=re.DOTALL)
    for number, line in enumerate(content.splitlines(), 1):
        if path.suffix == ".js":
            line = re.sub(r"(^|\s)//.*", "", line)
        line = re.sub(r"<code>.*?</code>|\b(?:name|value)=\"[^\"]*\"", "", line)
        yield Text(f"{relative(path)}:{number}", line)


@cache
def strings() -> list[Text]:
    """String constants with several words: messages, errors, labels. Docstrings are for developers."""
    paths = sorted([*(ROOT / "bloop").rglob("*.py"), *(ROOT / "workers").rglob("*.py")])
    return [text for path in paths if path.parent.name != "demo" for text in _strings_of(path)]  # it invents events


def _strings_of(path: Path) -> Iterator[Text]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    comments = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in comments:
            text = re.sub(r"\S*:nobody|--nobody", "", node.value)
            if " " in text.strip() and not re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|EXPLAIN)\b", text):
                yield Text(f"{relative(path)}:{node.lineno}", text)


@cache
def help_texts() -> list[Text]:
    """The help of every command and option."""
    return list(_help_of(main, "bloop"))


def _help_of(command: click.Command, path: str) -> Iterator[Text]:
    yield Text(path, command.help or "")
    for param in command.params:
        if isinstance(param, click.Option):
            yield Text(f"{path} {param.opts[0]}", param.help or "")
    if isinstance(command, click.Group):
        for name, member in command.commands.items():
            yield from _help_of(member, f"{path} {name}")


@cache
def documents() -> list[Text]:
    """Paragraphs of the manual, without code."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [text for path in paths for text in _paragraphs_of(path)]


def _paragraphs_of(path: Path) -> Iterator[Text]:
    content = re.sub(
        r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), path.read_text(encoding="utf-8"), flags=re.M | re.S
    )
    number = 1
    for paragraph in content.split("\n\n"):
        text = re.sub(r"`[^`]*`", "`…`", paragraph)
        yield Text(f"{relative(path)}:{number}", " ".join(text.split()))
        number += paragraph.count("\n") + 2


@cache
def api_texts() -> list[Text]:
    """Summaries and descriptions of the API's document."""
    return list(_described(yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8")), "openapi"))


def _described(value: Any, place: str) -> Iterator[Text]:
    if isinstance(value, dict):
        for key, member in value.items():
            if key in ("summary", "description") and isinstance(member, str):
                yield Text(place, re.sub(r"`[^`]*`", "`…`", " ".join(member.split())))
            else:
                yield from _described(member, f"{place}.{key}")
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _described(member, f"{place}[{number}]")


# With how many texts there are at least: a test that finds no files must not pass.
SOURCES = {
    "templates": (templates, 1000),
    "strings": (strings, 1500),
    "help": (help_texts, 100),
    "documents": (documents, 700),
    "api": (api_texts, 600),
}


def broken(texts: list[Text], banned: tuple[Banned, ...]) -> list[str]:
    return [
        f"{text.place}: “{found[0]}” ({rule.why}): write {rule.better}"
        for rule in banned
        for text in texts
        if (found := re.search(rule.pattern, text.text, re.IGNORECASE))
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_there_are_texts_to_look_at(source: str) -> None:
    find, at_least = SOURCES[source]

    assert len(find()) >= at_least


@pytest.mark.parametrize("rule", [*BANNED, *SHORT_TEXTS], ids=lambda rule: rule.example)
def test_every_pattern_finds_its_example(rule: Banned) -> None:
    assert broken([Text("here", rule.example)], (rule,)) != []


@pytest.mark.parametrize("source", SOURCES)
def test_no_text_has_a_banned_word(source: str) -> None:
    assert broken(SOURCES[source][0](), BANNED) == []


@pytest.mark.parametrize("source", ["templates", "strings", "help"])
def test_short_texts_neither_shout_nor_belittle(source: str) -> None:
    assert broken(SOURCES[source][0](), SHORT_TEXTS) == []


# The glossary


def test_the_glossary_explains_the_terms_of_the_interface() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\*\*([^*]+)\*\*", text, re.MULTILINE)

    assert terms == sorted(terms, key=str.casefold), "in alphabetical order"
    assert len(terms) == len(set(terms))
    assert {
        "Event", "Issue", "Fingerprint", "Release", "Environment", "Scope", "Regressed", "Muted", "Ignored", "Ring",
        "Spill", "Ledger", "Project key", "Token", "Rule", "Channel", "Delivery", "Still firing", "Overflow",
    } <= set(terms)  # fmt: skip


@pytest.mark.parametrize("document", ["README.md", "docs/dashboard.md", "docs/operations.md"])
def test_the_glossary_is_linked(document: str) -> None:
    assert "glossary.md" in (ROOT / document).read_text(encoding="utf-8")
