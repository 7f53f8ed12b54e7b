"""Counts which file imports which, and how many imports stay inside a room. It reads the source and imports nothing.

A room is the first folder below `bloop/`; `workers/` is one room, and so are the files directly in `bloop/`.
An import is a pair of files, counted once however many names or statements it has.

Rooms of the spine exist to be imported by all others: clock and errors, database, the kit of pages. The imports that
remain without them show how well the rooms are cut, so both shares are counted. Imports that stay inside a room
of the spine are never left out.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("bloop", "workers")
SPINE = {"base", "ring", "http", "outbound", "db", "auth", "records", "grouping", "ingest", "pipeline", "site"}
SPINE_BEFORE = {"bloop", "config", "wire", "validate", "fingerprint"}  # rooms of the spine in older commits


class Import(NamedTuple):
    """One file importing another, as module names."""

    importer: str
    imported: str


class TwoWay(NamedTuple):
    """Two rooms that import each other, and how often."""

    room: str
    other: str  # later in the alphabet
    there: int  # imports of `other` by files of `room`
    back: int


class ImportFigures(NamedTuple):
    files: int
    imports: int
    inside: int  # imports that stay inside their room
    to_spine: int  # imports of the spine by other rooms
    rooms: int
    two_way: list[TwoWay]

    @property
    def inside_share(self) -> float:
        return self.inside / self.imports if self.imports else 0.0

    @property
    def inside_share_without_spine(self) -> float:
        counted = self.imports - self.to_spine
        return self.inside / counted if counted else 0.0


def measure_imports(tree: Path) -> ImportFigures:
    """The figures of the checkout at `tree`."""
    modules = find_modules(tree)
    rooms = {module: room_of(path.relative_to(tree)) for module, path in modules.items()}
    imports = {pair for module, path in modules.items() for pair in imports_of(module, path, modules)}
    between = Counter((rooms[pair.importer], rooms[pair.imported]) for pair in imports)
    return ImportFigures(
        files=len(modules),
        imports=len(imports),
        inside=sum(count for (importer, imported), count in between.items() if importer == imported),
        to_spine=sum(
            count
            for (importer, imported), count in between.items()
            if importer != imported and imported in SPINE | SPINE_BEFORE
        ),
        rooms=len(set(rooms.values())),
        two_way=sorted(
            TwoWay(room, other, count, between[other, room])
            for (room, other), count in between.items()
            if room < other and (other, room) in between
        ),
    )


def find_modules(tree: Path) -> dict[str, Path]:
    """Every file of the server by its module name; a package's `__init__.py` has the package's name."""
    files = sorted(path for package in PACKAGES for path in (tree / package).rglob("*.py"))
    return {".".join(path.relative_to(tree).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports_of(module: str, path: Path, modules: dict[str, Path]) -> Iterator[Import]:
    """The imports of `modules` by one file, anywhere in it. May name a pair twice."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{path}:{node.lineno}: relative imports are not used here"
            assert node.level == 0, f"{path}:{node.lineno}: relative imports are not used here"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else node.module for name in inner]  # a file, or a name in one
        else:
            continue
        yield from (Import(module, name) for name in names if name in modules and name != module)


def room_of(path: Path) -> str:
    """The room of a file, named relative to the checkout."""
    package, *folders = path.parts[:-1]
    return folders[0] if package == "bloop" and folders else package
