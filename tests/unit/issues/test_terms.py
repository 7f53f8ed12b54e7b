"""The search language, TERMS-1 to TERMS-3 of bloop/issues/search/terms.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.errors import InvalidParameter
from bloop.issues.search.keys import SHOWN, Field
from bloop.issues.search.terms import TERMS_MAX, TEXT_CHARS_MAX, parse, quoted
from bloop.issues.search.values import NUMBER_MAX


def read(text: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Each term as ("-" or "", field, values)."""
    return [("-" if term.negated else "", term.field.value, term.values) for term in parse(text).terms]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  \t ", []),
        ("basket", [("", "text", ("basket",))]),
        ("undefined (reading 'price')", [("", "text", (w,)) for w in ("undefined", "(reading", "'price')")]),
        ("\"undefined (reading 'price')\"", [("", "text", ("undefined (reading 'price')",))]),
        (r'"say \"hi\" to C:\\x \n"', [("", "text", (r'say "hi" to C:\x \n',))]),
        ('say"hi', [("", "text", ('say"hi',))]),
        ("-timeout", [("-", "text", ("timeout",))]),
        ('-"connection reset"', [("-", "text", ("connection reset",))]),
        ("- 5", [("", "text", ("-",)), ("", "text", ("5",))]),
        ("is:open IS:Muted", [("", "is", ("open",)), ("", "is", ("muted",))]),
        ("is:firing assigned:ada,Nobody", [("", "is", ("firing",)), ("", "assigned", ("ada", "Nobody"))]),
        ("env:production,staging", [("", "env", ("production", "staging"))]),
        ("environment:production", [("", "env", ("production",))]),
        ('release:"1.0, final",2.0', [("", "release", ("1.0, final", "2.0"))]),
        ("-route:/health*", [("-", "route", ("/health*",))]),
        (
            "source:ios project:shop level:fatal",
            [("", "source", ("ios",)), ("", "project", ("shop",)), ("", "level", ("fatal",))],
        ),
        ("type:Faraday::TimeoutError", [("", "type", ("Faraday::TimeoutError",))]),
        # a colon alone makes no filter
        ("TypeError: x", [("", "text", ("TypeError:",)), ("", "text", ("x",))]),
        ("https://shop.example/x", [("", "text", ("https://shop.example/x",))]),
        ("ActiveRecord::Deadlocked", [("", "text", ("ActiveRecord::Deadlocked",))]),
        ("Type::Error", [("", "text", ("Type::Error",))]),
        ("route:/cart", [("", "route", ("/cart",))]),
        ("Type:x", [("", "type", ("x",))]),
        ("Error:x", [("", "text", ("Error:x",))]),
        ("color: red C:x C:\\x", [("", "text", (w,)) for w in ("color:", "red", "C:x", "C:\\x")]),
        ("app.py:33 a@b:c", [("", "text", ("app.py:33",)), ("", "text", ("a@b:c",))]),
        ('"color:red"', [("", "text", ("color:red",))]),
        (
            "request:r-1,r-2 user:5f -device:d event:7b",
            [("", "request", ("r-1", "r-2")), ("", "user", ("5f",)), ("-", "device", ("d",)), ("", "event", ("7b",))],
        ),
        ('message:"connection reset",timeout*', [("", "message", ("connection reset", "timeout*"))]),
        ("first-release:2.4.1 First-Release:3", [("", "first-release", ("2.4.1",)), ("", "first-release", ("3",))]),
        ("has:User,tag.Plan -has:stack", [("", "has", ("user", "tag.Plan")), ("-", "has", ("stack",))]),
        ("http:500,>=502 events:>100", [("", "http", ("500", ">=502")), ("", "events", (">100",))]),
        ("a\ud800b", [("", "text", ("a\ufffdb",))]),
        ('"is:open"', [("", "text", ("is:open",))]),
        ("a\x00b\x1f", [("", "text", ("a",)), ("", "text", ("b",))]),
    ],
)
def test_a_search_is_read_as(text: str, terms: list[tuple[str, str, tuple[str, ...]]]) -> None:
    assert read(text) == terms


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"never closed', 'a quote " is opened and not closed'),
        ('release:"1.0', 'a quote " is opened and not closed'),
        ('""', "an empty pair of quotes matches nothing; remove it"),
        ("is:", "is: needs a value, as in is:regressed"),
        ("tag.plan:", "tag.plan: needs a value, as in tag.plan:pro"),
        ("env: production", "env: needs a value, as in env:production"),
        ("route:,", "route: needs a value, as in route:/api/*"),
        (
            "is:closed",
            "Unknown status 'closed'. Try open, unresolved, regressed, resolved, ignored, muted or firing.",
        ),
        ("last:yesterday", "'yesterday' is not a time. Try last:30m, last:24h, last:7d or last:2026-01-18."),
        ("first:1h,2h", "'1h,2h' is not a time. Try first:30m, first:24h, first:7d or first:2026-01-18."),
        (
            "enviroment:production",
            "Unknown filter 'enviroment:'. Did you mean environment:? To search for the text, put it in quotes.",
        ),
        ("reqest:r-1", "Unknown filter 'reqest:'. Did you mean request:? To search for the text, put it in quotes."),
        (
            "tags.plan:pro",
            "Unknown filter 'tags.plan:'. Did you mean tag.KEY:? To search for the text, put it in quotes.",
        ),
        ("tag:plan", "Unknown filter 'tag:'. Did you mean tag.KEY:? To search for the text, put it in quotes."),
        (
            "color:red",
            f"Unknown filter 'color:'. Try {', '.join(SHOWN[:-1])} or last:. To search for the text, put it in quotes.",
        ),
        (
            "has:color",
            "Unknown fact 'color'. Try request, user, device, event, http, route, screen, stack, metadata or tag.KEY.",
        ),
        (
            "http:5xx",
            "'5xx' is not a number or a range. Try http:100, http:>100, http:<=100 or http:5..10.",
        ),
        ("users:9..3", "'9..3' ends before it begins. Try users:3..9."),
        ("events:1,2", "events: takes one number or range"),
        ("user:" + ",".join("abcdefghijklmnopqrstuvwxyz" * 2), "user: takes at most 50 values"),
        ("a " * (TERMS_MAX + 1), f"must be at most {TERMS_MAX} terms; put a phrase into quotes to make it one"),
        ("a" * (TEXT_CHARS_MAX + 1), f"must be at most {TEXT_CHARS_MAX} characters"),
    ],
)
def test_what_cannot_be_understood_says_what_could_be(text: str, said: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse(text)

    assert (caught.value.name, caught.value.reason) == ("query", said)


@pytest.mark.parametrize(
    ("text", "instant_ms"),
    [
        ("last:24h", 100 * DAY_MS - 24 * HOUR_MS),
        ("first:30M", 100 * DAY_MS - HOUR_MS // 2),
        ("last:2w", 86 * DAY_MS),
        ("first:1970-01-03", 2 * DAY_MS),
    ],
)
def test_times_count_back_from_now_or_begin_with_a_day(text: str, instant_ms: int) -> None:
    since = parse(text).terms[0].since

    assert since is not None
    assert since.instant_ms(100 * DAY_MS) == instant_ms


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("events:5", 5, 5),
        ("events:>5", 6, NUMBER_MAX),
        ("users:>=5", 5, NUMBER_MAX),
        ("users:<5", 0, 4),
        ("http:<=5", 0, 5),
        ("http:500..599", 500, 599),
        ("http:<0", 0, -1),
    ],
)
def test_ranges_hold_both_of_their_ends(text: str, low: int, high: int) -> None:
    ranges = parse(text).terms[0].ranges

    assert ranges == ((low, high),)
    assert (low in ranges[0]) == (low <= high)
    assert low - 1 not in ranges[0]
    assert high + 1 not in ranges[0]


@pytest.mark.parametrize(
    ("text", "tag", "values"),
    [
        ("tag.plan:pro", "plan", ("pro",)),
        ("TAG.Plan:pro,free", "Plan", ("pro", "free")),
        ("tag.a.b:c:d", "a.b", ("c:d",)),
        (r'tag."two \"words\": x\\":"y z"', r'two "words": x' + "\\", ("y z",)),
    ],
)
def test_a_tag_names_its_key_as_it_is_spelt(text: str, tag: str, values: tuple[str, ...]) -> None:
    term = parse(text).terms[0]

    assert (term.field, term.tag, term.values) == (Field.TAG, tag, values)


@given(st.text(min_size=1, max_size=40))
def test_a_quoted_value_is_read_as_it_was(value: str) -> None:
    kept = re.sub(r"[\x00-\x1f\x7f]", " ", value).strip()
    kept = re.sub(r"[\ud800-\udfff]", "\ufffd", kept)
    if not kept:
        return

    assert parse(f"request:{quoted(value)}").terms[0].values == (kept,)


def test_a_search_can_be_said_without_one_of_its_filters() -> None:
    query = parse('is:muted  "two words"  -env:a,b is:open x')

    assert query.says_status
    assert query.without(Field.IS) == '"two words" -env:a,b x'


@given(st.text(max_size=60) | st.text('-":, \\iseanvtaghp.>=0*x', max_size=30))
def test_any_text_is_read_or_refused_and_reads_the_same_from_its_parts(text: str) -> None:
    try:
        query = parse(text)
    except InvalidParameter:
        return

    assert parse(" ".join(term.source for term in query.terms)).terms == query.terms
