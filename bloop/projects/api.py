"""/v1/projects: all signed-in users see all projects; only the answer that creates a key holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import falcon

from bloop.auth.access import creator_id, may_manage
from bloop.auth.principal import Principal
from bloop.base.errors import Conflict, Forbidden, InvalidField
from bloop.db.engine import Db
from bloop.projects import store as projects
from bloop.projects.old_keys.store import KEEP_DAYS_MAX, end_old_key
from bloop.projects.read import KeySummary, ProjectRow, key_created_at_ms, list_keys, list_projects, require_project
from bloop.site.bodies import answer_json, read_json, read_optional_json, text_in
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

NOT_YOURS = "only an admin or the project's creator may do this"


class ProjectsApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            rows = list_projects(db)
        answer_json(resp, [*map(project_json, rows)])

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        name, slug = text_in(body, "name"), text_in(body, "slug")
        try:
            project, key = create(self._deps, principal_of(req), name, slug)
        except Conflict as error:  # clients expect 400
            raise InvalidField("slug", str(error)) from None
        answer_json(resp, project_json(project) | {"api_key": key})

    def on_get_one(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        with self._deps.database.reader() as db:
            project = require_project(db, slug)
        answer_json(resp, project_json(project))

    def on_put_one(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            require_managed_project(db, principal, slug)  # before validating, so that forbidden callers always get 403
        body = read_json(req)
        name, oversize = (None if body.get(key) is None else text_in(body, key) for key in ("name", "oversize"))
        search_keys = _read_search_keys(body.get("search_keys"))
        changed = change(self._deps, principal, slug, name=name, oversize=oversize, search_keys=search_keys)
        answer_json(resp, project_json(changed))

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        delete(self._deps, principal_of(req), slug)
        answer_json(resp, {"deleted": True})

    def on_post_rotate_key(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            require_managed_project(db, principal, slug)  # as above
        keep_days = _read_keep_days(read_optional_json(req).get("keep_days"))
        project, key = rotate(self._deps, principal, slug, keep_days=keep_days)
        answer_json(resp, project_json(project) | {"api_key": key})

    def on_get_keys(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        with self._deps.database.reader() as db:
            project = require_managed_project(db, principal_of(req), slug)
            keys = list_keys(db, project, self._deps.now_ms())
        answer_json(resp, [*map(_key_json, keys)])

    def on_delete_key(self, req: falcon.Request, resp: falcon.Response, slug: str, key_id: int) -> None:
        end_key(self._deps, principal_of(req), slug, key_id)
        answer_json(resp, {"ended": key_id})


# Changes that the settings pages make too -----------------------------------------------------------------------------


def create(deps: Deps, principal: Principal, name: str, slug: str) -> tuple[ProjectRow, str]:
    """Create a project; return it with its key. Raises: InvalidField, Conflict."""

    def change(db: Db) -> tuple[ProjectRow, str]:
        return projects.create_project(db, name=name, slug=slug, now_ms=deps.now_ms(), created_by=creator_id(principal))

    created = deps.database.change(change)
    deps.bump_generation()
    return created


def change(
    deps: Deps,
    principal: Principal,
    slug: str,
    *,
    name: str | None = None,
    oversize: str | None = None,
    search_keys: Sequence[str] | None = None,
) -> ProjectRow:
    """Change what is given, all of it or nothing. Raises: NotFound, Forbidden, InvalidField."""

    def apply(db: Db) -> ProjectRow:
        project = require_managed_project(db, principal, slug)
        if name is not None:
            projects.rename_project(db, project.id, name)
        if oversize is not None:
            projects.set_oversize(db, project.id, oversize)
        if search_keys is not None:
            projects.set_search_keys(db, project.id, search_keys)
        return require_project(db, slug)

    changed = deps.database.change(apply)
    if oversize is not None:
        deps.bump_generation()
    return changed


def rotate(
    deps: Deps, principal: Principal, slug: str, *, keep_days: int, made_at_ms: int | None = None
) -> tuple[ProjectRow, str]:
    """A new key. The old one works `keep_days` longer; with 0, every worker refuses it from its next request on.

    `made_at_ms` is when the key to replace was created, as the page showed it: a form sent twice rotates once.

    Raises:
        NotFound, Forbidden: no such project, or not the caller's to manage.
        InvalidField: `keep_days` is out of range.
        Conflict: the key has been rotated since, or too many old keys still work.
    """

    def change(db: Db) -> tuple[ProjectRow, str]:
        project = require_managed_project(db, principal, slug)
        if made_at_ms is not None and made_at_ms != key_created_at_ms(project):
            raise Conflict("the key was rotated since this page was opened")
        key = projects.rotate_key(db, project.id, deps.now_ms(), keep_days=keep_days)
        return require_project(db, slug), key

    rotated = deps.database.change(change)
    deps.bump_generation()
    return rotated


def end_key(deps: Deps, principal: Principal, slug: str, made_at_ms: int) -> None:
    """End an old key before its time. Raises: NotFound, Forbidden."""
    deps.database.change(
        lambda db: end_old_key(db, require_managed_project(db, principal, slug).id, made_at_ms, deps.now_ms())
    )
    deps.bump_generation()


def delete(deps: Deps, principal: Principal, slug: str) -> None:
    """Raises: NotFound, Forbidden, InvalidField."""
    deps.database.change(
        lambda db: projects.delete_project(db, require_managed_project(db, principal, slug), deps.now_ms())
    )
    deps.bump_generation()
    deps.wake_purger()


def require_managed_project(db: Db, principal: Principal, slug: str) -> ProjectRow:
    """The project, if `principal` may manage it. Raises: NotFound, Forbidden."""
    project = require_project(db, slug)
    if not may_manage(principal, project.created_by):
        raise Forbidden(NOT_YOURS)
    return project


def _read_keep_days(value: Any) -> int:
    """0 when absent. Raises: InvalidField, also for what `rotate_key` would refuse."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= KEEP_DAYS_MAX:  # bool is an int
        raise InvalidField("keep_days", f"keep_days must be a whole number from 0 to {KEEP_DAYS_MAX}")
    return value


def _key_json(key: KeySummary) -> dict[str, Any]:
    return {
        "id": key.made_at_ms,
        "start": key.start,
        "state": key.state.value,
        "created_at": key.made_at_ms // 1000,
        "replaced_at": _seconds(key.replaced_at_ms),
        "ends_at": _seconds(key.ends_at_ms),
        "last_used_at": _seconds(key.used_at_ms),
    }


def _read_search_keys(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise InvalidField("search_keys", "search_keys must be a list of strings")
    return value


def _seconds(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms // 1000


def project_json(project: ProjectRow) -> dict[str, Any]:
    return {
        "id": project.public_id,
        "name": project.name,
        "slug": project.slug,
        "created_at": project.created_at_ms // 1000,
        "created_by": project.created_by,
        "oversize": project.oversize,
        "search_keys": list(project.listed_keys),
    }
