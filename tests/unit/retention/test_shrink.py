"""How much room is given back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bloop.retention.shrink import SHRINK_ABOVE, SHRINK_BYTES_MIN, pages_to_free

PAGE = 4096


@given(pages=st.integers(1, 10_000_000), share=st.floats(0, 1))
def test_a_clean_up_by_the_clock_leaves_a_tenth_for_the_next_days(pages: int, share: float) -> None:
    free = int(pages * share)
    given_back = pages_to_free(pages, free, PAGE, everything=False)

    assert 0 <= given_back <= free
    if free * PAGE >= SHRINK_BYTES_MIN and free >= pages * SHRINK_ABOVE:
        assert abs((free - given_back) - (pages - given_back) * 0.10) <= 2
    else:
        assert given_back == 0


def test_who_asks_for_room_gets_all_of_it() -> None:
    assert pages_to_free(1000, 3, PAGE, everything=True) == 3
    assert pages_to_free(1000, 0, PAGE, everything=True) == 0
