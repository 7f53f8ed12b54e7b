"""What an import did, and where in the file it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bloop.base.errors import Conflict, InvalidField
from bloop.db.engine import Db
from bloop.projects.read import list_projects


@dataclass(slots=True)
class ImportReport:
    """The changes made, and notes on what the operator still has to do, one sentence each."""

    changes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@contextmanager
def at_place(place: str) -> Iterator[None]:
    """Name the place in the file in every refusal from the block."""
    try:
        yield
    except InvalidField as error:
        path = f"{place}.{error.name}" if error.name else place
        raise InvalidField(path, f"{path}: {error.reason}") from None
    except Conflict as error:
        raise Conflict(f"{place}: {error}") from None


def find_project_id(db: Db, slug: str | None) -> int | None:
    """The project with this slug; None for all projects. Raises: InvalidField."""
    if slug is None:
        return None
    project = next((row for row in list_projects(db) if row.slug == slug), None)
    if project is None:
        raise InvalidField("project", f"there is no project {slug}")
    return project.id
