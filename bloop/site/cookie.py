"""The names of the sign-in cookie, and how to read it. accounts/sign_ins/cookie.py sets it.

On https the cookie is `__Host-bloop_session`: browsers then accept it only from this host, over https, for every path,
so no other site on a sibling domain can set one. The plain names are read everywhere, for scripts, and set only on
http: browsers would not send a Secure cookie back over a home network without certificates.
"""

from __future__ import annotations

import falcon

COOKIE = "bloop_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
COOKIE_ALIAS = "session"  # read, never set


def sign_in_cookie(req: falcon.Request) -> str | None:
    """The value of the sign-in cookie, under any of its names; None without one."""
    cookies = req.cookies
    return cookies.get(SECURE_COOKIE) or cookies.get(COOKIE) or cookies.get(COOKIE_ALIAS) or None
