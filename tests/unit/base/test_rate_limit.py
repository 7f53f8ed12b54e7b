from __future__ import annotations

import threading
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import RateLimited
from bloop.base.rate_limit import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def spend(limiter: RateLimiter, tries: int, address: str = "198.51.100.1") -> int:
    """How many of `tries` requests at one instant are let through."""
    passed = 0
    for _ in range(tries):
        try:
            limiter.take(address)
            passed += 1
        except RateLimited:
            pass
    return passed


@pytest.mark.parametrize(("per_second", "burst"), [(100, 200), (1, 1), (0.5, 3), (3, 7), (1000, 10)])
def test_burst_passes_at_once_and_not_one_more(clock, per_second, burst):
    assert spend(RateLimiter(per_second, burst, monotonic=clock), burst + 50) == burst


def test_tokens_come_back_at_the_configured_rate(clock):
    limiter = RateLimiter(100, 200, monotonic=clock)
    spend(limiter, 200)

    clock.now_s += 0.5

    assert spend(limiter, 100) == 50


def test_full_bucket_does_not_overflow(clock):
    limiter = RateLimiter(100, 200, monotonic=clock)
    spend(limiter, 10)

    clock.now_s += 3600

    assert spend(limiter, 1000) == 200


def test_steady_requests_at_the_rate_are_never_refused(clock):
    limiter = RateLimiter(100, 1, monotonic=clock)

    for _ in range(1000):
        limiter.take("198.51.100.1")
        clock.now_s += 0.01


def test_refusal_says_in_how_many_seconds_a_token_is_there(clock):
    limiter = RateLimiter(0.1, 1, monotonic=clock)
    limiter.take("a")

    with pytest.raises(RateLimited) as raised:
        limiter.take("a")

    assert raised.value.retry_after_s == 10
    clock.now_s += 10
    limiter.take("a")


def test_wait_is_never_given_as_zero(clock):
    limiter = RateLimiter(1000, 1, monotonic=clock)
    limiter.take("a")

    with pytest.raises(RateLimited) as raised:
        limiter.take("a")

    assert raised.value.retry_after_s == 1


def test_refused_requests_cost_nothing(clock):
    limiter = RateLimiter(1, 1, monotonic=clock)
    spend(limiter, 500)

    clock.now_s += 1

    assert spend(limiter, 5) == 1


def test_addresses_do_not_share_and_one_ipv6_network_does(clock):
    limiter = RateLimiter(1, 1, monotonic=clock)

    assert spend(limiter, 2, "198.51.100.1") == 1
    assert spend(limiter, 2, "198.51.100.2") == 1
    assert spend(limiter, 2, "2001:db8::1") == 1
    assert spend(limiter, 2, "2001:db8::2") == 0
    assert spend(limiter, 2, "2001:db8:0:1::1") == 1


def test_loopback_is_limited_like_anyone(clock):
    assert spend(RateLimiter(1, 3, monotonic=clock), 10, "127.0.0.1") == 3


def test_rate_zero_is_no_limit(clock):
    limiter = RateLimiter(0, 1, monotonic=clock)

    assert spend(limiter, 10_000) == 10_000
    assert limiter.address_count == 0


def test_workers_with_their_shares_let_through_what_one_would(clock):
    workers = [RateLimiter(100, 200, share=1 / 4, monotonic=clock) for _ in range(4)]

    assert sum(spend(worker, 500) for worker in workers) == 200
    clock.now_s += 1
    assert sum(spend(worker, 500) for worker in workers) == 100


def test_share_of_a_small_burst_still_lets_someone_in(clock):
    assert spend(RateLimiter(1, 2, share=1 / 8, monotonic=clock), 5) == 1


def test_number_of_buckets_is_bounded_and_the_least_recent_goes_first(clock):
    limiter = RateLimiter(1, 1, addresses_max=3, monotonic=clock)
    for address in ("a", "b", "c"):
        limiter.take(address)
    clock.now_s += 1
    limiter.take("a")  # now b is the one unused longest

    limiter.take("d")

    assert limiter.address_count == 3
    assert spend(limiter, 1, "a") == 0
    assert spend(limiter, 1, "b") == 1  # forgotten, so full again


class InterruptedBuckets(OrderedDict[str, float]):
    """Buckets in which, between the look at one and the change to it, another thread asks for the same token."""

    def __init__(self, rival: threading.Thread) -> None:
        super().__init__()
        self._rival = rival

    def get(self, key: str, default: float = 0.0) -> float:  # type: ignore[override]
        value = super().get(key, default)
        if self._rival.ident is None:
            self._rival.start()
            self._rival.join(0.05)  # it cannot get through while we hold the lock
        return value


def test_last_token_is_never_spent_twice_by_two_threads():
    limiter = RateLimiter(1e-9, 1)
    passed: list[int] = []
    rival = threading.Thread(target=lambda: passed.append(spend(limiter, 1)))
    limiter._full_at = InterruptedBuckets(rival)

    passed.append(spend(limiter, 1))
    rival.join(5)

    assert sorted(passed) == [0, 1]


@given(
    st.lists(st.floats(min_value=0, max_value=5, allow_nan=False), min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(1, 50),
)
def test_no_window_lets_through_more_than_burst_plus_rate(pauses_s, burst, per_second):
    clock = Clock()
    limiter = RateLimiter(per_second, burst, monotonic=clock)
    passed = 0
    for pause_s in pauses_s:
        clock.now_s += pause_s
        passed += spend(limiter, burst + 5)

    assert passed <= burst + per_second * sum(pauses_s) + 1e-3 * len(pauses_s)
