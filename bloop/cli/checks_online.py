"""The checks of `bloop doctor` through the public address: whether the proxy passes on what bloop needs.

DOCTOR-1  No request goes to a bloop of other data. Nothing is asked while none runs on ours, or while the port of a
    local address belongs to another program. The first request has nothing in it but a random number that only the
    bloop of our run folder knows (health/probe.py); all others follow its answer.
DOCTOR-2  Nothing stays behind: no refusal in the ledger or its samples, no sign-in, no file.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import requests

from bloop.accounts.sign_ins import store as sign_ins
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.cli.checks import Finding, listening, ok, warning, wrong
from bloop.cli.processes import find_processes
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.health.probe import PATH as PROBE_PATH
from bloop.health.probe import probing

TIMEOUT_S = 5.0
FIRST_LINE_S = 3.0  # an unbuffered stream begins within this time
_COOKIES = {True: "__Host-bloop_session", False: "bloop_session"}


def public_address(settings: Settings) -> Iterator[Finding]:
    """Check a page, the client's address and a live stream from outside, unless another bloop would be asked."""
    origin = settings.auth.rp_origin.rstrip("/")
    says = _why_not_ours(settings, origin)
    if says:
        yield warning("public address", f"{origin} was not asked: {says}", "start bloop, then run `bloop doctor` again")
        return
    try:
        with probing(settings.run_dir) as probe_id:
            url = f"{origin}{PROBE_PATH.format(probe_id=probe_id)}"
            probe = requests.get(url, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.exceptions.SSLError as error:
        yield wrong("public address", f"{origin}: {_reason(error)}", "renew or fix the proxy's certificate")
        return
    except requests.exceptions.RequestException as error:
        advice = "check that bloop runs, that the name resolves to this server and that the proxy forwards to bloop"
        yield warning("public address", f"{origin} does not answer: {_reason(error)}", advice)
        return
    except OSError as error:
        says = f"{origin} was not asked: cannot write to {settings.run_dir}: {error.strerror}"
        yield warning("public address", says, "run `bloop doctor` as the user that bloop runs as")
        return
    if (network := _client_network(probe)) is None:
        says = f"{origin} answers {probe.status_code}, and not as the bloop of {settings.database_path}"
        yield wrong(
            "public address", says, "the name resolves to another server, or the proxy forwards to another bloop"
        )
        return
    yield ok("public address", f"{origin} is this bloop")
    yield _forwarding(origin, network)
    try:
        if settings.https:  # otherwise the public address is local, where /metrics may be read
            yield from metrics_are_private(origin)
        yield from _live_stream(settings, origin)
    except (BloopError, db_errors.Error, requests.exceptions.RequestException) as error:
        yield warning("proxy", f"could not be checked: {error}", "try again when the other checks pass")


def _why_not_ours(settings: Settings, origin: str) -> str:
    """Why a request to this address would reach another program than our bloop; empty when it may reach ours."""
    members = {member.pid for member in find_processes(settings)}
    if not members:
        return f"bloop does not run on {settings.database_path}"
    parts = urlsplit(origin)
    number = parts.port or (443 if parts.scheme == "https" else 80)
    if not _is_this_machine(parts.hostname or ""):
        return ""  # the probe tells
    _, owners = listening(number)
    if number == settings.server.port and owners and not owners & members:
        return f"another program listens on port {number}"
    return ""


def _client_network(probe: requests.Response) -> str | None:
    """The client's network in the answer to a probe; None when another server answered."""
    try:
        body = probe.json()
    except ValueError:
        return None
    network = body.get("client") if probe.status_code == 200 and isinstance(body, dict) else None
    return network if isinstance(network, str) else None


def _forwarding(origin: str, network: str) -> Finding:
    """Whether bloop sees the client's address and not the proxy's."""
    if _is_public(origin) and _is_local(network):
        advice = "add the proxy to server.trusted_proxies, and let it set X-Forwarded-For"
        return wrong("proxy", f"clients seem to come from {network or 'this machine'}", advice)
    return ok("proxy", f"passes client addresses on; ours is in {network or 'this machine'}")


def metrics_are_private(origin: str) -> Iterator[Finding]:
    """Behind a proxy that sets no forwarding headers, every client looks like a local process."""
    answer = requests.get(f"{origin}/metrics", timeout=TIMEOUT_S, allow_redirects=False)
    if answer.status_code == 200:
        advice = "let the proxy set X-Forwarded-For and keep Host, as the shipped configurations do, or block /metrics"
        yield wrong("metrics", f"anyone can read {origin}/metrics", advice)
    else:
        yield ok("metrics", "not public")


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


def _is_public(origin: str) -> bool:
    """Whether the name resolves to a public address, so that our own request passed the proxy like any client's."""
    try:
        addresses = socket.getaddrinfo(urlsplit(origin).hostname, None)
    except OSError:
        return False
    return any(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_global for entry in addresses)


def _is_this_machine(host: str) -> bool:
    """Whether the name is one of loopback; a name that does not resolve is not."""
    try:
        addresses = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return any(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in addresses)


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
