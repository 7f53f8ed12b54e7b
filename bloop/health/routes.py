"""Routes of health, readiness, metrics, probes and the system page."""

from __future__ import annotations

from bloop.auth.access import METRICS, OPEN, PAGE
from bloop.health.api import Health
from bloop.health.metrics import Metrics
from bloop.health.probe import PATH as PROBE_PATH
from bloop.health.probe import ClientProbe
from bloop.health.views import System
from bloop.site.deps import Deps
from bloop.site.routes import Routes
from bloop.site.settings_nav import SYSTEM

PROBE_PATHS = frozenset({"/health", "/ready"})  # answered whatever pages do: a thread and a connection of their own


def mount(routes: Routes, deps: Deps) -> None:
    health = Health(deps)
    routes.add("/health", health, GET=OPEN)
    routes.add("/ready", health, suffix="ready", GET=OPEN)
    routes.add(PROBE_PATH, ClientProbe(deps), GET=OPEN)
    routes.add("/metrics", Metrics(deps), GET=METRICS)
    routes.add(SYSTEM.href, System(deps), GET=PAGE)
