from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import InvalidParameter
from bloop.db.walk import PageKey
from bloop.issues.listing.state import SEARCH_CHARS_MAX, TEXT_CHARS_MAX, IssueView, ListPlace
from bloop.issues.read import Sort, Tab

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40).map(str.strip)
KEYS = st.builds(
    PageKey,
    st.integers(0, 2**53),
    st.sampled_from(["unresolved", "resolved", "regressed"]),
    st.integers(0, 2**53),
)
VIEWS = st.builds(
    IssueView,
    project=TEXT,
    env=TEXT,
    release=TEXT,
    t=st.sampled_from(["1h", "24h", "7d", "30d", "2026-01-18T09:00..2026-01-18T12:30"]),
    tab=st.sampled_from(Tab),
    q=TEXT,
    source=TEXT,
    route=TEXT,
    sort=st.sampled_from(Sort),
    before=st.none() | st.builds(ListPlace, KEYS, st.integers(0, 10**9 - 1)),
)


@given(VIEWS)
def test_a_url_means_the_same_list_when_it_is_read_again(view: IssueView) -> None:
    query = {name: values[-1] for name, values in parse_qs(urlsplit(view.href).query).items()}

    assert IssueView.from_params(query) == view


def test_defaults_are_left_out_of_the_url() -> None:
    assert IssueView().href == "/"
    assert IssueView(project="shop", tab=Tab.ALL).href == "/?project=shop&tab=all"


def test_a_new_tab_or_a_cleared_filter_starts_at_the_top_and_keeps_the_rest() -> None:
    place = ListPlace(PageKey(5, "unresolved", 7), 30)
    view = IssueView(project="shop", q="x", release="1.0", t="7d", sort=Sort.EVENTS, before=place)
    rest = IssueView(project="shop", release="1.0", t="7d", sort=Sort.EVENTS)

    assert view.on_tab(Tab.MUTED) == replace(rest, tab=Tab.MUTED, q="x")
    assert view.sorted_by(Sort.USERS) == replace(rest, q="x", sort=Sort.USERS)
    assert view.without("q") == rest
    assert view.without_filters() == rest
    assert view.in_project("other") == IssueView(project="other", t="7d", sort=Sort.EVENTS)


def test_links_of_earlier_releases_still_name_their_list() -> None:
    old = {"environment": "production", "release": "1.0", "before": "5.unresolved.7", "tab": "firing"}

    assert IssueView.from_params(old) == IssueView(
        env="production", release="1.0", tab=Tab.FIRING, before=ListPlace(PageKey(5, "unresolved", 7))
    )


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"tab": "closed"}, "tab"),
        ({"sort": "id; DROP"}, "sort"),
        ({"before": "1"}, "before"),
        ({"before": "1.unresolved.x"}, "before"),
        ({"before": "9" * 30 + ".unresolved.1"}, "before"),
        ({"before": "1.'.1"}, "before"),
        ({"before": "-1.unresolved.1"}, "before"),
        ({"before": "1.unresolved.1.-1"}, "before"),
        ({"t": "soon"}, "t"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(params: dict[str, str], name: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        IssueView.from_params(params)

    assert caught.value.name == name


def test_texts_are_trimmed_and_bounded_and_unknown_parameters_ignored() -> None:
    view = IssueView.from_params({"q": "  " + "x" * 5000, "route": "y" * 5000, "utm_source": "mail"})

    assert view == IssueView(q="x" * SEARCH_CHARS_MAX, route="y" * TEXT_CHARS_MAX)


@pytest.mark.parametrize(
    ("q", "asked", "shown"),
    [
        ("", Tab.OPEN, Tab.OPEN),
        ("timeout", Tab.OPEN, Tab.OPEN),
        ("is:muted", Tab.ALL, Tab.MUTED),
        ("is:open x", Tab.ALL, Tab.OPEN),
        ("is:muted,ignored", Tab.ALL, None),
        ("-is:regressed", Tab.OPEN, Tab.OPEN),
    ],
)
def test_a_search_that_names_statuses_stands_in_for_the_tab(q: str, asked: Tab, shown: Tab | None) -> None:
    view = IssueView(q=q)

    assert (view.issue_filter(0).tab, view.shown_tab) == (asked, shown)


def test_choosing_a_tab_takes_back_what_the_search_said_about_statuses() -> None:
    assert IssueView(q="is:muted timeout env:x").on_tab(Tab.RESOLVED) == IssueView(q="timeout env:x", tab=Tab.RESOLVED)


def test_a_search_that_cannot_be_read_stays_in_the_box() -> None:
    view = IssueView.from_params({"q": "is:closed"})

    assert view.on_tab(Tab.MUTED) == IssueView(q="is:closed", tab=Tab.MUTED)
    assert view.shown_tab is Tab.OPEN
    with pytest.raises(InvalidParameter):
        view.issue_filter(0)
