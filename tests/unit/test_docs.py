"""The documents say what the code does: settings, routes, commands, make targets, links.

A failing test prints the text the document should have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest
import yaml

import bloop
from bloop import features
from bloop.auth.access import Door
from bloop.auth.scopes import Scope
from bloop.base import clock, outcomes
from bloop.base.config import Settings
from bloop.base.rate_limit import RateLimiter
from bloop.base.reasons import Reason
from bloop.cli.main import main
from bloop.db.pool import DatabasePool
from bloop.ingest import limits
from bloop.ingest.app import mount_ingest
from bloop.ingest.dialects import native_event as event
from bloop.ingest.keys import ProjectKeys
from bloop.issues.read import Sort, Tab
from bloop.issues.status.model import SETTABLE
from bloop.site.app import create_dashboard_app
from bloop.site.deps import Deps, Hooks
from bloop.site.render import Renderer
from bloop.site.routes import Routes

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
CONFIGURATION = ROOT / "docs" / "configuration.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
API = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8"))
SECTIONS = {name: kind for name, kind in get_type_hints(Settings).items() if is_dataclass(kind)}
RESERVED = re.compile(r"Nothing reads this section yet")
METHODS = ("get", "put", "post", "delete", "patch")

_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


# Settings


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented_with_its_default(section: str) -> None:
    expected = "\n".join(_table(section))

    assert expected in _part(CONFIGURATION, f"[{section}]"), f"docs/configuration.md should say\n\n{expected}\n"


def test_no_section_is_documented_that_does_not_exist() -> None:
    documented = [h for h in _HEADING.findall(CONFIGURATION.read_text(encoding="utf-8")) if h.startswith("[")]

    assert documented == [f"[{section}]" for section in SECTIONS]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_called_unused_exactly_while_nothing_reads_it(section: str) -> None:
    use = re.compile(rf"settings\.{section}\b")
    code = {file for room in ("bloop", "workers") for file in (ROOT / room).rglob("*.py")}
    code -= set((ROOT / "bloop" / "base" / "config").iterdir())
    is_read = any(use.search(file.read_text(encoding="utf-8")) for file in code)
    is_read = is_read or section == "ring"  # through Settings.ring_name

    assert bool(RESERVED.search(_part(CONFIGURATION, f"[{section}]"))) != is_read


def _table(section: str) -> Iterator[str]:
    yield "| Key | Default | Range | Environment variable | Meaning |"
    yield "|---|---|---|---|---|"
    for field in fields(SECTIONS[section]):
        key = field.name.rstrip("_")
        variable = f"`BLOOP__{section}__{key}`".upper()
        yield f"| `{key}` | `{_toml(field.default)}` | {_range(field)} | {variable} | {field.metadata['doc']} |"


def _range(field: Any) -> str:
    low, high = (None if bound is None else f"{bound:,}".replace(",", " ") for bound in _bounds(field))
    if low is None:
        return ""
    return f"{low} to {high}" if high is not None else f"at least {low}"


def _bounds(field: Any) -> tuple[float | None, float | None]:
    return field.metadata["low"], field.metadata["high"]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else "[]" if value == () else str(value)


# Routes


@pytest.fixture(scope="module")
def routes() -> Routes:
    """The table of the whole dashboard process; nothing is opened for it."""
    settings = Settings()
    database = DatabasePool("/nowhere", pool_size=1, query_timeout_ms=1)
    deps = Deps(
        settings, database, lambda: None, lambda: None, Renderer(), clock.now_ms, Hooks.resolve(features.hooks())
    )
    keys = ProjectKeys(list, lambda: 1, "", lambda: None)

    def mount_signed(app: Any) -> None:
        mount_ingest(
            app,
            sink=None,  # type: ignore[arg-type]
            keys=keys,
            limits=limits.Limits(),
            rate_limit=RateLimiter(0, 1),
            trusted_proxies=(),
        )

    return create_dashboard_app(deps, features.mounts(), mount_signed)[1]


def test_api_document_lists_exactly_the_routes_there_are(routes: Routes) -> None:
    answered = {
        f"{method} {_plain(template)}"
        for (template, method), need in routes.table().items()
        if method != "HEAD" and (need.door is not Door.SIGNED or method == "POST")  # the others answer 405 there
    }
    documented = {
        f"{method.upper()} {path}" for path, item in API["paths"].items() for method in item if method in METHODS
    }

    assert documented == answered


def test_api_document_asks_for_the_credentials_the_routes_ask_for(routes: Routes) -> None:
    schemes = {
        Door.OPEN: [],
        Door.MACHINE: [{}, {"token": []}, {"session": []}],
        Door.SIGNED: [{"signature": []}, {"signature": [], "projectKey": []}],
        Door.CREDENTIAL: [{"token": []}, {"session": []}],
        Door.SESSION: [{"session": []}],
        Door.ADMIN: [{"session": []}],
    }
    for (template, method), need in routes.table().items():
        operation = API["paths"].get(_plain(template), {}).get(method.lower())
        if operation is not None:
            assert operation.get("security", API["security"]) == schemes[need.door], (method, template)


def test_api_document_knows_the_words_of_the_code() -> None:
    schemas, parameters = API["components"]["schemas"], API["components"]["parameters"]
    fields_of_event = schemas["Event"]["properties"]

    assert API["info"]["version"] == bloop.__version__
    assert schemas["Status"]["enum"] == list(SETTABLE)
    assert set(schemas["Reasons"]["items"]["enum"]) == set(Reason)
    assert fields_of_event["level"]["anyOf"][0]["enum"][:-2] == list(event.LEVELS)
    assert fields_of_event["environment"]["maxLength"] == limits.ENVIRONMENT_BYTES_MAX
    assert fields_of_event["message"]["maxLength"] == limits.Limits().message_bytes_max
    assert fields_of_event["stack"]["maxLength"] == limits.Limits().stack_bytes_max
    assert fields_of_event["fingerprint"]["maxLength"] == limits.FINGERPRINT_CHARS_MAX
    assert parameters["Hours"]["schema"]["default"] == 72
    given = [parameter for parameter in API["paths"]["/"]["get"]["parameters"] if "name" in parameter]
    page = {parameter["name"]: parameter["schema"].get("enum") for parameter in given}
    assert (page["tab"], page["sort"]) == (list(Tab), list(Sort))


def _plain(template: str) -> str:
    return re.sub(r"\{(\w+):\w+\}", r"{\1}", template)


# Words of the code in the prose


def test_architecture_names_every_outcome() -> None:
    text = _part(ARCHITECTURE, "The ledger")

    assert [outcome.label for outcome in outcomes.Outcome if f"`{outcome.label}`" not in text] == []


def test_architecture_names_every_table() -> None:
    text = _part(ARCHITECTURE, "Storage")

    assert [table.name for table in features.tables() if f"`{table.name}`" not in text] == []


def test_readme_names_every_scope() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [scope.value for scope in Scope if f"`{scope}`" not in text and scope.value.startswith("errors:")] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert [
        name for line in _code(document) for name in re.findall(r"\bmake ([a-z-]+)", line) if name not in targets
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_bloop_command_named_exists(document: Path) -> None:
    named = [words for line in _code(document) for words in re.findall(r"(?:^|[ /(])bloop ((?:[a-z-]+ ?)+)", line)]

    assert [words for words in named if not _is_command(words.split())] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_and_environment_variable_named_exists(document: Path) -> None:
    known = {f"{section}.{field.name.rstrip('_')}" for section, kind in SECTIONS.items() for field in fields(kind)}
    variables = {f"BLOOP__{key.upper().replace('.', '__')}" for key in known}
    named = [word for line in _code(document) for word in re.findall(r"\bBLOOP__\w+", line)]
    keys = [word for line in _code(document) for word in re.findall(rf"^(?:{'|'.join(SECTIONS)})\.\w+$", line)]

    placeholders = {"BLOOP__SECTION__KEY", "BLOOP__SECTION__KEY_FILE"}
    assert [word for word in named if word.removesuffix("_FILE") not in variables and word not in placeholders] == []
    assert [key for key in keys if key not in known and not key.endswith(".py")] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_named_exists(document: Path) -> None:
    rooms = ("bloop", "workers", "tests", "benchmarks", "templates", "docs")
    named = [word for line in _code(document) for word in re.findall(rf"^(?:{'|'.join(rooms)})/[\w./-]+$", line)]

    made = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert [name for name in named if name not in made and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    broken = []
    for link in _LINK.findall(text):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)

    assert broken == []


def _is_command(words: list[str]) -> bool:
    """Whether the words lead to a command; what follows one are its arguments."""
    command: click.Command = main
    for word in words:
        if not isinstance(command, click.Group):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return True


def _code(document: Path) -> list[str]:
    """Inline code and the lines of code blocks, without their comments."""
    text = document.read_text(encoding="utf-8")
    blocks = [re.sub(r"(^|\s)# .*", "", line) for block in _FENCE.findall(text) for line in block.splitlines()]
    return blocks + _CODE.findall(_FENCE.sub("", text))


def _part(document: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    text = document.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{document.name} has no heading {heading!r}"
    return found[1]


def _anchors(document: Path) -> set[str]:
    """Heading anchors as Git hosts make them."""
    headings = _HEADING.findall(_FENCE.sub("", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
