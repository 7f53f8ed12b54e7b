"""Refusals that the server answers without calling the app: one error type, one short JSON body."""

from __future__ import annotations

import json
from http import HTTPStatus

from bloop.base.errors import BodyTooLarge, WireError
from bloop.base.security_headers import security_headers


class Refused(WireError):
    """The request is answered `status` with `{"error": error}` and the connection closes."""

    def __init__(self, status: int, error: str, retry_after_s: int | None = None) -> None:
        super().__init__(status, error, retry_after_s)
        self.status, self.error, self.retry_after_s = status, error, retry_after_s

    def __str__(self) -> str:
        return self.error


def body_refusal(bytes_max: int) -> Refused:
    """The refusal of a body that is longer than its route takes; most routes take none."""
    return Refused(413, str(BodyTooLarge(bytes_max)) if bytes_max else "this request takes no body")


def fixed_lines(*, https: bool) -> bytes:
    """The header lines that every refusal has: a browser may show it as a page, and no cache may keep it."""
    headers = security_headers(https=https) | {"Cache-Control": "no-store"}
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")


def refusal_bytes(refused: Refused, more_lines: bytes) -> bytes:
    """The whole response, with `more_lines` of headers (the date, the security headers). It always says
    `Connection: close`: after a refusal the framing cannot be trusted."""
    body = json.dumps({"error": refused.error}).encode()
    status = HTTPStatus(refused.status)
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: bloop\r\n"
    if refused.retry_after_s is not None:
        head += f"Retry-After: {refused.retry_after_s}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return head.encode("ascii") + more_lines + b"\r\n" + body
