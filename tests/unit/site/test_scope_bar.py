from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from bloop.site.scope import PageScope
from bloop.site.scope_bar import ScopeBar, make_scope_bar

NOW_MS = int(datetime(2026, 11, 30, 15, 20, 33, tzinfo=UTC).timestamp()) * 1000


def a_bar(scope: PageScope, **params: str) -> ScopeBar:
    return make_scope_bar(
        scope, "/", params, environments=["production", "staging"], releases=["2.0", "1.9"], now_ms=NOW_MS
    )


def test_every_link_keeps_the_rest_of_the_address_but_not_the_place_in_a_list() -> None:
    bar = a_bar(PageScope("shop", environment="staging"), q="route:/cart", tab="all", before="9.x.9", done="saved")

    for link in (*bar.environments, *bar.releases, *bar.ranges):
        query = parse_qs(urlsplit(link.href).query)
        assert query["project"] == ["shop"]
        assert (query["q"], query["tab"]) == (["route:/cart"], ["all"])
        assert not {"before", "done"} & set(query)


def test_one_choice_of_each_kind_is_the_present_one_and_leads_to_itself() -> None:
    bar = a_bar(PageScope("shop", environment="staging", release="1.9", range="7d"))

    for links in (bar.environments, bar.releases, bar.ranges):
        (current,) = [link for link in links if link.current]
        read = {name: values[0] for name, values in parse_qs(urlsplit(current.href).query).items()}
        assert PageScope.from_params(read) == bar.scope


def test_a_name_that_is_no_longer_listed_stays_a_choice() -> None:
    assert [link.label for link in a_bar(PageScope(release="0.1")).releases] == ["All releases", "0.1", "2.0", "1.9"]


def test_a_custom_range_is_said_in_words_and_fills_its_form() -> None:
    bar = a_bar(PageScope(range="2026-11-30T09:00..2026-11-30T12:00"))

    assert bar.is_custom
    assert not any(link.current for link in bar.ranges)
    assert bar.custom_label == "30 Nov 09:00 – 12:00"
    assert (bar.from_value, bar.to_value) == ("2026-11-30T09:00", "2026-11-30T12:00")
    again = PageScope.from_params({"from": bar.from_value, "to": bar.to_value})
    assert again == bar.scope


def test_a_form_repeats_what_it_does_not_set() -> None:
    bar = a_bar(PageScope("shop", environment="staging"), q="x")

    assert bar.fields_without(["env"]) == [("project", "shop"), ("q", "x")]
