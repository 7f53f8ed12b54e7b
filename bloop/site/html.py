"""A page as an answer: packed for those who take it, and in place of JSON where a browser meets an error.

H1  A browser that meets an error gets a page with the same status and headers; every other client gets the JSON.
H2  Every page with a frame says what ails bloop at that moment, and where it says what to do.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import falcon

from bloop.base import errors
from bloop.site import errors as web_errors
from bloop.site.contexts import ErrorPage, Page, Shell
from bloop.site.deps import Deps
from bloop.site.render import context_of

GZIP_LEVEL = 4  # measured on a full list: 1 ms and 12 KB; level 9 takes 1.7 ms for 8 % less

_MACHINE_PATHS = ("/v1/", "/api/", "/assets/")
_TITLES = {
    400: "That link does not work",
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    429: "Too many requests",
    500: "Something broke in bloop",
    503: "Not available right now",
}
_DETAILS = {
    404: "There is nothing at this address, or it is not yours to see.",
    500: "The error was written to the server's log. Trying again may help.",
}


def send_page(deps: Deps, req: falcon.Request, resp: falcon.Response, page: Page) -> None:
    """Answer with `page`, packed for clients that take gzip: fifty rows are 75 KB, of which 12 travel.

    Packing is safe here although requests reflect into pages (BREACH needs a secret beside the reflection): no page
    that goes through here carries a token, a key or a cookie's value.
    """
    page = _with_banners(deps, page)
    body = deps.render(page.template, context_of(page)).encode()
    resp.content_type = falcon.MEDIA_HTML
    resp.append_header("Vary", "Accept-Encoding")
    if takes_gzip(req):
        resp.set_header("Content-Encoding", "gzip")
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
    resp.text, resp.data = None, body


def send_secret_page(deps: Deps, resp: falcon.Response, page: Page) -> None:
    """Answer with a page that shows a key or a token this once: never packed (see `send_page`), never kept."""
    page = _with_banners(deps, page)
    resp.content_type = falcon.MEDIA_HTML
    resp.set_header("Cache-Control", "no-store")
    resp.text = deps.render(page.template, context_of(page))


def back_to(resp: falcon.Response, href: str, done: str) -> None:
    """Answer a POST with the way to a page that says what was done: its `notice` of that name."""
    resp.status, resp.location = falcon.HTTP_303, f"{href}?done={quote(done)}"


def _with_banners(deps: Deps, page: Page) -> Page:
    """H2."""
    shell = getattr(page, "shell", None)
    if not isinstance(shell, Shell):
        return page
    banners = deps.hooks.banners(deps)
    return replace(page, shell=replace(shell, banners=banners)) if banners else page  # type: ignore[call-arg]


def takes_gzip(req: falcon.Request) -> bool:
    """Whether Accept-Encoding names gzip without refusing it."""
    accepted = (req.get_header("Accept-Encoding") or "").lower()
    return any(
        coding.strip() == "gzip" and not re.fullmatch(r"\s*q=0(?:\.0*)?\s*", parameter)
        for coding, _, parameter in (part.partition(";") for part in accepted.split(","))
    )


def answer_errors_with_pages(app: falcon.App[Any, Any], deps: Deps) -> None:
    """Wrap the JSON error handlers: same status and headers, another body for browsers (H1)."""

    def dress(req: falcon.Request, resp: falcon.Response, said: str) -> None:
        accept = req.get_header("Accept") or ""
        if "text/html" not in accept or req.path.startswith(_MACHINE_PATHS) or resp.status_code < 400:
            return
        title = _TITLES.get(resp.status_code, "That did not work")
        send_page(deps, req, resp, ErrorPage(resp.status_code, title, _DETAILS.get(resp.status_code, said)))

    def on_bloop(req: falcon.Request, resp: falcon.Response, error: errors.BloopError, params: Any) -> None:
        web_errors.answer_bloop_error(req, resp, error, params)
        dress(req, resp, str(error))

    def on_falcon(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: Any) -> None:
        web_errors.answer_falcon_error(req, resp, error, params)
        dress(req, resp, error.description or error.title or "")

    def on_unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
        web_errors.answer_unexpected(req, resp, error, params)
        dress(req, resp, "")

    app.add_error_handler(errors.BloopError, on_bloop)
    app.add_error_handler(falcon.HTTPError, on_falcon)
    app.add_error_handler(Exception, on_unexpected)
