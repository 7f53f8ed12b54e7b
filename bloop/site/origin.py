"""The CSRF check: refuses writes with a cookie that another site's page sent.

Browsers name the sending site: `Sec-Fetch-Site` on secure origins and localhost, `Origin` on every POST. A page cannot
forge either, so forms and JSON calls need no token. Clients that send neither, such as curl, are not browsers and pass:
no other site can act through them. `SameSite=Lax` on the cookie is a second protection.

An origin is a scheme, a host and a port (RFC 6454). Where bloop is on https, a page that came over plain http is
another site, also one of the same host: anybody on the network between can have written it.

The pages' `Referrer-Policy` is `same-origin` and must not become `no-referrer`: browsers would then send
`Origin: null` on our own forms (Fetch standard, "append a request Origin header").
"""

from __future__ import annotations

from urllib.parse import urlsplit

import falcon

from bloop.base.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
FORBIDDEN = "this request comes from another site"
_OURS = frozenset({"same-origin", "none"})  # none: typed, or a bookmark


def check_origin(req: falcon.Request, rp_origin: str) -> None:
    """Return for a safe method, and for a write that no other site sent.

    Raises:
        Forbidden: another site's page sent it.
    """
    if req.method in SAFE_METHODS:
        return
    origin, site = req.get_header("Origin"), req.get_header("Sec-Fetch-Site")
    if origin is not None:
        if origin.rstrip("/").lower() == rp_origin.rstrip("/").lower():
            return
        if _is_plain_http(origin) and not _is_plain_http(rp_origin):
            raise Forbidden(FORBIDDEN)
    if site is not None:
        if site in _OURS:
            return
    elif origin is None or _is_host(origin, req.get_header("Host") or ""):
        return
    raise Forbidden(FORBIDDEN)


def _is_plain_http(origin: str) -> bool:
    return origin[:5].lower() == "http:"


def _is_host(origin: str, host: str) -> bool:
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # such as "http://[": no origin
        return False
