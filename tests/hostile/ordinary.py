"""The requests of ordinary people whose times are measured while others attack."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from contextlib import closing

from tests.acceptance.harness import BloopServer, event, signed
from tests.hostile.latency import FAILED_MS, Request


def long_answer(server: BloopServer) -> str:
    """The path of the stylesheet, 32 KB, which needs no credential."""
    page = server.request("GET", "/auth/login").body.decode()
    return re.findall(r'href="(/assets/kit[^"]*css)"', page)[0]


def ordinary_requests(server: BloopServer) -> dict[str, Request]:
    raw = json.dumps(event()).encode()
    cookie = {"Cookie": f"bloop_session={server.session()}"}

    def send(method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=FAILED_MS / 1000)) as client:
            client.request(method, path, body, dict(headers or {}))
            answer = client.getresponse()
            answer.read()
            return answer.status

    return {
        "/health": lambda: send("GET", "/health"),
        "a page": lambda: send("GET", "/", headers=cookie),
        "ingest": lambda: send("POST", "/v1/ingest", raw, signed(raw, server.secret)),
    }
