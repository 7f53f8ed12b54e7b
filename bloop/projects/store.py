"""Creates, renames and deletes projects, rotates keys. Call inside a transaction, bump the ring's generation after it.

PROJECT-1  There is a project `default`. Unless its key was rotated it is the configured legacy secret, so that a secret
           changed in the configuration stops working everywhere. It cannot be deleted.
PROJECT-2  The transaction that marks a project deleted removes its keys, tokens and name for all users. Its rows follow
           in small batches (projects/purge.py); its slug is free at once, its number is never reused.
PROJECT-3  bloop's own errors have a project of their own, created when first needed, also after it was deleted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from bloop.base import credentials
from bloop.base.errors import Conflict, InvalidField, NotFound
from bloop.db.engine import Db
from bloop.projects.model import Oversize
from bloop.projects.old_keys import store as old_keys
from bloop.projects.read import ProjectRow, get_project

DEFAULT = "default"
OWN = "bloop-itself"  # the public id of the project for bloop's own errors
_OWN_SLUGS = ("bloop", OWN, *(f"{OWN}-{n}" for n in range(2, 100)))  # users may have taken these slugs
NAME_LENGTH_MAX = 100
SLUG_LENGTH_MAX = 64
SEARCH_KEYS_MAX = 32
SEARCH_KEY_CHARS_MAX = 200

_INSERT = """
INSERT INTO projects (public_id, slug, name, api_key, short_prefix, created_at_ms, created_by)
VALUES (:public_id, :slug, :name, :api_key, :short_prefix, :created_at_ms, :created_by)
"""
_UPDATE_NAME = "UPDATE projects SET name = :name WHERE id = :id RETURNING id"
_UPDATE_SEARCH_KEYS = "UPDATE projects SET search_keys = :search_keys WHERE id = :id RETURNING id"
_UPDATE_OVERSIZE = "UPDATE projects SET oversize = :oversize WHERE id = :id RETURNING id"
_UPDATE_KEY = """
UPDATE projects SET api_key = :api_key, key_made_at_ms = :made_at_ms, key_used_at_ms = NULL WHERE id = :id
"""
# The key is replaced too, by one that was never shown, so that the old one cannot start to verify again by mistake.
_MARK_DELETED = """
UPDATE projects
   SET deleted_at_ms = :now_ms, public_id = '#' || id, slug = '#' || id, name = '', short_prefix = '#',
       api_key = :api_key, created_by = NULL
 WHERE id = :id AND deleted_at_ms IS NULL
RETURNING id
"""
_DELETE_ACCESS = "DELETE FROM api_tokens WHERE project_id = :id; DELETE FROM old_keys WHERE project_id = :id"
_SELECT_DEFAULT_KEY = "SELECT id, api_key FROM projects WHERE public_id = 'default'"


def create_project(
    db: Db,
    *,
    name: str,
    slug: str,
    now_ms: int,
    created_by: str | None = None,
    public_id: str | None = None,
    api_key: str | None = None,
) -> tuple[ProjectRow, str]:
    """Create a project; return it with its key, which is shown only now.

    Raises:
        InvalidField: the name or the slug is invalid.
        Conflict: the slug is taken.
    """
    api_key = api_key or credentials.new_project_key()
    bindings = {
        "public_id": public_id or credentials.new_id(),
        "name": _validate_name(name),
        "slug": _validate_slug(slug),
        "api_key": api_key,
        "short_prefix": slug.upper(),
        "created_at_ms": now_ms,
        "created_by": created_by,
    }
    if get_project(db, slug) is not None:
        raise Conflict("a project with that slug already exists")
    db.execute(_INSERT, bindings)
    project = get_project(db, slug)
    assert project is not None, "it was just inserted"
    return project, api_key


def ensure_default_project(db: Db, legacy_secret: str, now_ms: int) -> bool:
    """Ensure PROJECT-1; return whether anything changed."""
    row = db.execute(_SELECT_DEFAULT_KEY).fetchone()
    if row is None:
        create_project(db, name="Default", slug=DEFAULT, now_ms=now_ms, public_id=DEFAULT, api_key=legacy_secret)
        return True
    project_id, api_key = row
    if api_key == legacy_secret or credentials.PROJECT_KEY_PATTERN.fullmatch(api_key):
        return False
    replace_key(db, project_id, legacy_secret, now_ms)
    return True


def ensure_own_project(db: Db, now_ms: int) -> int:
    """Ensure PROJECT-3; return the project's number."""
    project = get_project(db, OWN)
    if project is None or project.public_id != OWN:
        slug = next(slug for slug in _OWN_SLUGS if get_project(db, slug) is None)
        project, _ = create_project(db, name="bloop itself", slug=slug, now_ms=now_ms, public_id=OWN)
    return project.id


def rename_project(db: Db, project_id: int, name: str) -> None:
    """Raises: InvalidField, NotFound."""
    if not list(db.execute(_UPDATE_NAME, {"id": project_id, "name": _validate_name(name)})):
        raise NotFound("project not found")


def set_oversize(db: Db, project_id: int, oversize: str) -> None:
    """Holds as soon as the ring's generation is bumped. Raises: InvalidField, NotFound."""
    if oversize not in [*Oversize]:
        raise InvalidField("oversize", f"oversize must be one of: {', '.join(Oversize)}")
    if not list(db.execute(_UPDATE_OVERSIZE, {"id": project_id, "oversize": oversize})):
        raise NotFound("project not found")


def set_search_keys(db: Db, project_id: int, keys: Sequence[str]) -> None:
    """Index these keys of tags and metadata, without any all that fit; for events that are indexed from now on.

    Raises: InvalidField, NotFound.
    """
    chosen = list(dict.fromkeys(key.strip() for key in keys if key.strip()))
    if len(chosen) > SEARCH_KEYS_MAX:
        raise InvalidField("search_keys", f"search_keys must be at most {SEARCH_KEYS_MAX} keys")
    if any(len(key) > SEARCH_KEY_CHARS_MAX or not key.isprintable() for key in chosen):
        raise InvalidField(
            "search_keys", f"search_keys must be printable and at most {SEARCH_KEY_CHARS_MAX} characters"
        )
    row = {"id": project_id, "search_keys": orjson.dumps(chosen).decode()}
    if not list(db.execute(_UPDATE_SEARCH_KEYS, row)):
        raise NotFound("project not found")


def rotate_key(db: Db, project_id: int, now_ms: int, *, keep_days: int = 0) -> str:
    """Replace the key and return the new one. The old one works `keep_days` longer.

    With 0 the new key is the only one that works, as soon as the ring's generation is bumped: keys that were kept
    before end too.

    Raises:
        NotFound: no such project.
        InvalidField: `keep_days` is out of range.
        Conflict: too many old keys still work (`old_keys.KEPT_MAX`).
    """
    if not 0 <= keep_days <= old_keys.KEEP_DAYS_MAX:
        raise InvalidField("keep_days", f"keep_days must be a whole number from 0 to {old_keys.KEEP_DAYS_MAX}")
    api_key = credentials.new_project_key()
    if keep_days == 0:
        old_keys.end_all(db, project_id, now_ms)
    _set_key(db, project_id, api_key, now_ms, keep_days=keep_days)
    return api_key


def replace_key(db: Db, project_id: int, api_key: str, now_ms: int) -> None:
    """Set a key that exists already: another installation's, so that its clients can send here, or the secret.

    Raises:
        NotFound: no such project.
    """
    _set_key(db, project_id, api_key, now_ms)


def _set_key(db: Db, project_id: int, api_key: str, now_ms: int, *, keep_days: int = 0) -> None:
    made_at_ms = old_keys.replace_current(db, project_id, api_key, now_ms, keep_days=keep_days)
    db.execute(_UPDATE_KEY, {"id": project_id, "api_key": api_key, "made_at_ms": made_at_ms})


def delete_project(db: Db, project: ProjectRow, now_ms: int) -> None:
    """Mark it deleted (PROJECT-2). Bump the ring's generation and wake the purger afterwards.

    Raises:
        InvalidField: it is the default project.
        NotFound: it is deleted already.
    """
    if project.public_id == DEFAULT:
        raise InvalidField("slug", "cannot delete the default project")
    bindings = {"id": project.id, "now_ms": now_ms, "api_key": credentials.new_project_key()}
    if not list(db.execute(_MARK_DELETED, bindings)):
        raise NotFound("project not found")
    db.execute(_DELETE_ACCESS, {"id": project.id})


def _validate_name(name: str) -> str:
    name = name.strip()
    if not name:
        raise InvalidField("name", "name is required")
    if len(name) > NAME_LENGTH_MAX:
        raise InvalidField("name", f"name must be at most {NAME_LENGTH_MAX} characters")
    return name


def _validate_slug(slug: str) -> str:
    if not slug:
        raise InvalidField("slug", "slug is required")
    if not re.fullmatch(r"[a-z0-9-]+", slug):
        raise InvalidField("slug", "slug must be lowercase alphanumeric with hyphens")
    if len(slug) > SLUG_LENGTH_MAX:
        raise InvalidField("slug", f"slug must be at most {SLUG_LENGTH_MAX} characters")
    return slug
