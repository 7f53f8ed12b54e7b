"""The checks of `bloop doctor` through the public address: whether the proxy passes on what bloop needs.

They store only one entry among the refused requests; it shows which client address bloop saw.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests

from bloop.accounts.sign_ins import store as sign_ins
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.base.outcomes import NO_PROJECT
from bloop.cli.checks import Finding, ok, warning, wrong
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.ledger.read import list_rejections

TIMEOUT_S = 5.0
FIRST_LINE_S = 3.0  # an unbuffered stream begins within this time
STORED_WITHIN_S = 5.0
_COOKIES = {True: "__Host-bloop_session", False: "bloop_session"}


def public_address(settings: Settings) -> Iterator[Finding]:
    """Check a page, the client's address and a live stream from outside."""
    origin = settings.auth.rp_origin.rstrip("/")
    try:
        health = requests.get(f"{origin}/health", timeout=TIMEOUT_S, allow_redirects=False)
    except requests.exceptions.SSLError as error:
        yield wrong("public address", f"{origin}: {_reason(error)}", "renew or fix the proxy's certificate")
        return
    except requests.exceptions.RequestException as error:
        advice = "check that bloop runs, that the name resolves to this server and that the proxy forwards to bloop"
        yield warning("public address", f"{origin} does not answer: {_reason(error)}", advice)
        return
    if health.status_code != 200 or "buffer_usage" not in health.text:
        says = f"{origin}/health answers {health.status_code}, but not as bloop does"
        yield wrong(
            "public address", says, "the name resolves to another server, or the proxy does not forward /health"
        )
        return
    yield ok("public address", f"{origin} is bloop")
    try:
        if settings.https:  # otherwise the public address is local, where /metrics may be read
            yield from metrics_are_private(origin)
        yield from _client_address(settings, origin)
        yield from _live_stream(settings, origin)
    except (BloopError, db_errors.Error, requests.exceptions.RequestException) as error:
        yield warning("proxy", f"could not be checked: {error}", "try again when the other checks pass")


def metrics_are_private(origin: str) -> Iterator[Finding]:
    """Behind a proxy that sets no forwarding headers, every client looks like a local process."""
    answer = requests.get(f"{origin}/metrics", timeout=TIMEOUT_S, allow_redirects=False)
    if answer.status_code == 200:
        advice = "let the proxy set X-Forwarded-For and keep Host, as the shipped configurations do, or block /metrics"
        yield wrong("metrics", f"anyone can read {origin}/metrics", advice)
    else:
        yield ok("metrics", "not public")


def _client_address(settings: Settings, origin: str) -> Iterator[Finding]:
    """Send a request that is refused, with a unique user agent, and read which client address bloop recorded."""
    agent = f"bloop doctor {secrets.token_hex(8)}"
    headers = {"X-Project-Key": "doctor", "X-Signature": "0" * 64, "User-Agent": agent}
    requests.post(f"{origin}/v1/ingest", b"{}", headers=headers, timeout=TIMEOUT_S)
    with contextlib.closing(connection.open_reader(settings.database_path)) as db:
        deadline = time.monotonic() + STORED_WITHIN_S
        while not (network := _recorded_client(db, agent)) and time.monotonic() < deadline:
            time.sleep(0.1)
    if not network:
        advice = "check with `bloop status` that the writer runs"
        yield warning("proxy", "the refused test request was not recorded", advice)
    elif _is_public(origin) and _is_local(network):
        advice = "add the proxy to server.trusted_proxies, and let it set X-Forwarded-For"
        yield wrong("proxy", f"clients seem to come from {network}", advice)
    else:
        yield ok("proxy", f"passes client addresses on; ours is in {network}")


def _live_stream(settings: Settings, origin: str) -> Iterator[Finding]:
    """Open a stream with a temporary sign-in, which is deleted afterwards."""
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
        advice = "switch off buffering for /v1/stream (nginx: proxy_buffering off)"
        yield wrong("live stream", f"nothing arrived within {FIRST_LINE_S:.0f} s: the proxy buffers it", advice)


def _recorded_client(db: Db, agent: str) -> str:
    """The client address that bloop recorded for the refused request with this user agent."""
    return next((row.client for row in list_rejections(db, [NO_PROJECT], 50) if row.user_agent == agent), "")


def _is_public(origin: str) -> bool:
    """Whether the name resolves to a public address, so that our own request passed the proxy like any client's."""
    try:
        addresses = socket.getaddrinfo(urlsplit(origin).hostname, None)
    except OSError:
        return False
    return any(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in addresses)


def _is_local(network: str) -> bool:
    try:
        return not ipaddress.ip_network(network, strict=False).is_global
    except ValueError:
        return True


def _reason(error: Exception) -> str:
    """The innermost cause; the outer errors repeat it with addresses of objects."""
    while error.__cause__ or error.__context__:
        inner = error.__cause__ or error.__context__
        if not isinstance(inner, Exception):
            break
        error = inner
    return str(getattr(error, "strerror", None) or error)
