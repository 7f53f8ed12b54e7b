"""The actor of a change, for the audit trail: the principal of a request, and the network it came from."""

from __future__ import annotations

import falcon

from bloop.base.client_address import ClientAddresses, client_network
from bloop.issues.status.audit import Actor
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

API = "api"
DASHBOARD = "dashboard"


class Actors:
    """Names the actor behind a request; `via` says which door it took."""

    def __init__(self, deps: Deps, via: str) -> None:
        self._addresses, self._via = ClientAddresses(deps.settings.server.trusted_proxies), via

    def of(self, req: falcon.Request) -> Actor:
        return Actor(principal_of(req).id, self._via, client_network(self._addresses.of(req.env)))
