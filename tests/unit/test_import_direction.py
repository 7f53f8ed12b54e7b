"""Which room may import which: the folder list reads as the path of one event, and imports only look back along it."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

GROUND = {"bloop", "errors", "clock", "outcomes", "config", "machine", "tuning", "credentials", "log", "systemd"}
GROUND |= {"instance", "memory", "meters"}
DECISIONS = {"alerts", "auth", "retention", "backup", "transfer"}

# Room → the rooms it may import besides itself. A new room takes its place here before it imports anything.
MAY_IMPORT: dict[str, set[str]] = {
    "bloop": set(),
    "errors": set(),
    "clock": set(),
    "outcomes": set(),
    "credentials": set(),
    "log": set(),
    "systemd": set(),
    "instance": {"errors"},
    "memory": set(),
    "meters": set(),
    "machine": set(),
    "tuning": {"machine"},
    "config": {"errors", "systemd", "machine", "tuning"},
    "wire": GROUND,
    "validate": GROUND,
    "fingerprint": GROUND | {"validate"},
    "record": GROUND | {"validate", "fingerprint"},
    "ring": GROUND,
    "query": GROUND,
    "lifecycle": GROUND,
    "storage": GROUND | {"validate", "record", "lifecycle", "query"},
    "auth": GROUND | {"query", "storage"},
    "retention": GROUND | {"query", "storage"},
    "backup": GROUND | {"query", "storage"},
    "alerts": GROUND | {"query", "storage"},
    "outbound": GROUND,
    "channels": GROUND | {"alerts", "outbound"},
    "transfer": GROUND | {"query", "storage", "alerts", "channels", "retention"},
    "pages": GROUND | {"lifecycle", "query"},
    "http": GROUND,
    "demo": GROUND | {"validate", "fingerprint", "record", "lifecycle"},
    "bench": GROUND | {"ring", "query", "storage", "pages"},
    "web": GROUND
    | DECISIONS
    | {"wire", "validate", "fingerprint", "record", "ring", "lifecycle", "query", "storage", "pages", "channels"},
    "cli": GROUND
    | DECISIONS
    | {"validate", "fingerprint", "record", "ring", "lifecycle", "query", "storage", "pages", "demo", "bench"}
    | {"channels"},
    "workers": GROUND
    | DECISIONS
    | {"wire", "validate", "fingerprint", "record", "ring", "lifecycle", "query", "storage", "http", "web", "channels"},
}
# Both halves of the demonstration data are one room.
ROOM_OF = {"demo_faults": "demo"}


def modules() -> list[Path]:
    return sorted(path for folder in ("bloop", "workers") for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module a file names in an import, wherever the statement stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their direction"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    """The room a dotted name lies in; None for other people's modules. `bloop.__version__` lies in `bloop` itself."""
    first, *rest = module.split(".")
    if first == "workers":
        return "workers"
    if first != "bloop":
        return None
    name = rest[0] if rest else "bloop"
    return "bloop" if name.startswith("__") else ROOM_OF.get(name, name)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_imports_only_look_back_along_the_path_of_an_event(path: Path):
    own = room_of(module_name(path))
    assert own in MAY_IMPORT, f"{own} is a room without a place in the direction"

    forbidden = {name for name in imports(path) if room_of(name) not in {None, own, *MAY_IMPORT[own]}}

    assert not forbidden


def test_directions_form_no_circle():
    order = list(graphlib.TopologicalSorter(MAY_IMPORT).static_order())  # raises CycleError

    assert set(order) == set(MAY_IMPORT)


def test_only_settings_read_the_environment():
    readers = {
        module_name(path)
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.environb", "os.getenv")
    }

    # The commands hand `os.environ` on: to the settings, and to the processes they start.
    assert readers <= {"bloop.base.config.loading", "bloop.command.context", "bloop.cli.system"}
