"""Whose address a request counts against, when proxies may stand in between.

A forwarding header is anyone's claim, so it is read only when the connection itself comes from a trusted proxy: an
address in `server.trusted_proxies`, or a Unix socket, which only processes of this machine can open. The list in
X-Forwarded-For grows to the right, each proxy appending the peer it saw; the client is therefore the rightmost
address that is not a proxy of ours. Everything left of it may be invented.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

CACHED_ADDRESSES_MAX = 4096
V4_NETWORK_BITS = 24
V6_NETWORK_BITS = 48
FORWARDED_CHARS_MAX = 512  # the right end of a longer header is what counts

_FORWARDED_FOR = re.compile(r'(?:^|[;,])\s*for\s*=\s*(?:"([^"]*)"|([^;,\s]*))', re.IGNORECASE)

# What proxies, CDNs and tunnels add. WSGI spells header names so.
_IS_FORWARDED = re.compile(
    "HTTP_(X_FORWARDED.*|FORWARDED.*|X_REAL_IP|X_(CLUSTER_)?CLIENT_IP|X_ORIGINAL_.*|X_ENVOY_.*|VIA|TRUE_CLIENT_IP|CF_.*|CDN_.*"
    "|FASTLY_.*|FLY_.*|TAILSCALE_.*|X_PROXYUSER_IP|CLIENT_IP)"
)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class ClientAddresses:
    """Finds the client's address; `trusted_proxies` are addresses or networks in CIDR notation."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        self._trusted = tuple(ipaddress.ip_network(network, strict=False) for network in trusted_proxies)
        self._is_trusted_peer = lru_cache(CACHED_ADDRESSES_MAX)(self._judge_peer)

    def of(self, env: Mapping[str, Any]) -> str:
        """The client's address as text; `""` for a local process that came over a Unix socket and names nobody."""
        peer: str = env.get("REMOTE_ADDR", "")
        return self._behind_proxy(env, peer) if self._is_trusted_peer(peer) else peer

    def _judge_peer(self, peer: str) -> bool:
        if not peer:
            return True
        address = parse_address(peer)
        return address is not None and self._is_trusted(address)

    def _is_trusted(self, address: IPAddress) -> bool:
        return any(address in network for network in self._trusted)  # another IP version is simply not in it

    def _behind_proxy(self, env: Mapping[str, Any], peer: str) -> str:
        if header := env.get("HTTP_X_FORWARDED_FOR"):
            return self._rightmost_client(header[-FORWARDED_CHARS_MAX:].split(","), peer)
        if header := env.get("HTTP_X_REAL_IP"):
            return self._rightmost_client([header], peer)
        if header := env.get("HTTP_FORWARDED"):
            found = _FORWARDED_FOR.findall(header[-FORWARDED_CHARS_MAX:])
            return self._rightmost_client([quoted or plain for quoted, plain in found], peer)
        return peer

    def _rightmost_client(self, hops: list[str], peer: str) -> str:
        """Walk towards the client while hops are ours. An unreadable hop ends the walk at the last one we know."""
        client = peer
        for hop in reversed(hops):
            address = parse_address(hop)
            if address is None:
                break
            client = str(address)
            if not self._is_trusted(address):
                break
        return client


def is_this_machine(env: Mapping[str, Any]) -> bool:
    """Whether a process of this machine asks for itself, and not a proxy of this machine for somebody else.

    Behind a proxy everybody has a loopback address. Nearly all of them say so in a header, or pass on the name that was
    asked for; a request that does neither is believed. Not one over a Unix socket: those are there for proxies.
    """
    peer = parse_address(env.get("REMOTE_ADDR", ""))
    if peer is None or not peer.is_loopback or any(_IS_FORWARDED.fullmatch(name) for name in env):
        return False
    host: str = env.get("HTTP_HOST", "")
    address = parse_address(host)
    return address.is_loopback if address is not None else host.partition(":")[0].lower() == "localhost"


def parse_address(text: str) -> IPAddress | None:
    """An address with or without port, brackets or zone; IPv4-mapped IPv6 comes out as IPv4. None: it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


@lru_cache(CACHED_ADDRESSES_MAX)
def bucket_of(address: str) -> str:
    """What one client cannot change about its address: all of IPv4, the /64 of IPv6. Other text stands for itself."""
    parsed = parse_address(address)
    if parsed is None:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def client_network(address: str) -> str:
    """The network an address is in, `192.0.2.0/24`: enough to recognise, too little to follow somebody with."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network(f"{ip}/{V4_NETWORK_BITS if ip.version == 4 else V6_NETWORK_BITS}", strict=False))
