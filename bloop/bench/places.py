"""The target of a load: a temporary bloop, or a running one at a given address.

PLACE-1  A temporary bloop has its data on a disk and a free port, and leaves no trace (BENCH-1, BENCH-2). No other
    client sends to it, so everything is visible and every count must agree.
PLACE-2  A running bloop must be on loopback, unless the user repeats its host name: unexpected load on another host is
    an attack. Only data that an API token can read is visible there.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import orjson

from bloop.base.clock import now_ms
from bloop.base.errors import BloopError
from bloop.bench.instance import SECRET, BenchInstance
from bloop.bench.rendering import Target
from bloop.bench.rows import ledger, reading
from bloop.db import connection
from bloop.projects.read import get_project
from bloop.projects.tokens.store import create_token

READ_SCOPE = "errors:read"
HTTP_TIMEOUT_S = 30.0
SETTLES_WITHIN_S = 15.0
LOOK_S = 0.1
QUIET_S = 0.6  # longer than the writer lets counters follow events


class Place(Protocol):
    """The part of a target that a session uses."""

    target: Target
    instance: BenchInstance | None  # None: not started here
    token: str  # to read with; empty: cannot read

    def counted(self) -> dict[str, int] | None:
        """The ledger's totals by outcome; None if they cannot be read."""
        ...


class TemporaryPlace:
    """A temporary bloop (PLACE-1)."""

    def __init__(self, instance: BenchInstance) -> None:
        self.instance: BenchInstance | None = instance
        self.target = Target(port=instance.port, secret=SECRET)
        self.token = _make_token(instance.database)
        self._database = instance.database

    def counted(self) -> dict[str, int] | None:
        with reading(self._database) as db:
            return _at_rest(lambda: ledger(db))


class RemotePlace:
    """A running bloop at an address, through HTTP only (PLACE-2)."""

    instance: BenchInstance | None = None

    def __init__(self, target: Target, token: str = "") -> None:
        self.target, self.token = target, token

    def counted(self) -> dict[str, int] | None:
        return _at_rest(self._totals) if self.token else None

    def _totals(self) -> dict[str, int]:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = orjson.loads(get(self.target, "/v1/ledger?hours=24", headers))
        return {str(outcome): int(count) for outcome, count in answer["totals"].items()}


def _at_rest(look: Callable[[], dict[str, int]]) -> dict[str, int]:
    """The ledger once it balances and stands still, or as it is after SETTLES_WITHIN_S: the last events of a load are
    booked, as received as well as stored, a moment after they were answered."""
    deadline = time.monotonic() + SETTLES_WITHIN_S
    found, since = look(), time.monotonic()
    while True:
        settled = sum(count for outcome, count in found.items() if outcome != "received")
        is_quiet = time.monotonic() - since > QUIET_S
        if (found.get("received", 0) == settled and is_quiet) or time.monotonic() > deadline:
            return found
        time.sleep(LOOK_S)
        if (now := look()) != found:
            found, since = now, time.monotonic()


def find_target(url: str, *, key: str, secret: str, really: str) -> Target:
    """The target at a URL.

    Raises:
        BloopError: not an http URL, its host is not loopback and not the one named by `really`, or no server answers.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise BloopError(f"{url}: must be http://HOST:PORT; for https, use the port behind the proxy")
    if not (key or secret):
        raise BloopError("give a project's key (--key-file), or the secret of the default project (--secret-file)")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise BloopError(f"{parts.hostname}: {error.strerror}") from error
    host = str(found[0][4][0])
    if not ipaddress.ip_address(host).is_loopback and really != parts.hostname:
        raise BloopError(
            f"{parts.hostname} is not this machine: load on it may hurt others. If it is yours: --yes-really "
            f"{parts.hostname}"
        )
    target = Target(port=parts.port or 80, secret=secret or key, project_key=key, host=host)
    try:
        get(target, "/health", {}, anything=True)
    except OSError as error:
        raise BloopError(f"nothing answers at {url}: {error}") from error
    return target


def get(target: Target, path: str, headers: Mapping[str, str], *, anything: bool = False) -> bytes:
    """The body of a 200, with `anything` of any answer; BloopError otherwise."""
    with closing(http.client.HTTPConnection(target.host, target.port, timeout=HTTP_TIMEOUT_S)) as client:
        client.request("GET", path, headers=dict(headers))
        answer = client.getresponse()
        body = answer.read()
    if answer.status != 200 and not anything:
        raise BloopError(f"GET {path} answered {answer.status}: {body[:200].decode(errors='replace')}")
    return body


def _make_token(database: Path) -> str:
    with closing(connection.open_control(database)) as db, connection.immediate(db):
        project = get_project(db, "default")
        assert project is not None
        made = create_token(db, name="bench", project_id=project.id, scopes=[READ_SCOPE], now_ms=now_ms())
    return made.token
