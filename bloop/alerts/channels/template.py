"""Custom webhook bodies: a restricted Jinja that can only output values.

TEMPLATE-1  Output, `if`, comparisons, a few filters, and loops over `more`. No calls, arithmetic, assignment, macros or
            includes: a template always ends soon, and reads only the values it is given.
TEMPLATE-2  An unknown name is an error, not empty text.
TEMPLATE-3  The output is at most OUTPUT_BYTES_MAX.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import orjson
from jinja2 import StrictUndefined, TemplateError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bloop.alerts.message import AlertMessage, IssueFacts
from bloop.base.errors import BloopError

SOURCE_CHARS_MAX = 8192
OUTPUT_BYTES_MAX = 64 * 1024
DEPTH_MAX = 20
FILTERS_DEEP_MAX = 4  # each may double what it escapes

FILTERS = frozenset(
    "d default e escape first int last length lower round string title tojson trim truncate upper".split()  # noqa: SIM905
)
FILTERS_WITH_ARGUMENTS = frozenset(
    ("d", "default", "truncate")
)  # in other filters, arguments can make the output explode
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.For,
    nodes.Name,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Filter,
    nodes.Test,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.Concat,
    nodes.Keyword,
)


class BadTemplate(BloopError):
    """The template is invalid; the message is for its author."""


def render(source: str, values: Mapping[str, Any]) -> str:
    """Raises: BadTemplate."""
    pieces, bytes_left = [], OUTPUT_BYTES_MAX
    try:
        for piece in _compiled(source).generate(values):
            bytes_left -= len(piece.encode("utf-8", "replace"))
            if bytes_left < 0:
                raise BadTemplate(f"it gives more than {OUTPUT_BYTES_MAX // 1024} KiB")
            pieces.append(piece)
    except TemplateError as error:
        raise BadTemplate(error.message or type(error).__name__) from None
    except (TypeError, ValueError, ArithmeticError) as error:  # a filter or comparison got a value of the wrong type
        raise BadTemplate(str(error)) from None
    return "".join(pieces)


@functools.lru_cache(64)
def _compiled(source: str) -> Any:
    try:
        tree = _ENVIRONMENT.parse(source)
        _inspect(tree, depth=0, filters=0, looped=False)
        return _ENVIRONMENT.from_string(tree)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise BadTemplate(f"{error.message}{f' (line {line})' if line else ''}") from None
    except RecursionError:
        raise BadTemplate("it is nested too deeply") from None


def _inspect(node: nodes.Node, *, depth: int, filters: int, looped: bool) -> None:
    """Check TEMPLATE-1. Raises: BadTemplate."""
    line = f" (line {node.lineno})"
    if not isinstance(node, _ALLOWED):
        raise BadTemplate(f"{type(node).__name__.lower()} cannot be used here{line}")
    if isinstance(node, nodes.Filter):
        filters += 1
        if (node.args or node.kwargs) and node.name not in FILTERS_WITH_ARGUMENTS:
            raise BadTemplate(f"{node.name} takes no arguments here{line}")
        if node.name not in FILTERS:
            raise BadTemplate(f"there is no filter {node.name!r}; known: {', '.join(sorted(FILTERS))}{line}")
    if isinstance(node, nodes.For):
        if looped or node.recursive or not (isinstance(node.iter, nodes.Name) and node.iter.name == "more"):
            raise BadTemplate(f"a loop can only go over `more`, and not in another loop{line}")
        looped = True
    if depth > DEPTH_MAX or filters > FILTERS_DEEP_MAX:
        raise BadTemplate(f"it is nested too deeply{line}")
    for child in node.iter_child_nodes():
        _inspect(child, depth=depth + 1, filters=filters, looped=looped)


def _to_json(value: Any) -> str:
    """Unlike Jinja's own, no HTML escapes, and undefined values raise."""
    if isinstance(value, Undefined):
        str(value)  # raises with the name
    return orjson.dumps(value).decode()


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
_ENVIRONMENT.globals.clear()
_ENVIRONMENT.filters["tojson"] = _to_json

# A template is tried with these before it is stored: quotes, line breaks and markup in every text, with and without
# an issue.
_HOSTILE = 'Error: "quoted" \\ <b>&amp;</b>\n{{ 7 * 7 }} \u2028 \U0001f4a5'
SAMPLES = tuple(
    AlertMessage(
        rule_id=1,
        rule_name='New "issues"',
        rule_type="new_issue" if issue else "threshold",
        project_id="00000000-0000-4000-8000-000000000001",
        project_name='My "shop"',
        project_slug="my-shop",
        at_ms=1_700_000_000_000,
        text=_HOSTILE,
        url="https://errors.example.com/issues/SHOP-12",
        issue=issue,
        value=None if issue else 120.0,
        threshold=None if issue else 100.0,
        window_secs=None if issue else 300,
        more=(_HOSTILE,) * 3,
        more_count=2,
    )
    for issue in (
        IssueFacts(
            fingerprint="a1b2c3d4e5f60718",
            short_id="SHOP-12",
            title=_HOSTILE,
            error_type="Error",
            message=_HOSTILE,
            source="api",
            level="error",
            environment="production",
            release="1.4.2",
            route=None,
            culprit=None,
            event_count=47,
            user_count=3,
            first_seen_ms=1_700_000_000_000,
            last_seen_ms=1_700_000_000_000,
            url="https://errors.example.com/issues/SHOP-12",
        ),
        None,
    )
)
