"""What `bloop doctor` asks its own public address: does the proxy in front pass on what bloop goes by?

Nothing is stored by it but one entry among the refused requests, which is how bloop says whom it took us for.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import apsw
import requests

from bloop.accounts.sign_ins import store as sign_ins
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.base.outcomes import NO_PROJECT
from bloop.cli.checks import Finding, ok, warning, wrong
from bloop.db import connection
from bloop.ledger.rejections import list_rejections

TIMEOUT_S = 5.0
FIRST_LINE_S = 3.0  # within which a stream that nobody holds back has begun
STORED_WITHIN_S = 5.0
_COOKIES = {True: "__Host-bloop_session", False: "bloop_session"}


def public_address(settings: Settings) -> Iterator[Finding]:
    """The page from outside, the client's address, and a live stream."""
    origin = settings.auth.rp_origin.rstrip("/")
    try:
        health = requests.get(f"{origin}/health", timeout=TIMEOUT_S, allow_redirects=False)
    except requests.exceptions.SSLError as error:
        yield wrong("public address", f"{origin}: {_reason(error)}", "renew or correct the proxy's certificate")
        return
    except requests.exceptions.RequestException as error:
        advice = "see that bloop runs, that the name leads here and the proxy passes it on"
        yield warning("public address", f"{origin} does not answer: {_reason(error)}", advice)
        return
    if health.status_code != 200 or "buffer_usage" not in health.text:
        says = f"{origin}/health answers {health.status_code}, and not as bloop does"
        yield wrong("public address", says, "the name leads elsewhere, or the proxy does not pass /health on")
        return
    yield ok("public address", f"{origin} is bloop")
    try:
        if settings.https:  # else our own address is the public one, and ours to read
            yield from metrics_are_private(origin)
        yield from _client_address(settings, origin)
        yield from _live_stream(settings, origin)
    except (BloopError, apsw.Error, requests.exceptions.RequestException) as error:
        yield warning("proxy", f"could not be looked at: {error}", "try again when the rest is well")


def metrics_are_private(origin: str) -> Iterator[Finding]:
    """Behind a proxy that says nothing of itself everybody looks like a process of this machine."""
    answer = requests.get(f"{origin}/metrics", timeout=TIMEOUT_S, allow_redirects=False)
    if answer.status_code == 200:
        advice = "have the proxy set X-Forwarded-For and pass Host on, as the shipped ones do, or refuse /metrics there"
        yield wrong("metrics", f"{origin}/metrics can be read by everybody", advice)
    else:
        yield ok("metrics", "not for everybody")


def _client_address(settings: Settings, origin: str) -> Iterator[Finding]:
    """Send something that is refused under a name of its own, and see whom bloop noted down."""
    agent = f"bloop doctor {secrets.token_hex(8)}"
    headers = {"X-Project-Key": "doctor", "X-Signature": "0" * 64, "User-Agent": agent}
    requests.post(f"{origin}/v1/ingest", b"{}", headers=headers, timeout=TIMEOUT_S)
    with contextlib.closing(connection.open_reader(settings.database_path)) as db:
        deadline = time.monotonic() + STORED_WITHIN_S
        while not (seen := _noted(db, agent)) and time.monotonic() < deadline:
            time.sleep(0.1)
    if not seen:
        yield warning("proxy", "the refused test request was not noted down", "is the writer alive? `bloop status`")
    elif _came_from_outside(origin) and _is_local(seen):
        advice = "name the proxy in server.trusted_proxies, and have it set X-Forwarded-For"
        yield wrong("proxy", f"clients look as if they came from {seen}", advice)
    else:
        yield ok("proxy", f"passes client addresses on; ours is in {seen}")


def _live_stream(settings: Settings, origin: str) -> Iterator[Finding]:
    """Open a stream with a session of our own, which ends with it."""
    with contextlib.closing(connection.open_control(settings.database_path)) as db:
        with connection.immediate(db):
            token = sign_ins.create_sign_in(db, None, now_ms=clock.now_ms(), ttl_s=60)
        try:
            cookies = {_COOKIES[settings.https]: token}
            with requests.get(
                f"{origin}/v1/stream", cookies=cookies, stream=True, timeout=(TIMEOUT_S, FIRST_LINE_S)
            ) as stream:
                first = next(stream.iter_lines(1), b"")
        except requests.exceptions.RequestException:
            first = b""
        finally:
            with connection.immediate(db):
                sign_ins.delete_sign_in(db, token)
    if first.startswith(b"retry:"):
        yield ok("live stream", "arrives line by line")
    else:
        advice = "switch buffering off for /v1/stream (nginx: proxy_buffering off)"
        yield wrong("live stream", f"nothing arrived within {FIRST_LINE_S:.0f} s: the proxy holds it back", advice)


def _noted(db: apsw.Connection, agent: str) -> str:
    """Where the refused request with this user agent came from, as bloop saw it."""
    return next((row.client for row in list_rejections(db, [NO_PROJECT], 50) if row.user_agent == agent), "")


def _came_from_outside(origin: str) -> bool:
    """Whether the name leads to a public address, so that our own request crossed the proxy like any client's."""
    try:
        found = socket.getaddrinfo(urlsplit(origin).hostname, None)
    except OSError:
        return False
    return any(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in found)


def _is_local(network: str) -> bool:
    try:
        return not ipaddress.ip_network(network, strict=False).is_global
    except ValueError:
        return True


def _reason(error: Exception) -> str:
    """The innermost cause in a few words; the outer ones repeat it with addresses of objects."""
    while error.__cause__ or error.__context__:
        inner = error.__cause__ or error.__context__
        if not isinstance(inner, Exception):
            break
        error = inner
    return str(getattr(error, "strerror", None) or error)
