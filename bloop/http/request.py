"""The head of a request: bytes in, a WSGI environ out. No I/O.

REQUEST-1  A head that two servers could read differently is refused: conflicting lengths, bare CR or LF, folded
    headers, spaces before a colon, a second Host. llhttp, in its strict mode, does most of that.
REQUEST-2  A header name with an underscore never reaches the environ, where it could pass for the one with a dash.
REQUEST-3  Both caches are bounded for every possible input.
REQUEST-4  Whose request it is, is decided by the decoded path that the app gets too. Deciding by another spelling would
    let `/v1/%69ngest` reach a second process, with a second rate limit.

SDKs send the same request lines again and again, so a line is looked up before it is parsed: the entry carries a ready
environ to copy. Each head gets a parser of its own (0.4 µs): nothing of one request can leak into the next, and bodies
never pass through it (body.py finds their end).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import httptools

from bloop.http.limits import HttpLimits
from bloop.http.refusal import Refused

Environ = dict[str, Any]
BodyBytesMax = Callable[[str, bytes], int]  # of a method and a path, as `is_ours` sees it

_LINES_CACHED_MAX = 256
_LINE_CACHED_BYTES_MAX = 512  # an entry holds a line about four times; SDKs send short ones
_NAMES_CACHED_MAX = 512

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/([0-9]\.[0-9])")
_ABSOLUTE_TARGET = re.compile(rb"https?://[^/?#]+(?=[/?]|$)", re.IGNORECASE)
_LINE_START = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]|\r\Z")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_EMPTY_LINES = re.compile(rb"(?:\r\n)*")
_SLASHES = re.compile(rb"/{2,}")

# Fields that cannot be a list: with a second one, a proxy in front could read the request differently than we do.
_SINGLETONS = frozenset(
    {
        "HTTP_HOST",
        "HTTP_AUTHORIZATION",
        "HTTP_EXPECT",
        "HTTP_TRANSFER_ENCODING",
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
    }
)
_UNPREFIXED = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


class RequestLine(NamedTuple):
    """A parsed request line. `environ` is a template: copy it, never change it."""

    environ: Environ
    is_http_10: bool
    is_head: bool
    is_ours: bool  # False: the request belongs to the dashboard
    body_bytes_max: int  # that the route takes, 0 = none
    cells: dict[str, list[int]]  # status line → the counters of such answers (bloop/base/meters.py)


def parse_request_line(
    raw: bytes,
    base_environ: Environ,
    is_ours: Callable[[bytes], bool],
    body_bytes_max: BodyBytesMax = lambda method, path: HttpLimits().body_bytes_max,
) -> RequestLine:
    """Read `METHOD target HTTP/x.y`. `is_ours` and `body_bytes_max` see the path as the app will: without the query,
    decoded, and with repeated slashes collapsed (REQUEST-4)."""
    match = _REQUEST_LINE.fullmatch(raw)
    if match is None:
        raise Refused(400, "malformed request line")
    method, target, version = match.groups()
    if version not in (b"1.1", b"1.0"):
        raise Refused(505, "HTTP/1.1 and HTTP/1.0 only")
    if method == b"CONNECT":
        raise Refused(501, "method not implemented")
    path, _, query = _origin_form(method, target).partition(b"?")
    method_name, decoded = method.decode("ascii"), unquote_to_bytes(path)
    environ = base_environ | {
        "REQUEST_METHOD": method_name,
        "PATH_INFO": decoded.decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "RAW_URI": target.decode("latin-1"),
        "REQUEST_URI": target.decode("latin-1"),
        "SERVER_PROTOCOL": "HTTP/" + version.decode("ascii"),
    }
    route = _SLASHES.sub(b"/", decoded) if b"//" in decoded else decoded
    bytes_max = body_bytes_max(method_name, route)
    return RequestLine(environ, version == b"1.0", method == b"HEAD", is_ours(route), bytes_max, {})


def _origin_form(method: bytes, target: bytes) -> bytes:
    """The target as path and query, from any of the three request-target forms a server accepts (RFC 9112, 3.2)."""
    if b"#" in target:
        raise Refused(400, "malformed request target")
    if target.startswith(b"/") or (target == b"*" and method == b"OPTIONS"):
        return target
    absolute = _ABSOLUTE_TARGET.match(target)
    if absolute is None:
        raise Refused(400, "malformed request target")
    origin_form = target[absolute.end() :]
    return origin_form if origin_form.startswith(b"/") else b"/" + origin_form


class HeadReader:
    """Turns heads into environs for one worker; its own caches, no locks, one thread."""

    def __init__(
        self,
        base_environ: Environ,
        is_ours: Callable[[bytes], bool],
        limits: HttpLimits,
        body_bytes_max: BodyBytesMax | None = None,
    ) -> None:
        """`body_bytes_max` is asked for each request; without it, every route takes `limits.body_bytes_max`."""
        self._base_environ = base_environ
        self._is_ours = is_ours
        self._limits = limits
        self._body_bytes_max = body_bytes_max or (lambda method, path: limits.body_bytes_max)
        self.lines: dict[bytes, RequestLine] = {}  # read directly on the hot path; filled by line()
        self._keys: dict[bytes, str] = {}
        self._environ: Environ = {}

    def line(self, raw: bytes) -> RequestLine:
        """Parse a request line and cache the result."""
        if len(raw) > self._limits.request_line_bytes_max:
            raise Refused(414, "request line too long")
        line = parse_request_line(raw, self._base_environ, self._is_ours, self._body_bytes_max)
        if len(raw) > _LINE_CACHED_BYTES_MAX:
            return line
        if len(self.lines) >= _LINES_CACHED_MAX:
            self.lines.clear()
        self.lines[raw] = line
        return line

    def environ(self, line: RequestLine, head: bytes) -> Environ:
        """The environ of a complete head (it ends with the empty line), without the fields of the connection."""
        if len(head) > self._limits.header_bytes_max:
            raise Refused(431, "headers too large")
        if head.count(b"\n") - 2 > self._limits.header_count_max:
            raise Refused(431, f"more than {self._limits.header_count_max} headers")
        environ = self._environ = line.environ.copy()
        try:
            httptools.HttpRequestParser(self).feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # a server may ignore an offer to switch protocols; all headers have been read
        except httptools.HttpParserInvalidMethodError:
            raise Refused(501, "method not implemented") from None
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise cause if isinstance(cause, Refused) else error from None
        except httptools.HttpParserError as error:
            raise Refused(400, f"malformed request: {error}") from None
        if "HTTP_HOST" not in environ and not line.is_http_10:
            raise Refused(400, "missing Host header")
        return environ

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp for each header."""
        key = self._keys.get(name)
        if key is None:
            key = self._environ_key(name)
        if not key:
            return
        environ = self._environ
        text = value.decode("latin-1").rstrip(" \t")
        if key not in environ:
            environ[key] = text
        elif key in _SINGLETONS:
            raise Refused(400, f"repeated {name.decode('latin-1')} header")
        else:
            environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + text

    def _environ_key(self, name: bytes) -> str:
        """Compute and cache the environ key of a header name; "" for one that is dropped: REQUEST-2, and `Proxy`,
        which CGI code takes for HTTP_PROXY."""
        key = name.decode("latin-1").upper()
        if "_" in key or key == "PROXY":
            key = ""
        else:
            key = key.replace("-", "_")
            key = key if key in _UNPREFIXED else "HTTP_" + key
        if len(self._keys) >= _NAMES_CACHED_MAX:
            self._keys.clear()
        self._keys[name] = key
        return key


def skip_empty_lines(data: bytes) -> bytes:
    """`data` without the empty lines a client may send before a request (RFC 9112 section 2.2)."""
    match = _EMPTY_LINES.match(data)
    assert match is not None, "zero lines are a match"
    return data[match.end() :]


def incomplete_head_fault(data: bytes, limits: HttpLimits) -> Refused | None:
    """The refusal for an incomplete head that can never become valid, or None. It saves TLS clients a timeout."""
    if _LINE_START.match(data) is None:
        return Refused(400, "malformed request line")
    if _BARE_LF.search(data) is not None:
        return Refused(400, "malformed request: lines end with CRLF")
    if len(data) > limits.request_line_bytes_max and b"\r\n" not in data:
        return Refused(414, "request line too long")
    if len(data) > limits.header_bytes_max:
        return Refused(431, "headers too large")
    return None


def wants_keep_alive(environ: Environ, line: RequestLine) -> bool:
    """Whether the client wants to keep this connection open (RFC 9112 section 9.3)."""
    header = environ.get("HTTP_CONNECTION")
    if header is None:
        return not line.is_http_10
    if header in ("keep-alive", "Keep-Alive"):
        return True
    options = {option.strip() for option in header.lower().split(",")}
    if "close" in options:
        return False
    return not line.is_http_10 or "keep-alive" in options


def path_matcher(*patterns: str) -> Callable[[bytes], bool]:
    """A predicate on paths; `{name}` in a pattern stands for one segment. `path_matcher("/v1/traces/{id}")`."""
    alternatives = (re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern)) for pattern in patterns)
    regex = re.compile("|".join(alternatives).encode("ascii"))
    return lambda path: regex.fullmatch(path) is not None
