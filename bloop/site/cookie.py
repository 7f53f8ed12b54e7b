"""How the session cookie is named and read. Setting it is for accounts (accounts/sign_ins/cookie.py).

On https the cookie is called `__Host-bloop_session`: browsers then take it only from this very host, over https, for
every path, so no other site on a sibling domain can plant one. The plain names are read everywhere, for scripts, and
set only on http: marked Secure, a cookie would never come back over a home network without certificates.
"""

from __future__ import annotations

import falcon

COOKIE = "bloop_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
COOKIE_ALIAS = "session"  # read, never set


def session_cookie(req: falcon.Request) -> str | None:
    """The value of the session cookie, under any of its names; None without one."""
    cookies = req.cookies
    return cookies.get(SECURE_COOKIE) or cookies.get(COOKIE) or cookies.get(COOKIE_ALIAS) or None
