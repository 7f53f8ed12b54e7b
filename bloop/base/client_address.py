"""Finds the client address of a request behind proxies.

Any client can send a forwarding header, so it is read only when the connection itself comes from a trusted proxy: an
address in `server.trusted_proxies`, or a Unix socket, which only processes of this machine can open. Each proxy appends
the peer it saw to X-Forwarded-For on the right; the client is therefore the rightmost address that is not a proxy of
ours. Everything left of it may be forged.
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
FORWARDED_CHARS_MAX = 512  # of a longer header only the right end is read

_FORWARDED_FOR = re.compile(r'(?:^|[;,])\s*for\s*=\s*(?:"([^"]*)"|([^;,\s]*))', re.IGNORECASE)

# Headers that proxies, CDNs and tunnels add, with their names in WSGI.
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
        """The client's address as text; `""` for a local process on a Unix socket that sends no forwarding header."""
        peer: str = env.get("REMOTE_ADDR", "")
        return self._behind_proxy(env, peer) if self._is_trusted_peer(peer) else peer

    def is_proxy(self, peer: str) -> bool:
        """Whether forwarding headers from this peer are believed: a trusted proxy, or `""`, a Unix socket."""
        return self._is_trusted_peer(peer)

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
        """Walk towards the client while hops are trusted; at an unreadable hop, stop at the last known address."""
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
    """Whether the request is from a process of this machine itself, not from a local proxy for another client.

    Behind a local proxy every client has a loopback address. Nearly all proxies send a forwarding header or keep the
    requested host name; a request with neither counts as local. A request over a Unix socket never does: those are for
    proxies.
    """
    peer = parse_address(env.get("REMOTE_ADDR", ""))
    if peer is None or not peer.is_loopback or any(_IS_FORWARDED.fullmatch(name) for name in env):
        return False
    host: str = env.get("HTTP_HOST", "")
    address = parse_address(host)
    return address.is_loopback if address is not None else host.partition(":")[0].lower() == "localhost"


def parse_address(text: str) -> IPAddress | None:
    """Parse an address with or without port, brackets or zone; IPv4-mapped IPv6 becomes IPv4. None if invalid."""
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
    """The part of its address that a client cannot change: all of IPv4, the /64 of IPv6; other text unchanged."""
    parsed = parse_address(address)
    if parsed is None:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def client_network(address: str) -> str:
    """The network of an address, `192.0.2.0/24`: enough to recognise a client, too little to track a person."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network(f"{ip}/{V4_NETWORK_BITS if ip.version == 4 else V6_NETWORK_BITS}", strict=False))
