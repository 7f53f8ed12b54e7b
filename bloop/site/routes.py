"""Adds routes to the Falcon app together with the need of each method, so that no route lacks one.

    routes.add("/issues/{ref}", resource, GET=PAGE, POST=SESSION)

A missing need is caught twice: `create_dashboard_app` fails, and the access middleware refuses every request to a route
that is not in the table (ACCESS-1). The router keeps its own list of routes, because `falcon.inspect` reads and parses
source files, which takes a third of a second at every start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import falcon
from falcon.routing import CompiledRouter

from bloop.auth.access import Need
from bloop.site.bodies import JSON_BYTES_MAX

_NO_BODY = frozenset({"GET", "HEAD"})
_AUTOMATIC = ("OPTIONS",)  # Falcon answers it where a resource does not


class ListedRouter(CompiledRouter):
    """Falcon's router, which also lists every (template, method) that has a responder."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[tuple[str, str]] = []

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        super().add_route(uri_template, resource, **kwargs)
        methods = self.map_http_methods(resource, **kwargs)
        self.answered += [(uri_template, method) for method in methods if method not in _AUTOMATIC]


class Routes:
    """The app and its table of needs."""

    def __init__(self) -> None:
        self._router = ListedRouter()
        self.app: falcon.App[Any, Any] = falcon.App(router=self._router)
        self._needs: dict[tuple[str, str], Need] = {}
        self._body_bytes_max: dict[str, int] = {}

    def add(
        self,
        template: str,
        resource: object,
        *,
        suffix: str | None = None,
        body_bytes_max: int = JSON_BYTES_MAX,
        **needs: Need,
    ) -> None:
        """Mount `resource` at `template`; `needs` maps each method it answers to its need (`GET=PAGE`). The server
        refuses longer bodies than `body_bytes_max` before the resource is asked; an upload needs more than usual."""
        self.app.add_route(template, resource, suffix=suffix)
        self._body_bytes_max[template] = body_bytes_max
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

    def body_bytes_max(self, method: str, path: str) -> int:
        """The longest body that a request may have: 0 where a route answers a method that has none, and enough for a
        404 or 405 where no route answers. Any thread."""
        found = self._router.find(path)
        template = "" if found is None else found[-1] or ""
        if method in _NO_BODY and (template, method) in self._needs:
            return 0
        return self._body_bytes_max.get(template, JSON_BYTES_MAX)

    def methods(self, template: str) -> list[str]:
        """The methods of a route, for the Allow header."""
        return sorted({method for known, method in self._needs if known == template} | set(_AUTOMATIC))

    def table(self) -> dict[tuple[str, str], Need]:
        """Every (template, method) with its need; for tests."""
        return dict(self._needs)

    def undeclared(self) -> Iterator[tuple[str, str]]:
        """(template, method) pairs that the app answers and the table lacks."""
        return (answered for answered in self._router.answered if answered not in self._needs)
