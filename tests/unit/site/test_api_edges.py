"""Query parameters, cursors and remembered page ends."""

from __future__ import annotations

import re

import falcon
import pytest
from falcon import testing
from hypothesis import given
from hypothesis import strategies as st

from bloop.accounts.sign_ins.api import local_path
from bloop.base.errors import InvalidParameter
from bloop.db.walk import PageKey
from bloop.issues.aggregates import AggregateSort
from bloop.site import params
from bloop.site.paging import REMEMBERED_MAX, REMEMBERED_S, Pager

WHAT = ("aggregates last_seen", (1,), None)
KEY = PageKey(1_800_000_000_000, "unresolved", 7)


def request(query: str = "", path: str = "/v1/errors") -> falcon.Request:
    return testing.create_req(path=path, query_string=query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 50),
        ("limit=", 50),
        ("limit=7", 7),
        ("limit=0", 1),
        ("limit=-5", 1),
        ("limit=201", 200),
        ("limit=9e9", None),
    ],
)
def test_limits_are_moved_into_range(query: str, expected: int | None) -> None:
    if expected is None:
        with pytest.raises(InvalidParameter, match="limit: must be a whole number"):
            params.limit(request(query))
    else:
        assert params.limit(request(query)) == expected


@pytest.mark.parametrize("query", ["offset=x", "offset=1.5", "offset=" + "9" * 5000, "offset=%00"])
def test_offsets_that_are_no_numbers_are_refused(query: str) -> None:
    with pytest.raises(InvalidParameter, match="offset: must be a whole number"):
        params.offset(request(query))


@pytest.mark.parametrize(
    ("given_value", "expected_ms"),
    [("1700000000", 1_700_000_000_000), ("1700000000000", 1_700_000_000_000), ("1700000000000000", 1_700_000_000_000),
     ("1700000000000000000", 1_700_000_000_000), ("0", 0), ("-1", -1000)],
)  # fmt: skip
def test_instants_are_read_in_any_unit(given_value: str, expected_ms: int) -> None:
    assert params.instant_ms(request(f"since={given_value}"), "since") == expected_ms


def test_instants_past_64_bits_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="since: is out of range"):
        params.instant_ms(request(f"since={2**63}"), "since")


def test_a_choice_names_what_it_would_take() -> None:
    assert params.choice(request("sort="), "sort", AggregateSort.LAST_SEEN) is AggregateSort.LAST_SEEN
    with pytest.raises(InvalidParameter, match="last_seen, total_count, first_seen"):
        params.choice(request("sort=message"), "sort", AggregateSort.LAST_SEEN)


def test_long_texts_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="route"):
        params.text(request("route=" + "x" * 1025), "route")


def next_query(pager: Pager, req: falcon.Request) -> str:
    resp = falcon.Response()
    pager.finish(req, resp, WHAT, pager.start(req, WHAT), KEY)
    link = resp.get_header("Link")
    match = re.fullmatch(r'<(/v1/errors)\?(.*)>; rel="next"', link or "")
    assert match is not None, link
    return match[2]


def test_the_link_keeps_the_question_and_leads_behind_the_last_row() -> None:
    pager = Pager()

    query = next_query(pager, request("status=active&limit=10&offset=20&environment=a%26b"))

    following = request(query)
    assert following.get_param("status") == "active"
    assert following.get_param("environment") == "a&b"
    assert following.get_param("offset") is None
    assert pager.start(following, WHAT) == (10, None, KEY, 0)


def test_the_last_page_has_no_link() -> None:
    pager, resp, req = Pager(), falcon.Response(), request()

    pager.finish(req, resp, WHAT, pager.start(req, WHAT), None)

    assert resp.get_header("Link") is None


@given(value=st.integers(-(2**63), 2**63 - 1), tie=st.text(max_size=20), row_id=st.integers(0, 2**63 - 1))
def test_every_key_survives_its_cursor(value: int, tie: str, row_id: int) -> None:
    pager, resp, req = Pager(), falcon.Response(), request()
    pager.finish(req, resp, WHAT, pager.start(req, WHAT), PageKey(value, tie, row_id))

    cursor = re.search(r"cursor=([^&>]+)", resp.get_header("Link") or "")

    assert cursor is not None
    assert pager.start(request(f"cursor={cursor[1]}"), WHAT).before == (value, tie, row_id)


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "A" * 600, "é", "WyJhIiwxLCIiLDFd", "%ff"])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidParameter, match="cursor"):
        Pager().start(request(f"cursor={cursor}"), WHAT)


def test_a_cursor_of_another_order_is_refused() -> None:
    pager = Pager()
    query = next_query(pager, request())

    with pytest.raises(InvalidParameter, match="cursor"):
        pager.start(request(query), ("aggregates total_count", (1,), None))


def test_the_next_offset_starts_where_the_page_ended() -> None:
    pager = Pager()
    next_query(pager, request("limit=10"))

    assert pager.start(request("limit=5&offset=10"), WHAT) == (5, 10, KEY, 0)
    assert pager.start(request("limit=10&offset=20"), WHAT) == (10, 20, None, 20)
    assert pager.start(request("limit=10&offset=10"), (WHAT[0], (2,), None)) == (10, 10, None, 10)


def test_page_ends_are_forgotten_by_age_and_by_number() -> None:
    now = 0.0
    pager = Pager(monotonic=lambda: now)
    next_query(pager, request("limit=10"))
    now = REMEMBERED_S + 1

    assert pager.start(request("offset=10"), WHAT).skip == 10
    for offset in range(REMEMBERED_MAX + 50):
        next_query(pager, request(f"limit=1&offset={offset}"))
    assert pager.start(request("offset=1"), WHAT).skip == 1
    assert pager.start(request(f"offset={REMEMBERED_MAX}"), WHAT).before == KEY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "/"),
        ("", "/"),
        ("/issues/SHOP-1?tab=all", "/issues/SHOP-1?tab=all"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("/a b", "/"),
        ("/ü", "/"),
    ],
)
def test_signing_in_leads_to_our_own_pages_only(text: str | None, expected: str) -> None:
    assert local_path(text) == expected
