"""Requests as bytes that nobody should send: broken heads, bodies, encodings, paths and cookies. Pure, by a seed.

RAW-1  Each begins as a request that bloop takes, with good credentials more often than not, and is then damaged in up
    to four places: what is refused at the first glance never reaches what lies behind.
RAW-2  Wherever a client could put a secret, the planted marker may stand. No log may show it.
RAW-3  The sender ends its side of the connection after the last byte, so a server that waits for more can see that
    there is none.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import brotli
import zstandard

CRLF = b"\r\n"
NASTY = b"\x00\x01\t\n\r\x0b\x1b[31m\x7f\x80\xff\xc3\x28\xed\xa0\x80%\"'<>\\;,=&#"
HOW_MANY = (0, 1, 1, 2, 2, 3, 4)  # damages of one request
BIG = 1_500_000  # zero bytes that a bomb inflates to
DEEP = 20_000

READ_PATHS = """
/ /health /ready /metrics /issues.md /issues/DEFAULT-1 /issues/DEFAULT-99999999999999999999 /issues/DEFAULT-1.csv
/issues/DEFAULT-1/events/-9223372036854775809 /issues/DEFAULT-1/events/99999999999999999999
/v1/errors /v1/errors/ffff /v1/errors/%00 /v1/trends /v1/stats /v1/ledger /v1/rejections /v1/projects /v1/tokens
/v1/alerts /v1/alerts/-99999999999999999999 /v1/deliveries /v1/backups /v1/retention /v1/releases/1.0.0/errors
/v1/probe/0 /ledger /system /settings/projects /alerts /assets/app.css /assets/..%2f..%2fetc%2fpasswd
/auth/login /auth/me /nowhere
"""
WRITE_PATHS = """
/v1/projects /v1/projects/default /v1/projects/nowhere/rotate-key /v1/tokens /v1/tokens/99999999999999999999
/v1/alerts /v1/alerts/-9223372036854775809 /v1/errors/ffff/resolve /v1/errors/bulk /v1/retention
/issues/DEFAULT-1/status /issues/bulk /auth/passkeys/login/start /auth/passkeys/login/finish
/v1/deliveries/99999999999999999999/retry /v1/users/nobody /v1/invites
"""


class Keys(NamedTuple):
    """Good credentials for the bloop under test, and what must not be in any log."""

    secret: str
    project_key: str
    token: str
    cookie: str
    marker: str
    origin: str


@dataclass
class Draft:
    """A request before it is bytes. Values are bytes, so that nothing keeps them legal."""

    method: bytes
    path: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    version: bytes = b"HTTP/1.1"
    eol: bytes = CRLF
    frames_body: bool = True  # Content-Length is added
    signs: str = ""  # the key to sign with
    before: bytes = b""
    after: bytes = b""
    cuts: list[int] = field(default_factory=list)  # after so many bytes the sender pauses

    def set(self, name: bytes, value: bytes) -> None:
        self.headers = [(n, v) for n, v in self.headers if n.lower() != name.lower()] + [(name, value)]

    def head(self) -> bytes:
        headers = list(self.headers)
        if self.signs:
            signature = hmac.new(self.signs.encode(), self.body, hashlib.sha256).hexdigest()
            headers.append((b"X-Signature", signature.encode()))
        if self.frames_body and (self.body or self.method in (b"POST", b"PUT", b"PATCH")):
            headers.append((b"Content-Length", str(len(self.body)).encode()))
        start = b" ".join(part for part in (self.method, self.path, self.version) if part)
        return self.eol.join([start, *(name + b": " + value for name, value in headers), b"", b""])

    def render(self) -> bytes:
        return self.before + self.head() + self.body + self.after


class RawRequest(NamedTuple):
    wire: bytes
    cuts: tuple[int, ...]


class RawRequests:
    """An endless supply; the same seed gives the same bytes while the keys are the same."""

    def __init__(self, seed: int, keys: Keys) -> None:
        self._rng, self._keys = random.Random(seed), keys
        self._marker = keys.marker.encode()

    def make(self) -> RawRequest:
        rng = self._rng
        draft = rng.choice(_STARTS)(self)
        for _ in range(rng.choice(HOW_MANY)):
            rng.choice(_DAMAGES)(self, draft)
        wire = draft.render()
        if rng.random() < 0.05:
            wire = self._flip(wire)
        if rng.random() < 0.1:
            wire = wire[: rng.randrange(len(wire) + 1)]
        if rng.random() < 0.1:
            wire += rng.choice(_STARTS)(self).render()  # pipelined
        cuts = sorted(rng.randrange(len(wire) + 1) for _ in range(rng.choice((0, 0, 0, 1, 3))))
        return RawRequest(wire, tuple(cuts))

    # What a request begins as

    def event(self) -> dict[str, Any]:
        rng = self._rng
        made: dict[str, Any] = {
            "timestamp": rng.choice([1_800_000_000_000, 1_800_000_000, 0, -1, 2**63, 1.5, None, "now"]),
            "source": rng.choice(["api", "ios", "", "x" * 40, None, 7]),
            "environment": rng.choice(["production", "\x00", "e" * 300, None]),
            "release": rng.choice(["1.0.0", "\ud800", "(overflow)", None, ""]),
            "error_type": rng.choice(["FuzzError", "", "E" * 600, None, []]),
            "message": rng.choice([self._keys.marker, "m" * 3000, "\u202e", "\r\nX: y", None, {"a": 1}]),
            "stack": rng.choice(["at f (a.js:1:2)\n" * 50, "s" * 9000, "\n" * 500, None, self._keys.marker]),
            "metadata": rng.choice([{}, {"token": self._keys.marker}, {"n": 1e308}, {"k" * 5000: 1}, [], None]),
            "user_id_hash": rng.choice([self._keys.marker, "", None, 1]),
            "fingerprint": rng.choice([None, None, "f" * 300, self._keys.marker]),
        }
        return {name: value for name, value in made.items() if value is not None or rng.random() < 0.2}

    def good_event(self) -> dict[str, Any]:
        now_ms = 1_700_000_000_000 + self._rng.randrange(10**9)
        return {
            "timestamp": now_ms,
            "source": "api",
            "environment": "production",
            "error_type": f"Fuzz{self._rng.randrange(20)}Error",
            "message": f"fuzzed with {self._keys.marker}",
        }

    def single(self) -> Draft:
        return self._signed(b"/v1/ingest", self.event() if self._rng.random() < 0.7 else self.good_event())

    def batch(self) -> Draft:
        count = self._rng.choice([0, 1, 2, 50, 101])
        events = [self.event() if self._rng.random() < 0.3 else self.good_event() for _ in range(count)]
        return self._signed(b"/v1/ingest/batch", {"events": events})

    def _signed(self, path: bytes, body: object) -> Draft:
        draft = Draft(b"POST", path, [*self._common(), (b"Content-Type", b"application/json")], dumps(body))
        key = self._rng.choice([self._keys.secret, self._keys.project_key])
        draft.signs = key if self._rng.random() < 0.8 else self._keys.marker
        if key == self._keys.project_key:
            draft.headers.append((b"X-Project-Key", key.encode()))
        return draft

    def reading(self) -> Draft:
        path = self._rng.choice(_READ)
        draft = Draft(b"GET", path, self._common())
        self._with_credential(draft)
        if self._rng.random() < 0.5:
            draft.path += b"?" + self._query()
        return draft

    def writing(self) -> Draft:
        body = dumps(self._rng.choice([{}, [], None, self.event(), {"name": self._keys.marker, "slug": "a-b"}]))
        draft = Draft(self._rng.choice([b"POST", b"PUT", b"DELETE"]), self._rng.choice(_WRITE), self._common(), body)
        self._with_credential(draft)
        draft.headers += [(b"Content-Type", b"application/json"), (b"Origin", self._keys.origin.encode())]
        return draft

    def signing_in(self) -> Draft:
        form = b"token=" + self._marker + b"&" + self._query()
        path = self._rng.choice([b"/auth/login", b"/auth/login?token=" + self._marker, b"/auth/logout"])
        headers = [(b"Content-Type", b"application/x-www-form-urlencoded"), (b"Origin", self._keys.origin.encode())]
        return Draft(self._rng.choice([b"GET", b"POST"]), path, self._common() + headers, form)

    def preflight(self) -> Draft:
        asked = [(b"Origin", b"https://" + self._marker), (b"Access-Control-Request-Method", b"POST")]
        return Draft(b"OPTIONS", b"/v1/ingest", self._common() + asked)

    def noise(self) -> Draft:
        size = self._rng.choice([0, 1, 7, 100, 9000, 20_000])
        return Draft(b"", b"", [], version=b"", eol=b"", before=self._rng.randbytes(size) + self._marker)

    def _common(self) -> list[tuple[bytes, bytes]]:
        return [(b"Host", b"localhost"), (b"User-Agent", b"fuzz")]

    def _with_credential(self, draft: Draft) -> None:
        keys = self._keys
        choices = [
            (b"Authorization", b"Bearer " + keys.token.encode()),
            (b"Cookie", b"bloop_session=" + keys.cookie.encode()),
            (b"Authorization", b"Bearer " + self._marker),
            (b"Cookie", b"bloop_session=" + self._marker),
        ]
        if self._rng.random() < 0.9:
            draft.headers.append(self._rng.choices(choices, (5, 5, 1, 1))[0])

    def _query(self) -> bytes:
        rng = self._rng
        names = (b"limit", b"cursor", b"query", b"token", b"project_id", b"hours", b"status", b"sort", b"page", b"x")
        values = (b"", b"-1", b"99999999999999999999", b"%00", b"%ff", b"a" * 1100, b"%", b"1e9", b"nan", self._marker)
        pairs = (rng.choice(names) + b"=" + rng.choice(values) for _ in range(rng.randrange(1, 6)))
        return rng.choice((b"&", b";", b"&&")).join(pairs)

    # Damage

    def nasty(self) -> bytes:
        start = self._rng.randrange(len(NASTY))
        return NASTY[start : start + self._rng.randrange(1, 6)]

    def _flip(self, wire: bytes) -> bytes:
        damaged = bytearray(wire)
        for _ in range(self._rng.randrange(1, 8)):
            if damaged:
                damaged[self._rng.randrange(len(damaged))] = self._rng.randrange(256)
        return bytes(damaged)

    def damage_path(self, draft: Draft) -> None:
        rng, path = self._rng, draft.path
        at = rng.randrange(len(path) + 1)
        inserted = rng.choice(
            [b"%00", b"%0a", b"%0d%0aX:%20y", b"%2f", b"%2e%2e/", b"/../", b"//", b"%", b"%zz", b"%c0%af", self.nasty()]
        )
        draft.path = rng.choice(
            [
                path[:at] + inserted + path[at:],
                path + b"?" + self._query(),
                path + b"?token=" + self._marker + self.nasty(),
                path.replace(b"i", b"%69", 1),
                b"http://" + self._marker + b"/" + path,
                b"*",
                path + b"#" + self._marker,
                path + b"/" + b"a" * rng.choice([4000, 4094, 8100, 9000]),
                path + b"/" + self._marker,
                b"/" + b"../" * 40 + b"etc/passwd",
                b"",
            ]
        )

    def damage_method(self, draft: Draft) -> None:
        draft.method = self._rng.choice(
            [
                b"get",
                b"GET ",
                b"BREW",
                b"TRACE",
                b"CONNECT",
                b"PATCH",
                b"HEAD",
                b"G" * 9000,
                self._marker,
                self.nasty(),
                b"",
            ]
        )

    def damage_version(self, draft: Draft) -> None:
        draft.version = self._rng.choice(
            [
                b"HTTP/1.0",
                b"HTTP/0.9",
                b"HTTP/2.0",
                b"HTTP/1.2",
                b"HTTP/11",
                b"http/1.1",
                b"",
                b"HTTP/1.1 ",
                self.nasty(),
            ]
        )

    def damage_lines(self, draft: Draft) -> None:
        draft.eol = self._rng.choice([b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n"])

    def damage_host(self, draft: Draft) -> None:
        draft.headers = [(name, value) for name, value in draft.headers if name != b"Host"]
        values = [b"", b"localhost, localhost", b"[::1", b"a b", self._marker, b"h" * 300, self.nasty()]
        draft.headers += [(b"Host", self._rng.choice(values)) for _ in range(self._rng.randrange(3))]

    def damage_length(self, draft: Draft) -> None:
        values = [
            b"-1",
            b"+5",
            b"0x10",
            b"5, 5",
            b"5,6",
            b"",
            b"99999999999999999999",
            b"1e3",
            b" 5",
            b"4194305",
            b"\xb2",
        ]
        draft.frames_body = self._rng.random() < 0.5
        draft.headers.append((b"Content-Length", self._rng.choice(values)))

    def damage_chunks(self, draft: Draft) -> None:
        draft.frames_body = self._rng.random() < 0.2
        codings = [b"chunked", b"gzip, chunked", b"chunked, chunked", b"identity", b"Chunked ", b"\x0bchunked", b"x"]
        draft.set(b"Transfer-Encoding", self._rng.choices(codings, (6, 1, 1, 1, 1, 1, 1))[0])
        size, body = b"%x" % len(draft.body), draft.body
        signed = hmac.new(draft.signs.encode(), body, hashlib.sha256).hexdigest().encode() if draft.signs else b""
        if draft.signs:
            draft.signs = ""
            draft.headers.append((b"X-Signature", signed))
        draft.body = self._rng.choice(
            [
                size + CRLF + body + b"\r\n0\r\n\r\n",
                size + b";" + self._marker + CRLF + body + b"\r\n0\r\nX-T: " + self._marker + b"\r\n\r\n",
                b"ffffffffffffffff\r\n" + body,
                b"-1\r\n" + body,
                b"5\r\n" + body[:3],
                b"0\r\n\r\n" + body,
                b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n",
                body,
            ]
        )

    def damage_header(self, draft: Draft) -> None:
        rng, marker = self._rng, self._marker
        made = rng.choice(
            [
                (
                    b"Authorization",
                    rng.choice([b"Bearer " + marker + self.nasty(), b"Basic " + marker, b"Bearer", marker]),
                ),
                (b"Cookie", self._cookie()),
                (b"X-Project-Key", marker + rng.choice([b"", self.nasty(), b"k" * 5000])),
                (b"X-Signature", rng.choice([b"", b"zz", b"0" * 63, b"0" * 64, marker, self.nasty()])),
                (b"X-Forwarded-For", rng.choice([b"1.2.3.4, " + marker, b"::1%eth0", b"," * 500, self.nasty()])),
                (b"User-Agent", marker + self.nasty()),
                (b"Referer", b"https://h/?token=" + marker),
                (b"Origin", rng.choice([b"null", b"https://" + marker, b"http://localhost:99999", self.nasty()])),
                (
                    b"Content-Type",
                    rng.choice([b"text/plain", b"multipart/form-data; boundary=" + marker, self.nasty()]),
                ),
                (b"Accept", rng.choice([b"text/event-stream", b"*/*;q=nan", b"," * 900, self.nasty()])),
                (b"Accept-Encoding", rng.choice([b"gzip;q=x", b"br, zstd", self.nasty()])),
                (b"If-None-Match", b'W/"' + marker),
                (b"If-Modified-Since", marker),
                (b"Range", b"bytes=0-" + marker),
                (b"Last-Event-ID", rng.choice([b"-1", b"9" * 30, marker])),
                (b"Expect", rng.choice([b"100-continue", marker])),
                (b"Connection", rng.choice([b"close", b"upgrade", b"keep-alive, close", marker])),
                (b"Upgrade", b"h2c"),
                (b"X-" + marker, self.nasty()),
                (b"No Space" + self.nasty(), marker),
                (b"X-Big", b"v" * rng.choice([8000, 17_000, 70_000])),
                (b"X-Folded", marker + b"\r\n " + marker),
                (b"", marker),
            ]
        )
        draft.headers.append(made)

    def damage_count(self, draft: Draft) -> None:
        draft.headers += [(b"X-%d" % n, self._marker) for n in range(self._rng.choice([90, 101, 500]))]

    def _cookie(self) -> bytes:
        marker, good = self._marker, self._keys.cookie.encode()
        return self._rng.choice(
            [
                b"bloop_session=" + marker,
                b'bloop_session="' + marker,
                b"__Host-bloop_session=" + good,
                b"bloop_session=" + good + b"; bloop_session=" + marker,
                b"bloop_session=" + good + self.nasty(),
                b"; " * 2000,
                b"=" + marker,
                b"a=" + b"b" * 9000,
                self.nasty(),
            ]
        )

    def damage_json(self, draft: Draft) -> None:
        rng = self._rng
        draft.body = rng.choice(
            [
                b"[" * DEEP,
                b'{"a":' * DEEP + b"1" + b"}" * DEEP,
                b'{"events":[' + b"[],".join([b""] * DEEP) + b"[]]}",
                draft.body[: rng.randrange(len(draft.body) + 1)],
                draft.body + draft.body,
                b"\xef\xbb\xbf" + draft.body,
                draft.body.decode("utf-8", "replace").encode("utf-16"),
                b'{"message":"\xff\xfe","error_type":"\xed\xa0\x80"}',
                b'{"timestamp":' + b"9" * 5000 + b"}",
                b'{"message":NaN,"metadata":{"a":-Infinity}}',
                b'{"message":"a","message":"' + self._marker + b'"}',
                b"null",
                b"",
                self._flip(draft.body),
                rng.randbytes(300) + self._marker,
            ]
        )

    def damage_encoding(self, draft: Draft) -> None:
        rng = self._rng
        name, pack = rng.choice(_PACKERS)
        plain = rng.choice([draft.body, draft.body, bytes(BIG), b"[]," * 50_000])
        packed = pack(plain)
        draft.body = rng.choice([packed, packed, packed[: len(packed) // 2], packed + packed, self._flip(packed)])
        label = rng.choice(
            [name, name, name, name.upper(), name + b", " + name, b"identity", b"x" + name, self._marker]
        )
        draft.set(b"Content-Encoding", label)

    def damage_frame(self, draft: Draft) -> None:
        rng = self._rng
        draft.before = rng.choice([b"\r\n" * 3, b"\n", b"\x16\x03\x01\x02\x00", b"\r\n" * 9000, b""])
        draft.after = rng.choice([b"\r\n", self._marker, b"GET /", b"\x00" * 100])


def dumps(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


_READ = tuple(path.encode() for path in READ_PATHS.split())
_WRITE = tuple(path.encode() for path in WRITE_PATHS.split())
_STARTS: tuple[Callable[[RawRequests], Draft], ...] = (
    RawRequests.single, RawRequests.single, RawRequests.batch, RawRequests.reading, RawRequests.reading,
    RawRequests.writing, RawRequests.signing_in, RawRequests.preflight, RawRequests.noise,
)  # fmt: skip
_DAMAGES: tuple[Callable[[RawRequests, Draft], None], ...] = (
    RawRequests.damage_path, RawRequests.damage_path, RawRequests.damage_method, RawRequests.damage_version,
    RawRequests.damage_lines, RawRequests.damage_host, RawRequests.damage_length, RawRequests.damage_chunks,
    RawRequests.damage_header, RawRequests.damage_header, RawRequests.damage_header, RawRequests.damage_count,
    RawRequests.damage_json, RawRequests.damage_encoding, RawRequests.damage_encoding, RawRequests.damage_frame,
)  # fmt: skip
_PACKERS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"gzip", lambda data: gzip.compress(data, 1)),
    (b"deflate", lambda data: zlib.compress(data, 1)),
    (b"br", lambda data: brotli.compress(data, quality=1)),
    (b"zstd", lambda data: zstandard.compress(data, 1)),
)
