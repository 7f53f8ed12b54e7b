"""GET /v1/probe/{id}: for `bloop doctor`, which client address a request through the public address arrives with.

The doctor writes an empty file of that name into the run folder, asks, and removes it. So only the bloop of that very
folder answers, nothing is stored, and nothing secret is sent to whoever answers at the address. Without the file the
answer is that of an unknown route.

PROBE-1  An id is 32 random hexadecimal digits, made for one request.
PROBE-2  The answer has the client's network, as the list of refused requests has it, and nothing else.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import falcon

from bloop.base.client_address import ClientAddresses, client_network
from bloop.base.errors import NotFound
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps

PATH = "/v1/probe/{probe_id}"
_ID = re.compile(r"[0-9a-f]{32}")


class ClientProbe:
    def __init__(self, deps: Deps) -> None:
        self._run_dir = deps.settings.run_dir
        self._addresses = ClientAddresses(deps.settings.server.trusted_proxies)

    def on_get(self, req: falcon.Request, resp: falcon.Response, probe_id: str) -> None:
        if not _ID.fullmatch(probe_id) or not probe_path(self._run_dir, probe_id).exists():
            raise NotFound("there is no such probe")
        resp.set_header("Cache-Control", "no-store")
        answer_json(resp, {"client": client_network(self._addresses.of(req.env))})


@contextlib.contextmanager
def probing(run_dir: Path) -> Iterator[str]:
    """The id of a probe that the bloop of this run folder answers meanwhile. Raises OSError: no file can be made."""
    probe_id = secrets.token_hex(16)
    path = probe_path(run_dir, probe_id)
    path.touch(mode=0o600)
    try:
        yield probe_id
    finally:
        path.unlink(missing_ok=True)


def probe_path(run_dir: Path, probe_id: str) -> Path:
    return run_dir / f"probe-{probe_id}"
