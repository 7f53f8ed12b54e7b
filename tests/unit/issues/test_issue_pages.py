"""Rows of an issue → its pages: head, numbers, event, facts, tags, releases, activity, table of events."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.errors import InvalidParameter
from bloop.issues.detail import event_table, pages
from bloop.issues.detail.activity import STATUS_ICONS, newest_activity
from bloop.issues.detail.address import IssueAddress
from bloop.issues.detail.contexts import EventView, Fact, TagList
from bloop.issues.detail.event_table import EventTableRows
from bloop.issues.detail.facts import event_facts, metadata_facts, metadata_of, term
from bloop.issues.detail.frame import wider_scopes
from bloop.issues.events.scoped import EventKey, ScopedEvents
from bloop.issues.search.terms import parse
from bloop.issues.status.model import Status
from bloop.issues.tags.model import tag_values
from bloop.records.event import Parts
from bloop.site.render import ICONS
from bloop.site.scope import PageScope
from tests.unit.site.samples import (
    NOW_MS,
    a_scoped_shell,
    activity_rows,
    an_address,
    an_event,
    an_issue,
    frame_rows,
    issue_activity_page,
    issue_events_page,
    issue_page,
    issue_tags_page,
)

HERE = IssueAddress("SHOP-7", PageScope("shop"))


def event_of(**changes: Any) -> EventView:
    event = issue_page(event=an_event(**changes)).event
    assert event is not None
    return event


def page_of(events: ScopedEvents, event_id: int = 99, timestamp_ms: int = NOW_MS) -> Any:
    frame = frame_rows()._replace(events=events)
    event = an_event(id=event_id, timestamp_ms=timestamp_ms)
    rows = pages.EventRows(event, [], activity_rows(frame))
    return pages.event_page(a_scoped_shell(), frame, rows, HERE, "u2", NOW_MS)


class TestAddress:
    def test_links_keep_the_scope_and_the_list(self) -> None:
        address = IssueAddress.from_params(
            "SHOP-7", "shop", {"env": "production", "t": "7d", "list": "q=x&tab=all", "project": "shop"}
        )

        assert address.page == "/issues/SHOP-7?project=shop&env=production&t=7d&list=q%3Dx%26tab%3Dall"
        assert address.event(5).startswith("/issues/SHOP-7/events/5?project=shop&env=production")
        assert parse_qs(urlsplit(address.events("user:a b")).query)["q"] == ["user:a b"]
        assert address.back == "/?q=x&tab=all"

    def test_without_a_list_the_project_goes_without_saying(self) -> None:
        assert HERE.page == "/issues/SHOP-7"
        assert HERE.activity(2) == "/issues/SHOP-7/activity?page=2"
        assert HERE.back == "/?project=shop"

    def test_the_scope_is_that_of_the_list_unless_the_address_has_one(self) -> None:
        of_list = {"list": "env=staging&t=30d&q=x"}

        assert IssueAddress.from_params("S-1", "shop", of_list).scope == PageScope("shop", "staging", "", "30d")
        assert IssueAddress.from_params("S-1", "shop", of_list | {"t": "1h"}).scope == PageScope("shop", range="1h")
        everything = IssueAddress.from_params("S-1", "shop", of_list | {"project": "shop"})
        assert everything.scope == PageScope("shop")

    def test_an_address_leads_back_to_itself(self) -> None:
        for params in ({}, {"t": "7d"}, {"list": "q=x&env=a b"}, {"env": "x&y", "list": "tab=all", "project": "shop"}):
            address = IssueAddress.from_params("S-1", "shop", params)
            again = {name: values[0] for name, values in parse_qs(urlsplit(address.page).query).items()}

            assert IssueAddress.from_params("S-1", "shop", again) == address

    @pytest.mark.parametrize("query", ["t=nonsense", "x" * 3000, "&".join(f"a{n}=1" for n in range(99)), "//evil"])
    def test_a_list_that_cannot_be_read_is_no_list_to_obey(self, query: str) -> None:
        address = IssueAddress.from_params("S-1", "shop", {"list": query})

        assert address.scope == PageScope("shop")
        assert urlsplit(address.back).netloc == ""
        assert urlsplit(address.back).path == "/"

    def test_a_range_that_is_none_is_refused(self) -> None:
        with pytest.raises(InvalidParameter):
            IssueAddress.from_params("S-1", "shop", {"t": "yesterday"})

    def test_wider_scopes_drop_names_and_lengthen_the_range(self) -> None:
        narrow = IssueAddress("S-1", PageScope("shop", "production", "1.0", "1h"))

        assert wider_scopes(narrow, "/issues/S-1/events") == (
            ("All environments and releases", "/issues/S-1/events?t=1h"),
            ("Last 30 days", "/issues/S-1/events?env=production&release=1.0&t=30d"),
        )
        assert wider_scopes(IssueAddress("S-1", PageScope("shop", range="30d")), "/issues/S-1") == ()


class TestFrame:
    def test_numbers_are_those_of_the_scope(self) -> None:
        impact = issue_page().frame.impact

        assert (impact.events, impact.users, impact.users_are_more) == (33, 12, True)

    def test_users_are_all_when_every_counted_event_was_looked_at(self) -> None:
        page = page_of(ScopedEvents([EventKey(NOW_MS - n, 99 - n) for n in range(33)], 9, is_complete=True))

        assert (page.frame.impact.users, page.frame.impact.users_are_more) == (9, False)

    def test_seen_first_and_last_are_those_of_the_environment_and_release(self) -> None:
        row = frame_rows().aggregates[0]._replace(environment="qa", release="2.0", first_seen_ms=5, last_seen_ms=9)
        frame = frame_rows()._replace(aggregates=[row, row._replace(environment="production", last_seen_ms=70)])
        rows = pages.EventRows(None, [], activity_rows(frame))
        address = IssueAddress("SHOP-7", PageScope("shop", environment="qa"))

        impact = pages.event_page(a_scoped_shell(), frame, rows, address, "u2", NOW_MS).frame.impact

        assert (impact.first_seen_ms, impact.last_seen_ms, impact.last_release) == (5, 9, "2.0")

    def test_tabs_count_what_they_show_and_the_current_one_is_marked(self) -> None:
        tabs = issue_activity_page().frame.tabs

        assert [(tab.label, tab.count, tab.current) for tab in tabs] == [
            ("Event", None, False),
            ("All events", 20, False),
            ("Tags", None, False),
            ("Activity", 46, True),
        ]

    def test_it_can_be_assigned_to_the_visitor_unless_it_is_already(self) -> None:
        assert issue_page().frame.me == "grace"
        assert issue_page(assignee="u2").frame.me == ""

    def test_a_rule_about_the_issue_is_a_link_away(self) -> None:
        assert issue_page().frame.alert_href == "/alerts/new?project=shop&issue=SHOP-7"

    @pytest.mark.parametrize(
        ("changes", "kinds"),
        [
            ({"status": "regressed", "first_seen_ms": 0}, ["regressed"]),
            ({"status": "resolved", "is_firing": 1}, ["resolved", "firing", "new"]),
            ({"first_seen_ms": NOW_MS - 2 * DAY_MS}, []),
        ],
    )
    def test_badges_say_what_is_not_usual(self, changes: dict[str, Any], kinds: list[str]) -> None:
        assert [badge.kind for badge in issue_page(**changes).frame.issue.badges] == kinds

    def test_only_an_open_issue_can_be_muted(self) -> None:
        assert len(issue_page().frame.issue.mutes) == 3
        assert issue_page(status="resolved").frame.issue.mutes == ()
        assert issue_page(status="resolved").frame.issue.resolution == "1.0.5"
        assert issue_page().frame.issue.resolution == ""


class TestNavigation:
    EVENTS = ScopedEvents([EventKey(NOW_MS - n, 99 - n) for n in range(3)], 1, is_complete=True)

    def test_numbers_count_from_the_oldest(self) -> None:
        newest, middle, oldest = (page_of(self.EVENTS, 99 - n, NOW_MS - n).nav for n in range(3))

        assert [(nav.position, nav.total) for nav in (newest, middle, oldest)] == [(3, 3), (2, 3), (1, 3)]
        assert (newest.newer_href, newest.last_href, newest.older_href) == ("", "", "/issues/SHOP-7/events/98")
        assert middle.first_href == middle.older_href == "/issues/SHOP-7/events/97"
        assert (middle.newer_href, middle.last_href) == ("/issues/SHOP-7/events/99", "/issues/SHOP-7")
        assert (oldest.first_href, oldest.older_href) == ("", "")

    def test_of_more_events_than_are_counted_no_position_is_said(self) -> None:
        events = ScopedEvents(self.EVENTS.keys, 1, is_complete=False)

        newest = page_of(events).nav
        assert (newest.position, newest.is_more, newest.is_newest, newest.first_href) == (None, True, True, "")

    def test_an_event_outside_of_the_scope_says_so_and_leads_into_it(self) -> None:
        page = page_of(self.EVENTS, 5, NOW_MS - DAY_MS)

        assert page.event.is_outside
        assert page.nav.position is None
        assert page.nav.newer_href == "/issues/SHOP-7/events/97"
        assert page.wider == (("Last 30 days", "/issues/SHOP-7/events/5?t=30d"),)

    def test_programs_read_the_event_that_the_page_shows(self) -> None:
        assert page_of(self.EVENTS).frame.document_href == "/issues/SHOP-7"
        assert page_of(self.EVENTS, 98, NOW_MS - 1).frame.document_href == "/issues/SHOP-7/events/98"


class TestEvent:
    def test_metadata_that_is_no_object_is_shown_as_json_only(self) -> None:
        event = event_of(metadata="[1,2]")

        assert (event.metadata, event.metadata_facts) == ([1, 2], ())

    def test_the_event_is_not_repeated_where_the_head_of_the_page_says_the_same(self) -> None:
        long = issue_page(event=an_event(message="x" * 300), message="x" * 300).event

        assert event_of(message="x is undefined").same_as_issue
        assert not event_of(message="x is undefined for user 7").same_as_issue
        assert long is not None
        assert not long.same_as_issue

    def test_a_request_leads_to_all_issues_that_happened_in_it(self) -> None:
        event = event_of(request_id="req 1")

        assert parse_qs(urlsplit(event.request_href).query)["q"] == ['request:"req 1"']
        assert event_of(request_id=None).request_href == ""

    def test_what_was_cut_is_named(self) -> None:
        assert event_of(parts=Parts(cut=["metadata.big"])).cut == ("metadata.big",)


class TestFacts:
    def test_every_fact_that_can_be_searched_for_filters_by_it(self) -> None:
        event = an_event(event_id="e-1")
        facts = [*event_facts(event, lambda q: q), *metadata_facts(metadata_of(event), lambda q: q)]

        assert {fact.label: fact.href for fact in facts if fact.href} == {
            "Level": "level:error",
            "Environment": "env:production",
            "Release": "release:1.1.0",
            "Source": "source:web",
            "Route": "route:/cart",
            "HTTP status": "http:500",
            "Request": "request:req_1",
            "User": "user:user",
            "Device": "device:device",
            "Client's event id": "event:e-1",
            "browser": "tag.browser:Chrome",
        }

    @pytest.mark.parametrize("value", ["a b", 'say "hi"', "a,b", ":x", "//x", "back\\slash", "ünï", "é" * 50, "-x"])
    @pytest.mark.parametrize("key", ["request", "tag.plan", "tag.a key", 'tag.a"b', "tag.a:b"])
    def test_the_search_of_a_fact_reads_back_as_its_value(self, key: str, value: str) -> None:
        (found,) = parse(term(key, value)).terms

        assert found.values == (value,)
        assert found.tag == (key.removeprefix("tag.") if key.startswith("tag.") else "")

    def test_what_is_too_long_for_a_search_has_no_link(self) -> None:
        assert term("user", "x" * 600) == ""
        assert Fact("App version", "5.9", True) in event_facts(an_event(), str)

    def test_a_list_in_the_metadata_is_shown_and_not_searched_for(self) -> None:
        facts = metadata_facts({"os": ["a", "b"], "one": ["a"], "cart": {"n": 1}}, str)

        assert [(fact.label, fact.value, fact.href) for fact in facts] == [
            ("os", '["a","b"]', ""),
            ("one", '["a"]', "tag.one:a"),
            ("cart", '{"n":1}', ""),
        ]


class TestTags:
    def test_tags_that_divide_the_events_come_first_and_ids_are_left_out_beside_an_event(self) -> None:
        events = [
            an_event(metadata=f'{{"order":"o{n}","plan":"{"pro" if n % 2 else "free"}"}}', http_status=None)
            for n in range(40)
        ]
        frame = frame_rows()
        rows = pages.EventRows(an_event(), events, activity_rows(frame))

        tags: TagList = pages.event_page(a_scoped_shell(), frame, rows, HERE, "u2", NOW_MS).tags

        assert [tag.name for tag in tags.tags] == ["plan", "Environment", "Release", "Level", "Route", "Source"]
        assert tags.left_out == 1
        assert [(v.value, v.share, v.href) for v in tags.tags[0].values] == [
            ("free", 0.5, "/issues/SHOP-7/events?q=tag.plan%3Afree"),
            ("pro", 0.5, "/issues/SHOP-7/events?q=tag.plan%3Apro"),
        ]
        everything = pages.tags_page(a_scoped_shell(), frame, events, HERE, "u2", NOW_MS).tags
        assert [tag.name for tag in everything.tags][-1] == "order"
        assert everything.left_out == 0

    def test_a_value_that_was_cut_has_no_link(self) -> None:
        tags = issue_tags_page(lambda text: text * 150).tags.tags

        assert any(not value.href for tag in tags for value in tag.values)

    def test_keys_that_facts_link_to_are_those_that_tags_count(self) -> None:
        assert dict(tag_values({"a": True, "b": {"c": 1}, "d": None})) == {"a": ["true"]}


class TestReleases:
    def test_releases_by_environment_with_the_rest_in_words(self) -> None:
        table = issue_page().releases

        assert len(table.environments) == 4
        assert len(table.lines) == 8
        assert table.left_out == "4 older releases and 2 environments"
        assert table.lines[0].total == sum(table.lines[0].counts) == 340


class TestActivity:
    def test_it_runs_from_the_first_event_to_the_newest_comment(self) -> None:
        entries = issue_page().activity.entries

        assert [(e.text, e.release, e.person, e.who, e.place) for e in entries] == [
            ("First seen in", "1.0.0", "", "", ""),
            ("Resolved in", "1.0.5", "", "Ada", "through the API"),
            ("Regressed in", "1.0.5", "", "", ""),
            ("Assigned to", "", "ada", "Ada", "through the API, from 192.0.2.0/24"),
            ("Resolved in the release after", "1.0.4", "", "Ada", "through the API"),
            ("Alert sent to", "", "Slack hooks.slack.com, Email ops@example.com", "New issues", ""),
            ("", "", "", "Grace", ""),
            ("", "", "", "A removed account", "through the API"),
        ]

    def test_ones_own_comments_have_forms(self) -> None:
        grace, other = [entry.comment for entry in issue_page().activity.entries if entry.comment]

        assert grace.href == "/issues/SHOP-7/comments/5"
        assert (other.href, other.is_edited) == ("", True)

    def test_below_an_event_stand_the_newest_and_a_link_to_all(self) -> None:
        frame = frame_rows()
        rows = activity_rows(frame)
        many = [rows.comments[0]._replace(id=n, text="x" * 900, created_at_ms=NOW_MS + n) for n in range(30)]

        activity = newest_activity(rows._replace(comments=many, comment_count=100), an_address(), "u2")

        assert len(activity.entries) == 8  # no more than fit a page
        assert activity.entries[-1].comment
        assert activity.entries[-1].comment.anchor == "comment-29"
        assert activity.earlier == 6 + 100 - 8

    def test_one_long_comment_is_always_shown(self) -> None:
        frame = frame_rows()
        rows = activity_rows(frame)
        long = rows.comments[0]._replace(text="x" * 10_000, created_at_ms=NOW_MS + 1)

        assert len(newest_activity(rows._replace(comments=[long]), an_address(), "u2").entries) == 1

    def test_pages_of_the_activity_meet(self) -> None:
        first, second = issue_activity_page(), issue_activity_page(page=1)

        assert first.words == "39–46 of 46"
        assert (first.newer_href, first.older_href != "") == ("", True)
        assert second.newer_href == "/issues/SHOP-7/activity?project=shop&env=production&list=q%3Dx%26tab%3Dall"


class TestEventTable:
    def test_columns_are_what_the_events_differ_in_or_have(self) -> None:
        plain = an_event(request_id=None, http_status=None, metadata='{"plan":"pro","n":1}')
        table = EventTableRows([plain, plain._replace(id=5, metadata='{"plan":"pro","n":2}')], "")

        page = issue_events_page(table=table)

        assert page.columns == ("User", "Route", "Release", "Environment", "plan", "n")
        assert [cell.value for cell in page.lines[1].cells] == ["user", "/cart", "1.1.0", "production", "pro", "2"]

    def test_a_message_has_a_column_where_messages_differ(self) -> None:
        rows = [an_event(message="one\ntwo"), an_event(message="other")]

        page = issue_events_page(table=EventTableRows(rows, ""))

        assert page.columns[0] == "Message"
        assert page.lines[0].cells[0].value == "one"

    def test_places_are_read_back(self) -> None:
        assert event_table.key_of("") is event_table.id_of("") is None
        assert event_table.key_of(event_table.place(EventKey(5, 7))) == EventKey(5, 7)
        assert event_table.id_of("7") == 7

    @pytest.mark.parametrize("text", ["x", "1.x", "-1.5", "1", "²", "9" * 19 + ".1"])
    def test_a_place_that_no_page_linked_to_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidParameter):
            event_table.key_of(text)

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (event_table.count_words(0, 50, 1114, is_complete=True), "1–50 of 1,114 events"),
            (event_table.count_words(50, 50, 10_000, is_complete=False), "51–100 of 10,000+ events"),
            (event_table.count_words(0, 1, 1, is_complete=True), "1–1 of 1 event"),
            (event_table.count_words(0, 0, 0, is_complete=True), "No events"),
            (event_table.search_words(3, 0, has_more=False, is_complete=True), "3 events"),
            (event_table.search_words(50, 0, has_more=True, is_complete=True), "50 events on this page"),
            (
                event_table.search_words(1, 50_000, has_more=True, is_complete=False),
                "1 event among the newest 50,000 looked at",
            ),
        ],
    )
    def test_words_say_which_part_this_is(self, words: str, expected: str) -> None:
        assert words == expected

    def test_a_search_without_matches_offers_wider_scopes_for_the_same_search(self) -> None:
        page = issue_events_page(q="user:x", empty=True)

        assert [name for name, _ in page.wider] == ["All environments and releases", "Last 30 days"]
        assert all(parse_qs(urlsplit(href).query)["q"] == ["user:x"] for _, href in page.wider)
        assert parse_qs(urlsplit(page.everywhere_href).query)["q"] == ["user:x"]


def test_an_issue_of_no_stored_event_says_what_it_still_knows() -> None:
    page = issue_page(pruned=True)

    assert (page.event, page.nav, page.tags.tags) == (None, None, ())
    assert page.activity.entries
    assert an_issue().first_seen_ms == NOW_MS - HOUR_MS


def test_every_change_of_status_has_a_drawing() -> None:
    drawn = set(re.findall(r'id="i-(\w+)"', ICONS.read_text(encoding="utf-8")))

    assert set(STATUS_ICONS) == set(Status)
    assert set(STATUS_ICONS.values()) <= drawn
