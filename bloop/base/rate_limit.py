"""Two token buckets per client address, in the memory of one process: for requests, and for the bytes they cause.

A bucket is one number: the moment it will be full again. Spending a token moves that moment by one token's time, and it
may lie at most a burst ahead of now (the generic cell rate algorithm). No refilling is needed, and an address without
recent requests needs no entry.

LIMITER-1  At most `addresses_max` buckets exist; the one unused longest is dropped first, and is full again if its
    address returns.
LIMITER-2  `per_second` 0 means no limit.
LIMITER-3  Processes do not share buckets. If N workers answer one port, give each `share=1/N`: together they allow at
    most the configured rate. A client on one kept-alive connection then gets its worker's share of the burst.
LIMITER-4  A request whose work is not known before it is done is let in while its address is within its budget, and
    charged afterwards. So no request is refused for its own size, and what it overdraws is one request's work.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from bloop.base.client_address import bucket_of
from bloop.base.errors import RateLimited

ADDRESSES_MAX = 10_000


class RateLimiter:
    """Safe to share between threads. `per_second` tokens come back each second, up to `burst_size`."""

    def __init__(
        self,
        per_second: float,
        burst_size: int,
        *,
        share: float = 1.0,
        addresses_max: int = ADDRESSES_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        assert 0 < share <= 1
        self._token_s = 1.0 / (per_second * share) if per_second > 0 else 0.0
        self._ahead_s_max = self._token_s * (max(1.0, burst_size * share) - 1.0)
        self._addresses_max = addresses_max
        self._monotonic = monotonic
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str) -> None:
        """Spend one token of `address`.

        Raises:
            RateLimited: no token is left; has the whole seconds until the next one.
        """
        if not self._token_s:
            return
        bucket, now = bucket_of(address), self._monotonic()
        with self._lock:
            full_at = self._full_at.get(bucket, now)
            ahead_s = max(full_at - now, 0.0)
            wait_s = ahead_s - self._ahead_s_max
            # Sums of token times are not exact: without the slack the last token of a burst could be refused.
            if wait_s > self._token_s * 1e-6:
                raise RateLimited(math.ceil(wait_s))
            self._full_at[bucket] = now + ahead_s + self._token_s
            self._full_at.move_to_end(bucket)
            if len(self._full_at) > self._addresses_max:
                self._full_at.popitem(last=False)

    @property
    def address_count(self) -> int:
        """How many addresses have a bucket."""
        return len(self._full_at)


class WorkBudget:
    """Bytes inflated and parsed for an address: `per_second` come back each second, up to `burst`. Any thread."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        *,
        share: float = 1.0,
        addresses_max: int = ADDRESSES_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        assert 0 < share <= 1
        self._byte_s = 1.0 / (per_second * share) if per_second > 0 else 0.0
        self._ahead_s_max = self._byte_s * burst * share
        self._addresses_max = addresses_max
        self._monotonic = monotonic
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Before the work (LIMITER-4).

        Raises:
            RateLimited: the address has overdrawn its budget; has the whole seconds until that is made up for.
        """
        if not self._full_at:  # also while there is no limit
            return
        full_at = self._full_at.get(bucket_of(address))
        if full_at is not None and (wait_s := full_at - self._monotonic() - self._ahead_s_max) > 0:
            raise RateLimited(math.ceil(wait_s))

    def spend(self, address: str, bytes_count: int) -> None:
        """After the work."""
        if not self._byte_s:
            return
        bucket, now = bucket_of(address), self._monotonic()
        with self._lock:
            self._full_at[bucket] = max(self._full_at.get(bucket, now), now) + bytes_count * self._byte_s
            self._full_at.move_to_end(bucket)
            if len(self._full_at) > self._addresses_max:
                self._full_at.popitem(last=False)
