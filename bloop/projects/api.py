"""/v1/projects: every project is seen by everybody signed in; a key is in the answer that made it and in no other."""

from __future__ import annotations

from typing import Any

import falcon

from bloop.auth.access import creator_id, may_manage
from bloop.auth.principal import Principal
from bloop.base.errors import Conflict, Forbidden, InvalidField
from bloop.db.engine import Db
from bloop.projects import store as projects
from bloop.projects.read import ProjectRow, key_age_ms, known_project, list_projects
from bloop.site.bodies import answer_json, read_json, text_in
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

NOT_YOURS = "only an admin or whoever created the project may do this"


class ProjectsApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            rows = list_projects(db)
        answer_json(resp, [*map(show, rows)])

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        name, slug = text_in(body, "name"), text_in(body, "slug")
        try:
            project, key = create(self._deps, principal_of(req), name, slug)
        except Conflict as error:  # clients know it as a 400
            raise InvalidField("slug", str(error)) from None
        answer_json(resp, show(project) | {"api_key": key})

    def on_get_one(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        with self._deps.database.reader() as db:
            project = known_project(db, slug)
        answer_json(resp, show(project))

    def on_put_one(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            managed(db, principal, slug)  # whoever may not is told so, whatever they sent
        body = read_json(req)
        name = None if body.get("name") is None else text_in(body, "name")
        answer_json(resp, show(rename(self._deps, principal, slug, name)))

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        delete(self._deps, principal_of(req), slug)
        answer_json(resp, {"deleted": True})

    def on_post_rotate_key(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        project, key = rotate(self._deps, principal_of(req), slug)
        answer_json(resp, show(project) | {"api_key": key})


# What the pages of the settings do as well ---------------------------------------------------------------------------


def create(deps: Deps, principal: Principal, name: str, slug: str) -> tuple[ProjectRow, str]:
    """Raises: InvalidField, Conflict."""

    def change(db: Db) -> tuple[ProjectRow, str]:
        return projects.create_project(db, name=name, slug=slug, now_ms=deps.now_ms(), created_by=creator_id(principal))

    made = deps.database.change(change)
    deps.bump_generation()
    return made


def rename(deps: Deps, principal: Principal, slug: str, name: str | None) -> ProjectRow:
    """Raises: NotFound, Forbidden, InvalidField."""

    def change(db: Db) -> ProjectRow:
        project = managed(db, principal, slug)
        if name is not None:
            projects.rename_project(db, project.id, name)
        return known_project(db, slug)

    return deps.database.change(change)


def rotate(deps: Deps, principal: Principal, slug: str, made_at_ms: int | None = None) -> tuple[ProjectRow, str]:
    """A new key; the old one is refused by every worker from its next request on.

    `made_at_ms` is when the key that is to go was made, as a page showed it: a form sent twice rotates once.

    Raises:
        NotFound, Forbidden: as their names say.
        Conflict: the key is a newer one already.
    """

    def change(db: Db) -> tuple[ProjectRow, str]:
        project = managed(db, principal, slug)
        if made_at_ms is not None and made_at_ms != key_age_ms(project):
            raise Conflict("the key was rotated since this page was opened")
        key = projects.rotate_key(db, project.id, deps.now_ms())
        return known_project(db, slug), key

    rotated = deps.database.change(change)
    deps.bump_generation()
    return rotated


def delete(deps: Deps, principal: Principal, slug: str) -> None:
    """Raises: NotFound, Forbidden, InvalidField."""
    deps.database.change(lambda db: projects.delete_project(db, managed(db, principal, slug), deps.now_ms()))
    deps.bump_generation()
    deps.wake_purger()


def managed(db: Db, principal: Principal, slug: str) -> ProjectRow:
    """Raises: NotFound, Forbidden."""
    project = known_project(db, slug)
    if not may_manage(principal, project.created_by):
        raise Forbidden(NOT_YOURS)
    return project


def show(project: ProjectRow) -> dict[str, Any]:
    return {
        "id": project.public_id,
        "name": project.name,
        "slug": project.slug,
        "created_at": project.created_at_ms // 1000,
        "created_by": project.created_by,
    }
