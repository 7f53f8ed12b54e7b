"""ORDER-1 to ORDER-3 of bloop/releases/model.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.releases.model import NO_RELEASE, Order, compare, compare_versions, newest, version

OLDER, SAME, NEWER = Order.OLDER, Order.SAME, Order.NEWER


def nobody_saw(release: str) -> dict[str, int]:
    return {}


# release, other, how the first stands to the second by what they are called
VERSIONS = [
    ("1.2.3", "1.2.3", SAME),
    ("1.2.3", "1.2.4", OLDER),
    ("1.10.0", "1.9.9", NEWER),
    ("2.0.0", "10.0.0", OLDER),
    ("1.2", "1.2.0", SAME),
    ("1.2", "1.2.1", OLDER),
    ("1.2.3.4", "1.2.3.5", OLDER),
    ("v1.2.3", "1.2.3", SAME),
    ("V2.0", "v1.9", NEWER),
    ("shop@1.2.3", "shop@1.2.4", OLDER),
    ("shop@v1.2.3", "1.2.4", OLDER),
    ("@acme/shop@2.0.0", "@acme/shop@1.9.0", NEWER),
    ("com.acme.shop@5.9.1+5907", "com.acme.shop@5.9.1+5911", SAME),
    ("1.0.0+linux", "1.0.0", SAME),
    ("1.0.0-alpha", "1.0.0", OLDER),
    ("1.0.0-alpha", "1.0.0-alpha.1", OLDER),
    ("1.0.0-alpha.1", "1.0.0-alpha.beta", OLDER),
    ("1.0.0-alpha.beta", "1.0.0-beta", OLDER),
    ("1.0.0-beta", "1.0.0-beta.2", OLDER),
    ("1.0.0-beta.2", "1.0.0-beta.11", OLDER),
    ("1.0.0-beta.11", "1.0.0-rc.1", OLDER),
    ("1.0.0-rc.1+abc", "1.0.0-rc.1", SAME),
    ("1.0.1-rc.1", "1.0.0", NEWER),
    ("2026.01.18", "2026.1.9", NEWER),
    ("2026.47.0", "2026.46.1", NEWER),
    # what versions do not say
    ("shop@1.2.3", "api@1.2.4", None),
    ("1.2.3", "0f3a9c1", None),
    ("0f3a9c1", "9d2e7b4", None),
    ("2026-01-18", "2026-01-19", None),
    ("20260118", "20260119", None),
    ("1.2.0rc1", "1.2.0", None),
    ("5907", "5908", None),
    ("1.2.3.4.5", "1.2.3.4.6", None),
    ("1..2", "1.2", None),
    ("", "1.0", None),
    ("release 1.2", "1.2", None),
    ("１.2", "1.2", None),  # digits of other scripts are no version
]


@pytest.mark.parametrize(("release", "other", "order"), VERSIONS)
def test_versions_are_ordered_as_their_authors_mean_it(release: str, other: str, order: Order | None) -> None:
    assert compare_versions(release, other) is order
    assert compare_versions(other, release) is (None if order is None else Order(-order))


# release, other, first seen of each in production and staging, order in production
FIRST_SEEN = [
    ("a1", "b2", {"production": 5}, {"production": 9}, OLDER),
    ("a1", "b2", {"production": 9}, {"production": 5}, NEWER),
    ("a1", "b2", {"production": 5}, {"production": 5}, SAME),
    # where both were there decides, whatever came first elsewhere
    ("a1", "b2", {"production": 5, "staging": 8}, {"production": 6, "staging": 1}, OLDER),
    # one of them was never there: then anywhere
    ("a1", "b2", {"production": 5, "staging": 1}, {"staging": 4}, OLDER),
    ("a1", "b2", {"staging": 4}, {"staging": 2, "qa": 1}, NEWER),
    # nobody knows one of them
    ("a1", "b2", {"production": 5}, {}, None),
    ("a1", "b2", {}, {"production": 5}, None),
    # one of each kind, dates, names that differ
    ("1.2.3", "b2", {"production": 5}, {"production": 9}, OLDER),
    ("2026-01-18", "2026-01-19", {"production": 5}, {"production": 9}, OLDER),
    ("shop@2.0", "api@1.0", {"production": 5}, {"production": 9}, OLDER),
    # versions say it themselves, whenever they appeared
    ("1.9.0", "2.0.0", {"production": 9}, {"production": 5}, OLDER),
    # no release at all
    (NO_RELEASE, "1.0.0", {"production": 5}, {"production": 9}, None),
    ("1.0.0", NO_RELEASE, {"production": 5}, {"production": 9}, None),
    (NO_RELEASE, NO_RELEASE, {}, {}, SAME),
]


@pytest.mark.parametrize(("release", "other", "mine", "theirs", "order"), FIRST_SEEN)
def test_other_releases_are_ordered_by_when_they_were_first_seen(
    release: str, other: str, mine: dict[str, int], theirs: dict[str, int], order: Order | None
) -> None:
    first_seen = {release: mine, other: theirs}.__getitem__

    assert compare(release, other, "production", first_seen) is order


@pytest.mark.parametrize(
    ("releases", "expected"),
    [
        ([], None),
        ([(NO_RELEASE, 5)], None),
        ([("a1", 1), (NO_RELEASE, 5)], "a1"),
        ([("a1", 9), ("b2", 5)], "a1"),
        ([("2.0.0", 1), ("1.9.3", 9)], "2.0.0"),  # a fix for the branch before
        ([("2.0.0", 1), ("1.9.3", 5), ("c3", 9)], "c3"),
        ([("a1", 5), ("1.0.0", 9), ("3.0.0-rc.1", 1), ("2.9.0", 2)], "3.0.0-rc.1"),
        ([("web@7.0", 1), ("api@1.0", 9), ("api@1.1", 2)], "api@1.1"),
        ([("api@9.0", 1), ("1.0", 9)], "1.0"),
    ],
)
def test_the_newest_is_the_last_one_or_the_highest_version_of_its_kind(
    releases: list[tuple[str, int]], expected: str | None
) -> None:
    assert newest(releases) == expected
    assert newest(releases[::-1]) == expected


# What hypothesis makes of it ------------------------------------------------------------------------------------------

NUMBERS = st.lists(st.integers(0, 11), min_size=2, max_size=4).map(lambda found: ".".join(map(str, found)))
PRE = st.sampled_from(["", "-alpha", "-alpha.1", "-alpha.beta", "-beta.2", "-beta.11", "-rc.1", "-1", "-a-b"])
VERSION = st.builds("{}{}{}{}".format, st.sampled_from(["", "v"]), NUMBERS, PRE, st.sampled_from(["", "+1", "+2"]))
ANY = st.one_of(VERSION, st.builds("{}@{}".format, st.sampled_from("ab"), VERSION), st.text(max_size=8))
SEEN = st.dictionaries(st.sampled_from(["production", "staging"]), st.integers(0, 5))


@given(VERSION, VERSION, VERSION)
def test_versions_of_one_name_have_a_total_order(one: str, two: str, three: str) -> None:
    orders = compare_versions(one, two), compare_versions(two, three), compare_versions(one, three)

    assert None not in orders
    first, second, both = (int(order) for order in orders if order is not None)
    assert compare_versions(one, one) is SAME
    assert compare_versions(two, one) == -first
    if first >= 0 and second >= 0:
        assert both >= 0
        assert (both == 0) is (first == second == 0)


@given(ANY, ANY, SEEN, SEEN, st.sampled_from(["production", "staging", "qa"]))
def test_no_two_releases_are_both_later_than_the_other(
    release: str, other: str, mine: dict[str, int], theirs: dict[str, int], environment: str
) -> None:
    first_seen = {release: mine, other: mine if release == other else theirs}.__getitem__

    there = compare(release, other, environment, first_seen)
    back = compare(other, release, environment, first_seen)

    assert (there is None) == (back is None)
    assert there is None or back is None or there == -back


@given(st.lists(st.tuples(st.one_of(VERSION, st.sampled_from(["a1", "b2", "c3"])), st.integers(0, 9)), min_size=1))
def test_of_known_releases_no_version_is_newer_than_the_newest(releases: list[tuple[str, int]]) -> None:
    chosen = newest(releases)

    assert chosen is not None
    assert all(compare_versions(release, chosen) is not NEWER for release, _ in releases)


@given(st.text(max_size=60))
def test_any_text_as_a_release_is_ordered_or_has_no_order(text: str) -> None:
    version(text)
    assert compare(text, text, "production", nobody_saw) is SAME
