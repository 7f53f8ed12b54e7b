"""Sends one POST to the checked address, with the name in Host, SNI and certificate check. Never follows redirects.

The status is what counts. A bounded part of the body is read, until the deadline.
"""

from __future__ import annotations

import email.utils
import ipaddress
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from bloop import __version__
from bloop.base.errors import Unreachable
from bloop.outbound.sockets import Bounds, Outbound, reason_of
from bloop.outbound.urls import Destination, parse_url

USER_AGENT = f"bloop/{__version__}"

logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # it logs whole URLs, which hold tokens


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    host: str
    status: int
    headers: Mapping[str, str]  # any case
    body: bytes = b""  # its beginning, b"" when it was interrupted
    may_be_quoted: bool = False  # GUARD-4
    excerpt: str = ""  # of the body, fit to be shown: the caller knows what is secret

    def retry_after_s(self, now_s: float) -> float | None:
        """The wait in the Retry-After header, seconds or a date; None without a valid one."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return float(text) if len(text) < 10 else math.inf
        try:
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now_s)
        except (ValueError, OverflowError, TypeError):
            return None


def post(out: Outbound, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    """Send `body` to `url`, once.

    Raises:
        OutboundRefused: the address is not allowed.
        Unreachable: no answer in time.
    """
    to = parse_url(url)
    bounds = out.bounds(out.limits.http_s)
    connection = _Connection(out, to, bounds)
    try:
        connection.request("POST", to.target, body, _headers(headers, to), preload_content=False, decode_content=False)
        response = connection.getresponse()
        body = _beginning(response, out.limits.body_bytes_max)
        return HttpAnswer(to.host, response.status, response.headers, body, may_be_quoted=connection.may_quote)
    except (OSError, HTTPException, HTTPError) as error:
        raise Unreachable(f"{to.host}: {reason_of(error)}") from error
    finally:
        connection.close()


class _Connection(HTTPConnection):
    """urllib3's client on our sockets: it opens none itself, and leaves TLS to `Outbound.secure`."""

    def __init__(self, out: Outbound, to: Destination, bounds: Bounds) -> None:
        super().__init__(to.host, to.port, timeout=bounds.seconds)
        self._out, self._to, self._bounds = out, to, bounds
        self.may_quote = False

    def connect(self) -> None:
        sock = self._out.connect(self._to.host, self._to.port, self._bounds)
        peer = ipaddress.ip_address(str(sock.getpeername()[0]).partition("%")[0])  # a link-local one names its link
        self.may_quote = self._out.guard.may_quote(self._to.host, peer)
        self.sock = self._out.secure(sock, self._to.host) if self._to.scheme == "https" else sock


def _headers(headers: Mapping[str, str], to: Destination) -> dict[str, str]:
    own = {"Host": to.authority, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}
    return {**headers, **own}


def _beginning(response: Any, bytes_max: int) -> bytes:
    try:
        return bytes(response.read(bytes_max))
    except (HTTPError, HTTPException, OSError):
        return b""
