"""Refusals that the server answers without calling the app: one error type, one short JSON body."""

from __future__ import annotations

import json
from http import HTTPStatus

from bloop.base.errors import WireError


class Refused(WireError):
    """The request is answered `status` with `{"error": error}` and the connection closes."""

    def __init__(self, status: int, error: str, retry_after_s: int | None = None) -> None:
        super().__init__(status, error, retry_after_s)
        self.status, self.error, self.retry_after_s = status, error, retry_after_s

    def __str__(self) -> str:
        return self.error


def refusal_bytes(refused: Refused, date_line: bytes) -> bytes:
    """The whole response. It always says `Connection: close`: after a refusal the framing cannot be trusted."""
    body = json.dumps({"error": refused.error}).encode()
    status = HTTPStatus(refused.status)
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nServer: bloop\r\n"
    if refused.retry_after_s is not None:
        head += f"Retry-After: {refused.retry_after_s}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return head.encode("ascii") + date_line + b"\r\n" + body
