"""The names of the sign-in cookie, and how to read it. accounts/sign_ins/cookie.py sets it.

COOKIE-1  On https the cookie is `__Host-bloop_session`, and no other name is read. Browsers accept that name only from
          this very host, over https, for every path (RFC 6265bis, section 4.1.3.2), so neither a site on a sibling
          domain nor a page over plain http can plant a sign-in of its own in somebody's browser.
COOKIE-2  On http the names are plain: browsers would not send a Secure cookie back over a home network without
          certificates.
"""

from __future__ import annotations

import falcon

COOKIE = "bloop_session"
SECURE_COOKIE = f"__Host-{COOKIE}"
COOKIE_ALIAS = "session"  # read on http, never set


def cookie_name(https: bool) -> str:
    """The name that the cookie is set under."""
    return SECURE_COOKIE if https else COOKIE


def sign_in_cookie(req: falcon.Request, *, https: bool) -> str | None:
    """The value of the sign-in cookie; None without one. `https` is `Settings.https`."""
    cookies = req.cookies
    if https:
        return cookies.get(SECURE_COOKIE) or None
    return cookies.get(COOKIE) or cookies.get(COOKIE_ALIAS) or None
