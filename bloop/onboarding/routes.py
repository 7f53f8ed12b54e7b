"""Routes of the set-up page."""

from __future__ import annotations

from bloop.auth.access import PAGE, SESSION
from bloop.onboarding.views import SetupView
from bloop.site.deps import Deps
from bloop.site.routes import Routes


def mount(routes: Routes, deps: Deps) -> None:
    setup = SetupView(deps)
    routes.add("/projects/{slug}/setup", setup, GET=PAGE)
    routes.add("/projects/{slug}/setup/status", setup, suffix="status", GET=SESSION)
    routes.add("/projects/{slug}/setup/key", setup, suffix="key", POST=PAGE)
    routes.add("/projects/{slug}/test-event", setup, suffix="test", POST=PAGE)
