"""Adds routes to the Falcon app together with what each method needs, so that no route can be without.

    routes.add("/issues/{ref}", resource, GET=PAGE, POST=SESSION)

A route without its need is refused twice: `create_dashboard_app` fails when one is missing, and the access middleware
admits nobody to a route that is not in the table (access A1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import falcon
import falcon.inspect

from bloop.auth.access import Need

_AUTOMATIC = ("OPTIONS",)  # Falcon answers it by itself where a resource does not


class Routes:
    """The app and its access table."""

    def __init__(self, app: falcon.App[Any, Any]) -> None:
        self.app = app
        self._needs: dict[tuple[str, str], Need] = {}

    def add(self, template: str, resource: object, *, suffix: str | None = None, **needs: Need) -> None:
        """Mount `resource` at `template`; `needs` maps each method it answers (`GET=PAGE`) to what it asks for."""
        self.app.add_route(template, resource, suffix=suffix)
        self.declare(template, **needs)

    def declare(self, template: str, **needs: Need) -> None:
        """Say what a route needs that was added to the app by someone else."""
        for method, need in needs.items():
            self._needs[template, method] = need
            if method == "GET":
                self._needs.setdefault((template, "HEAD"), need)

    def declare_new(self, need: Need) -> None:
        """Give `need` to every route of the app that has none yet."""
        for template, method in list(self.undeclared()):
            self._needs[template, method] = need

    def need(self, template: str, method: str) -> Need | None:
        return self._needs.get((template, method))

    def methods(self, template: str) -> list[str]:
        """What a route answers, for the Allow header."""
        return sorted({method for known, method in self._needs if known == template} | set(_AUTOMATIC))

    def table(self) -> dict[tuple[str, str], Need]:
        """Every (template, method) with its need: what the tests walk."""
        return dict(self._needs)

    def undeclared(self) -> Iterator[tuple[str, str]]:
        """(template, method) pairs the app answers and the table does not know."""
        for route in falcon.inspect.inspect_routes(self.app):
            for method in route.methods:
                if not method.internal and method.method not in _AUTOMATIC:
                    key = (route.path, method.method)
                    if key not in self._needs:
                        yield key
