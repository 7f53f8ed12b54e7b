"""Decides which addresses bloop may send to: public ones, and hosts the operator allowed. Pure, resolves nothing.

GUARD-1  Every address of a name is checked, and one forbidden address refuses the name: a name that is both public and
         private is an attack.
GUARD-2  IPv6 forms that embed an IPv4 address (mapped, compatible, NAT64, 6to4) are checked by the embedded address.
GUARD-3  `allow_private` opens private networks and this machine, never the addresses where clouds serve credentials:
         those must be named.
GUARD-4  What an address that only `allow_private` opens answers is shown to nobody: users who may add a channel could
         read services of the network with it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from bloop.base.errors import OutboundRefused
from bloop.outbound.urls import IPAddress, address_in

# From the IANA registries of special-purpose addresses. The standard library's `is_global` changed between patch
# releases of Python.
_SPECIAL_IPV4 = (
    ("0.0.0.0/8", "this machine"),
    ("10.0.0.0/8", "in a private network"),
    ("100.64.0.0/10", "in a provider's own network"),
    ("127.0.0.0/8", "this machine"),
    ("169.254.0.0/16", "on the local link"),
    ("172.16.0.0/12", "in a private network"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "reserved for examples"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "in a private network"),
    ("198.18.0.0/15", "reserved for measurements"),
    ("198.51.100.0/24", "reserved for examples"),
    ("203.0.113.0/24", "reserved for examples"),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", "reserved"),
)
# Of IPv6 only 2000::/3 is in use, except these.
_SPECIAL_IPV6 = (
    ("::/128", "this machine"),
    ("::1/128", "this machine"),
    ("fc00::/7", "in a private network"),
    ("fe80::/10", "on the local link"),
    ("fec0::/10", "in a private network"),
    ("ff00::/8", "a multicast address"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "reserved for examples"),
    ("3fff::/20", "reserved for examples"),
)
_SPECIAL = [(ipaddress.ip_network(network), name) for network, name in (*_SPECIAL_IPV4, *_SPECIAL_IPV6)]
_IPV6_IN_USE = ipaddress.ip_network("2000::/3")
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
_COMPATIBLE = ipaddress.ip_network("::/96")


class Guard:
    """`allowed_hosts` as in the setting: names, `*.name`, addresses, networks."""

    def __init__(self, *, allow_private: bool = False, allowed_hosts: Iterable[str] = ()) -> None:
        self._allow_private = allow_private
        self._names: set[str] = set()
        self._suffixes: list[str] = []
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for host in allowed_hosts:
            self._allow(host.lower())

    def check_host(self, host: str) -> None:
        """Check a host without resolving it, when a user enters it.

        Raises:
            OutboundRefused: it is not public, and not allowed.
        """
        address = address_in(host)
        if address is not None:
            self.check_addresses(host, [address])
        elif f".{host}".endswith(".localhost") and not self._allow_private and not self._is_named(host):
            raise OutboundRefused(_refusal(host, "this machine"))

    def check_addresses(self, host: str, addresses: Iterable[IPAddress]) -> None:
        """Check all addresses of `host` (GUARD-1).

        Raises:
            OutboundRefused: one of them is not public, and not allowed.
        """
        if self._is_named(host):
            return
        for address in addresses:
            reason = self._refusal_reason(embedded_ipv4(address))
            if reason is not None:
                raise OutboundRefused(_refusal(host, reason))

    def may_quote(self, host: str, address: IPAddress) -> bool:
        """Whether the text of an answer may be shown: the address is public, or it or its host is named (GUARD-4)."""
        if self._is_named(host):
            return True
        address = embedded_ipv4(address)
        return special_use(address) is None or any(address in network for network in self._networks)

    def _allow(self, host: str) -> None:
        if host.startswith("*."):
            self._suffixes.append(host[1:])
            return
        try:
            self._networks.append(ipaddress.ip_network(host, strict=False))
        except ValueError:
            self._names.add(host.removesuffix("."))

    def _is_named(self, host: str) -> bool:
        return host in self._names or any(host.endswith(suffix) for suffix in self._suffixes)

    def _refusal_reason(self, address: IPAddress) -> str | None:
        if any(address in network for network in self._networks):
            return None
        if address in _METADATA:
            return "where a cloud keeps credentials"
        return None if self._allow_private else special_use(address)


def special_use(address: IPAddress) -> str | None:
    """The special purpose of an address; None: it is public."""
    for network, name in _SPECIAL:
        if address in network:
            return name
    return None if address.version == 4 or address in _IPV6_IN_USE else "reserved"


def embedded_ipv4(address: IPAddress) -> IPAddress:
    """The embedded IPv4 address (GUARD-2), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _refusal(host: str, reason: str) -> str:
    return f"{host} is {reason}, not a public address; alerting.allowed_hosts can allow it"
