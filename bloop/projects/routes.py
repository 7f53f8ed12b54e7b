"""Routes of projects and of their tokens."""

from __future__ import annotations

from bloop.auth.access import PAGE, SESSION
from bloop.projects.api import ProjectsApi
from bloop.projects.tokens.api import TokensApi
from bloop.projects.tokens.views import TokenSettings
from bloop.projects.uses.views import ProjectPins
from bloop.projects.views import ProjectSettings, ProjectsSettings
from bloop.site.deps import Deps
from bloop.site.routes import Routes
from bloop.site.settings_nav import PROJECTS, TOKENS


def mount(routes: Routes, deps: Deps) -> None:
    _mount_api(routes, deps)
    _mount_pages(routes, deps)


def _mount_api(routes: Routes, deps: Deps) -> None:
    projects, tokens = ProjectsApi(deps), TokensApi(deps)
    routes.add("/v1/projects", projects, GET=SESSION, POST=SESSION)
    routes.add("/v1/projects/{slug}", projects, suffix="one", GET=SESSION, PUT=SESSION, DELETE=SESSION)
    routes.add("/v1/projects/{slug}/rotate-key", projects, suffix="rotate_key", POST=SESSION)
    routes.add("/v1/projects/{slug}/keys", projects, suffix="keys", GET=SESSION)
    routes.add("/v1/projects/{slug}/keys/{key_id:int}", projects, suffix="key", DELETE=SESSION)
    routes.add("/v1/projects/{slug}/pin", ProjectPins(deps), PUT=SESSION, DELETE=SESSION)
    routes.add("/v1/tokens", tokens, GET=SESSION, POST=SESSION)
    routes.add("/v1/tokens/{token_id}", tokens, suffix="one", DELETE=SESSION)


def _mount_pages(routes: Routes, deps: Deps) -> None:
    projects, project, tokens = ProjectsSettings(deps), ProjectSettings(deps), TokenSettings(deps)
    routes.add(PROJECTS.href, projects, GET=PAGE, POST=PAGE)
    routes.add(f"{PROJECTS.href}/{{slug}}", project, GET=PAGE, POST=PAGE)
    routes.add(f"{PROJECTS.href}/{{slug}}/options", project, suffix="options", POST=PAGE)
    routes.add(f"{PROJECTS.href}/{{slug}}/rotate", project, suffix="rotate", POST=PAGE)
    routes.add(f"{PROJECTS.href}/{{slug}}/keys/{{key_id:int}}/end", project, suffix="end_key", POST=PAGE)
    routes.add(f"{PROJECTS.href}/{{slug}}/delete", project, suffix="delete", POST=PAGE)
    routes.add("/projects/pin", ProjectPins(deps), suffix="form", POST=PAGE)
    routes.add(TOKENS.href, tokens, GET=PAGE, POST=PAGE)
    routes.add(f"{TOKENS.href}/{{token_id}}/revoke", tokens, suffix="revoke", POST=PAGE)
