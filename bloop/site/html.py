"""Sends pages, gzipped for clients that accept it, and error pages to browsers.

HTML-1  A browser gets an error as a page with the same status and headers; every other client gets the JSON.
HTML-2  Every page with a frame shows bloop's current problems, with links to their remedies, and what the last action
    did.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import falcon

from bloop.base import errors
from bloop.site import errors as web_errors
from bloop.site.contexts import ErrorPage, Page, Shell
from bloop.site.deps import Deps
from bloop.site.look import Look
from bloop.site.render import context_of

GZIP_LEVEL = 4  # measured on a full list: 1 ms and 12 KB; level 9 takes 1.7 ms for 8 % less

_MACHINE_PATHS = ("/v1/", "/api/", "/assets/")
_TITLES = {
    400: "Bad request",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    429: "Too many requests",
    500: "Internal error",
    503: "Temporarily unavailable",
}
_DETAILS = {
    404: "This page does not exist, or you don't have access.",
    500: "The server's log has the details. Trying again may help.",
}
_PAGE_TEXTS = {"admin access required": "Only admins can open this page."}  # the API's text → the page's


def send_page(deps: Deps, req: falcon.Request, resp: falcon.Response, page: Page) -> None:
    """Answer with `page`, gzipped for clients that accept it: fifty rows are 75 KB, gzipped 12.

    Compression is safe here although pages reflect request values (BREACH needs a secret beside the reflection): no
    page sent by this function holds a token, a key or a cookie's value.
    """
    page = _with_frame(deps, req, resp, page)
    body = deps.render(page.template, context_of(page) | {"look": Look.from_request(req)}).encode()
    resp.content_type = falcon.MEDIA_HTML
    resp.append_header("Vary", "Accept-Encoding")
    if accepts_gzip(req):
        resp.set_header("Content-Encoding", "gzip")
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
    resp.text, resp.data = None, body


def send_secret_page(deps: Deps, req: falcon.Request, resp: falcon.Response, page: Page) -> None:
    """Answer with a page that shows a key or token once: never compressed (see `send_page`), never cached."""
    page = _with_frame(deps, req, resp, page)
    resp.content_type = falcon.MEDIA_HTML
    resp.set_header("Cache-Control", "no-store")
    resp.text = deps.render(page.template, context_of(page) | {"look": Look.from_request(req)})


def back_to(resp: falcon.Response, href: str, done: str) -> None:
    """Redirect a POST to a page that shows the notice named `done`."""
    resp.status, resp.location = falcon.HTTP_303, f"{href}?done={quote(done)}"


def _with_frame(deps: Deps, req: falcon.Request, resp: falcon.Response, page: Page) -> Page:
    """Add what is the same on every page with a frame: the current banners (HTML-2), what the last action did, and
    which saved view this is."""
    shell = getattr(page, "shell", None)
    if not isinstance(shell, Shell):
        return page
    deps.hooks.note_project(deps, req, shell)
    here = _place(req.relative_uri)
    shell = replace(
        shell,
        banners=deps.hooks.banners(deps),
        toast=deps.hooks.toast(req, resp),
        views=tuple(replace(view, current=_place(view.href) == here) for view in shell.views),
    )
    return replace(page, shell=shell)  # type: ignore[call-arg]


def _place(href: str) -> tuple[str, list[tuple[str, str]]]:
    """A path and its parameters, in whatever order they were written."""
    parts = urlsplit(href)
    return parts.path, sorted(parse_qsl(parts.query))


def accepts_gzip(req: falcon.Request) -> bool:
    """Whether Accept-Encoding names gzip without refusing it."""
    accepted = (req.get_header("Accept-Encoding") or "").lower()
    return any(
        coding.strip() == "gzip" and not re.fullmatch(r"\s*q=0(?:\.0*)?\s*", parameter)
        for coding, _, parameter in (part.partition(";") for part in accepted.split(","))
    )


def answer_errors_with_pages(app: falcon.App[Any, Any], deps: Deps) -> None:
    """Wrap the JSON error handlers: same status and headers, an HTML body for browsers (HTML-1)."""

    def send_error_page(req: falcon.Request, resp: falcon.Response, text: str) -> None:
        accept = req.get_header("Accept") or ""
        if "text/html" not in accept or req.path.startswith(_MACHINE_PATHS) or resp.status_code < 400:
            return
        title = _TITLES.get(resp.status_code, "Error")
        detail = _DETAILS.get(resp.status_code) or _PAGE_TEXTS.get(text, text)
        send_page(deps, req, resp, ErrorPage(resp.status_code, title, detail))

    def on_bloop(req: falcon.Request, resp: falcon.Response, error: errors.BloopError, params: Any) -> None:
        web_errors.answer_bloop_error(req, resp, error, params)
        send_error_page(req, resp, str(error))

    def on_falcon(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: Any) -> None:
        web_errors.answer_falcon_error(req, resp, error, params)
        send_error_page(req, resp, error.description or error.title or "")

    def on_unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
        web_errors.answer_unexpected(req, resp, error, params)
        send_error_page(req, resp, "")

    app.add_error_handler(errors.BloopError, on_bloop)
    app.add_error_handler(falcon.HTTPError, on_falcon)
    app.add_error_handler(Exception, on_unexpected)
