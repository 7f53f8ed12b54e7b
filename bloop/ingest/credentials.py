"""How a request proves which project it is for. A dialect names one of these strategies.

CREDENTIALS-1  A strategy reads the body, because some can only be proven over it, and never past the bound it is given.
CREDENTIALS-2  A compressed body is verified as it was sent or, failing that, as it reads inflated: some clients sign
    before a middleware compresses. Size limits hold before and after inflating.
CREDENTIALS-3  What a request merely claims decides who sees its refusal, never whether it is let in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from bloop.base.errors import Unauthorized
from bloop.ingest.body import content_encoding, inflate, read_body
from bloop.ingest.hmac_signature import parse_signature
from bloop.ingest.keys import ProjectKeys

Environ = dict[str, Any]


class CredentialStrategy(Protocol):
    """One strategy, with the keys it looks in. Shared by every route of a dialect; any thread."""

    def claimed(self, env: Environ) -> str:
        """The key a request shows, unproven; empty when it shows none."""
        ...

    def find(self, env: Environ) -> int | None:
        """The project of that key, for attributing refusals; None when it is unknown."""
        ...

    def open(self, env: Environ, bytes_max: int) -> tuple[int, bytes]:
        """The proven project and the plain body.

        Raises:
            Unauthorized, UnknownKey, BadEncoding, StorageError: as their names say.
            BodyTooLarge: the body is longer than `bytes_max`, as sent or inflated.
        """
        ...


class SignedBody:
    """HMAC over the body with a project's key. In this order: signature present, hex, body size, key, signature."""

    def __init__(self, keys: ProjectKeys) -> None:
        self._keys, self._verify = keys, keys.verify

    def claimed(self, env: Environ) -> str:
        return str(env.get("HTTP_X_PROJECT_KEY", ""))

    def find(self, env: Environ) -> int | None:
        return self._keys.find(env.get("HTTP_X_PROJECT_KEY"))

    def open(self, env: Environ, bytes_max: int) -> tuple[int, bytes]:
        signature = parse_signature(env.get("HTTP_X_SIGNATURE"))
        body = read_body(env, bytes_max)
        claimed = env.get("HTTP_X_PROJECT_KEY")
        project_id = self._verify(claimed, signature, body)
        if "HTTP_CONTENT_ENCODING" in env and (coding := content_encoding(env)):
            body = inflate(body, coding, bytes_max)
            if project_id is None:
                project_id = self._verify(claimed, signature, body)
        if project_id is None:
            raise Unauthorized("invalid signature")
        return project_id, body


class WriteKeyShown:
    """A key that can only write, in clear. `kind` is the kind of key, `show` finds it in a request: a header, the path.

    It needs no body, so a request without a good one is refused before its body is read.
    """

    def __init__(self, keys: ProjectKeys, kind: str, show: Callable[[Environ], str | None]) -> None:
        self._keys, self._kind, self._show = keys, kind, show

    def claimed(self, env: Environ) -> str:
        return self._show(env) or ""

    def find(self, env: Environ) -> int | None:
        return self._keys.find_write_key(self._kind, self._show(env))

    def open(self, env: Environ, bytes_max: int) -> tuple[int, bytes]:
        project_id = self._keys.authenticate_write_key(self._kind, self._show(env))
        body = read_body(env, bytes_max)
        coding = content_encoding(env)
        return project_id, inflate(body, coding, bytes_max) if coding else body
