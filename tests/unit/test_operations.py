"""docs/operations.md explains every word that bloop uses to say how it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bloop.base.outcomes import Outcome
from bloop.base.reasons import STOPS_SERVICE, Reason
from bloop.cli.status import REMEDIES
from bloop.health import problems as system
from bloop.health.checks import PARTS
from bloop.health.problems import LIMIT_NEAR, RING_PRESSURE

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def explained(heading: str) -> list[str]:
    """The words in code in the first column of the tables under a heading, in order."""
    part = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert part, f"no heading {heading}"
    rows = re.findall(r"^\| (`[^|]*) \|", part[1], re.MULTILINE)
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


def test_every_reason_and_banner_is_explained_in_the_order_of_their_weight() -> None:
    assert explained("Reasons and banners") == [*Reason, LIMIT_NEAR, RING_PRESSURE]
    assert set(system._TEXTS) == {*Reason, LIMIT_NEAR, RING_PRESSURE}
    assert set(REMEDIES) == set(Reason)
    assert sorted(name for part in PARTS for name in part.names) == sorted(system._TEXTS), "CHECK-1"
    assert list(Reason)[:6] == [reason for reason in Reason if reason in STOPS_SERVICE], (
        "the manual says: the first six"
    )


def test_every_outcome_is_explained() -> None:
    assert sorted(explained("Where an event went")) == sorted(outcome.label for outcome in Outcome)


def actions() -> Iterator[str]:
    """What stands in `extra={"action": …}` of a log call, or in a constant or variable for one."""
    for room in ("bloop", "workers"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Dict):
                    for key, value in zip(node.keys, node.values, strict=True):
                        if isinstance(key, ast.Constant) and key.value == "action":
                            yield from (n.value for n in ast.walk(value) if _is_word(n))


def _is_word(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != "action"


def test_every_action_of_the_log_is_explained_and_no_other() -> None:
    assert sorted(set(explained("The log"))) == sorted(set(actions()))


def test_every_log_line_has_an_action() -> None:
    """Collectors go by it."""
    silent = []
    for room in ("bloop", "workers"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in ("log", "logger")
                    and node.func.attr in ("info", "warning", "error", "exception", "critical")
                    and not any(keyword.arg == "extra" for keyword in node.keywords)
                ):
                    silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert silent == []
