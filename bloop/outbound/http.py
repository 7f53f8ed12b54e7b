"""One POST: to the address that was judged, with the name in Host, SNI and certificate check. Redirects stay unread.

The status line is the answer. Of the body a bounded part is read, while the time lasts: one that never ends is cut.
"""

from __future__ import annotations

import email.utils
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

logging.getLogger("urllib3").setLevel(logging.CRITICAL)  # it logs whole URLs, and those hold tokens


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    host: str
    status: int
    headers: Mapping[str, str]  # any case
    body: bytes = b""  # its beginning, b"" when it was cut off

    def retry_after_s(self, now_s: float) -> float | None:
        """What the Retry-After header asks for, as seconds or as a date; None: nothing, or nothing readable."""
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
        OutboundRefused: it is not where bloop sends to.
        Unreachable: there was no answer, or none in time.
    """
    to = parse_url(url)
    bounds = out.bounds(out.limits.http_s)
    connection = _Connection(out, to, bounds)
    try:
        connection.request("POST", to.target, body, _headers(headers, to), preload_content=False, decode_content=False)
        response = connection.getresponse()
        return HttpAnswer(to.host, response.status, response.headers, _beginning(response, out.limits.body_bytes_max))
    except (OSError, HTTPException, HTTPError) as error:
        raise Unreachable(f"{to.host}: {reason_of(error)}") from error
    finally:
        connection.close()


class _Connection(HTTPConnection):
    """urllib3's client on our sockets: it opens none by itself, and leaves TLS to `Outbound.secure`."""

    def __init__(self, out: Outbound, to: Destination, bounds: Bounds) -> None:
        super().__init__(to.host, to.port, timeout=bounds.seconds)
        self._out, self._to, self._bounds = out, to, bounds

    def connect(self) -> None:
        sock = self._out.connect(self._to.host, self._to.port, self._bounds)
        self.sock = self._out.secure(sock, self._to.host) if self._to.scheme == "https" else sock


def _headers(headers: Mapping[str, str], to: Destination) -> dict[str, str]:
    own = {"Host": to.authority, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"}
    return {**headers, **own}


def _beginning(response: Any, bytes_max: int) -> bytes:
    try:
        return bytes(response.read(bytes_max))
    except (HTTPError, HTTPException, OSError):
        return b""
