"""The principal of a request, for responders."""

from __future__ import annotations

import falcon

from bloop.auth.principal import Principal


def principal_of(req: falcon.Request) -> Principal:
    """Who sent this request; only inside a responder."""
    principal = req.context.principal
    assert isinstance(principal, Principal)
    return principal
