"""Where a URL leads, read once and strictly. What is sent is built from the result, never from the text again.

U1  One reading: no second parser can see another host in the same text. Text that parsers disagree about (white space,
    control characters, backslashes, a user name) is refused.
U2  A host is a name in its ASCII form without a dot at the end, or an address in its usual form: the decimal, octal,
    hexadecimal and short spellings of IPv4 that system libraries understand come out as what they mean.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import idna

from bloop.base.errors import OutboundRefused

URL_CHARS_MAX = 2048
HOST_CHARS_MAX = 253
DEFAULT_PORTS = {"http": 80, "https": 443}
PORT_FREE_MIN = 1024
PORT_MAX = 65535
# Above it, the ports that browsers keep pages from: services that might take an HTTP request for orders of their own.
SERVICE_PORTS = frozenset(
    (1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10080)
)

_UNWANTED = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff]")
_AUTHORITY = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([0-9]{0,5}))?")
_IPV4_LIKE = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_KEPT_IN_TARGET = "/%:@!$&'()*+,;=-._~?[]"  # what need not be escaped in a path or query, the escapes included

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Destination(NamedTuple):
    scheme: str
    host: str  # a name or an address, without brackets
    port: int
    target: str  # path and query: holds tokens, so it is never shown

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str) -> Destination:
    """Raises: OutboundRefused, with a reason that names no part of the URL but its host or port."""
    if len(url) > URL_CHARS_MAX:
        raise OutboundRefused(f"the URL is longer than {URL_CHARS_MAX} characters")
    if _UNWANTED.search(url):
        raise OutboundRefused("the URL has white space, control characters or backslashes in it")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise OutboundRefused("the URL cannot be read") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise OutboundRefused("the URL must begin with http:// or https://")
    if "@" in parts.netloc:
        raise OutboundRefused("the URL must not name a user or a password")
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        raise OutboundRefused("the URL cannot be read")
    ipv6, name, port = authority.groups()
    if not (ipv6 or name):
        raise OutboundRefused("the URL names no host")
    host = _ipv6(ipv6) if ipv6 else host_name(name)
    target = quote(parts.path or "/", safe=_KEPT_IN_TARGET) + (
        f"?{quote(parts.query, safe=_KEPT_IN_TARGET)}" if parts.query else ""
    )
    return Destination(parts.scheme, host, _web_port(parts.scheme, port), target)


def host_name(text: str) -> str:
    """A host as U2 has it, an IPv6 address without brackets.

    Raises:
        OutboundRefused: it is neither a name nor an address.
    """
    if ":" in text:
        return _ipv6(text)
    name = _ascii(text).removesuffix(".")
    if _IPV4_LIKE.fullmatch(name.rpartition(".")[2]):
        return _ipv4(name)
    if len(name) > HOST_CHARS_MAX or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise OutboundRefused("the host is neither a name nor an address")
    return name


def address_in(host: str) -> IPAddress | None:
    """The address a host from `host_name` is; None: a name, which has to be looked up."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _web_port(scheme: str, text: str | None) -> int:
    if not text:
        return DEFAULT_PORTS[scheme]
    port = int(text)
    if port > PORT_MAX:
        raise OutboundRefused(f"there is no port {port}")
    if port in DEFAULT_PORTS.values() or (port >= PORT_FREE_MIN and port not in SERVICE_PORTS):
        return port
    raise OutboundRefused(f"port {port} belongs to another service than a web server")


def _ascii(text: str) -> str:
    """Lower case, other scripts as Punycode, look-alike dots and digits as what they stand for."""
    if text.isascii():
        return text.lower()
    try:
        return idna.encode(text, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise OutboundRefused("the host is not a name that can be looked up") from None


def _ipv4(text: str) -> str:
    """A name cannot end in a number, so this is an address or nothing."""
    try:
        if _IPV4_LIKE.fullmatch(text):
            return str(ipaddress.IPv4Address(socket.inet_aton(text)))
    except OSError:
        pass
    raise OutboundRefused("the host is not an address, though it looks like one")


def _ipv6(text: str) -> str:
    if "%" in text:
        raise OutboundRefused("the address names a network interface of this machine")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise OutboundRefused("the host is not an address, though it looks like one") from None
