"""What each client address has of a worker: its connections, and the bytes kept for them.

SHARES-1  One address has at most `address_connections_max` connections, and `address_held_bytes_max` bytes are kept for
    it, so no single client can use up what a worker has for all. An IPv6 client is its /64.
SHARES-2  A trusted proxy and a Unix socket have no bound. Each request that comes through them counts for the client it
    names, while the worker waits for its body, for its answer or for the peer to read that.
SHARES-3  An address is forgotten with its last connection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bloop.base.client_address import ClientAddresses, bucket_of
from bloop.http.limits import HttpLimits

if TYPE_CHECKING:
    from bloop.http.peer import Peer


class AddressShare:
    """The peers of one address."""

    __slots__ = ("address", "bytes_held", "bytes_max", "members", "members_max")

    def __init__(self, address: str, members_max: float, bytes_max: float) -> None:
        self.address, self.members_max, self.bytes_max = address, members_max, bytes_max
        self.members: set[Peer] = set()
        self.bytes_held = 0

    @property
    def is_over(self) -> bool:
        return len(self.members) > self.members_max


class AddressShares:
    """One per worker; its main loop's thread only."""

    def __init__(self, limits: HttpLimits, addresses: ClientAddresses) -> None:
        self._addresses = addresses
        self._members_max = limits.address_connections_max or math.inf
        self._bytes_max = limits.address_held_bytes_max or math.inf
        self._shares: dict[str, AddressShare] = {}
        self.unbounded = AddressShare("", math.inf, math.inf)  # of proxies, and of processes of this machine

    def of_peer(self, address: str) -> AddressShare:
        """The share of a peer that connected from `address`, `""` for a Unix socket."""
        return self.unbounded if self._addresses.is_proxy(address) else self._of_address(address)

    def of_request(self, environ: Mapping[str, Any]) -> AddressShare:
        """The share of the client that a request through a proxy names."""
        return self.of_peer(self._addresses.of(environ))

    def join(self, share: AddressShare, peer: Peer) -> AddressShare:
        """Add a peer; `share.is_over` says whether it is one too many."""
        if share is not self.unbounded:
            share.members.add(peer)
            self._shares[share.address] = share
        return share

    def leave(self, share: AddressShare, peer: Peer) -> None:
        share.members.discard(peer)
        if not share.members:
            self._shares.pop(share.address, None)

    def _of_address(self, address: str) -> AddressShare:
        name = bucket_of(address)
        return self._shares.get(name) or AddressShare(name, self._members_max, self._bytes_max)

    def __len__(self) -> int:
        return len(self._shares)
