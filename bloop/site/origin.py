"""Was a cookie's write meant by the person, or did another site's page send it?

Browsers say so themselves: `Sec-Fetch-Site` on secure origins and localhost, `Origin` on every POST. A page cannot
forge either, so no token has to travel through forms and JSON calls. Clients that send neither, such as curl, are not
browsers and are let through: there is no other site to act for. `SameSite=Lax` on the cookie is the second lock.

The pages' `Referrer-Policy` is `same-origin` and must not become `no-referrer`: with that, browsers send
`Origin: null` on our own forms (Fetch standard, "append a request Origin header").
"""

from __future__ import annotations

from urllib.parse import urlsplit

import falcon

from bloop.base.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_OURS = frozenset({"same-origin", "none"})  # none: typed, or a bookmark


def check_origin(req: falcon.Request, rp_origin: str) -> None:
    """Return for a safe method, and for a write that no other site asked for.

    Raises:
        Forbidden: another site's page sent it.
    """
    if req.method in SAFE_METHODS:
        return
    origin, site = req.get_header("Origin"), req.get_header("Sec-Fetch-Site")
    if origin is not None and origin.rstrip("/").lower() == rp_origin.rstrip("/").lower():
        return
    if site is not None:
        if site in _OURS:
            return
    elif origin is None or urlsplit(origin).netloc.lower() == (req.get_header("Host") or "").lower():
        return
    raise Forbidden("this request comes from another site")
