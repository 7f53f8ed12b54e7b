"""Requests made before the clock starts: signed, complete, ready for `sendmsg`.

A request is a tuple of byte strings sent one after the other; large parts are shared between requests (CORPUS-3).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from bloop.bench.bodies import Bodies

Request = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go and how they are signed. The headers are those of a usual HTTP client library."""

    port: int
    secret: str
    project_key: str = ""  # empty: the default project, signed with the configured secret
    host: str = "127.0.0.1"
    single_path: str = "/v1/ingest"
    batch_path: str = "/v1/ingest/batch"

    def head(self, path: str, body_bytes: int, signature: str) -> bytes:
        key = f"X-Project-Key: {self.project_key}\r\n" if self.project_key else ""
        return (
            f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nUser-Agent: bloop-bench/1\r\n"
            f"Accept: */*\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
            f"Content-Type: application/json\r\n{key}X-Signature: {signature}\r\nContent-Length: {body_bytes}\r\n\r\n"
        ).encode()


def single(target: Target, corpus: Bodies, n: int) -> Request:
    """One event, one request."""
    return _request(target, target.single_path, corpus.event(n))


def batch(target: Target, corpus: Bodies, first: int, size: int) -> Request:
    """Events `first` to `first + size - 1` in one request."""
    parts = [b'{"events":[']
    for n in range(first, first + size):
        if n > first:
            parts.append(b",")
        parts += corpus.event(n)
    parts.append(b"]}")
    return _request(target, target.batch_path, tuple(parts))


def _request(target: Target, path: str, parts: Request) -> Request:
    body = b"".join(parts)
    signature = hmac.digest(target.secret.encode(), body, "sha256").hex()
    head = target.head(path, len(body), signature)
    return (head + parts[0], *parts[1:])
