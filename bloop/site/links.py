"""Links that pages of several features use."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import falcon


def issue_href(short_id: str) -> str:
    return f"/issues/{quote(short_id, safe='')}"


def setup_href(slug: str) -> str:
    return f"/projects/{quote(slug)}/setup"


def page_before(req: falcon.Request) -> str:
    """The path and query of the Referer when it is one of our pages, else the start page."""
    referrer = urlsplit(req.referer or "")
    if referrer.netloc.lower() != (req.get_header("Host") or "").lower() or not referrer.path.startswith("/"):
        return "/"
    path = "/" + referrer.path.lstrip("/")  # `//host` would lead to another site
    return f"{path}?{referrer.query}" if referrer.query else path
