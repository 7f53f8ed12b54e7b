"""The principal of a request, for responders."""

from __future__ import annotations

import falcon

from bloop.auth.principal import Principal


def principal_of(req: falcon.Request) -> Principal:
    """The principal that Access stored; only inside a responder."""
    principal = req.context.principal
    assert isinstance(principal, Principal)
    return principal
