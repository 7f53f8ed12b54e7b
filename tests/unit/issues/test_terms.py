"""The search language, TERMS-1 to TERMS-3 of bloop/issues/search/terms.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.errors import InvalidParameter
from bloop.issues.search.terms import TERMS_MAX, TEXT_CHARS_MAX, Field, parse


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
        ("Error:x color:red", [("", "text", ("Error:x",)), ("", "text", ("color:red",))]),
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
        ("env: production", "env: needs a value, as in env:production"),
        ("route:,", "route: needs a value, as in route:/api/*"),
        ("is:closed", "is: takes open, unresolved, regressed, resolved, ignored, muted, firing, not closed"),
        ("last:yesterday", "last: takes a time such as 30m, 24h, 7d, 2w or 2026-01-18, not yesterday"),
        ("first:1h,2h", "first: takes a time such as 30m, 24h, 7d, 2w or 2026-01-18, not 1h,2h"),
        (
            "enviroment:production",
            'there is no filter enviroment: – did you mean environment:? To look for the text, put it into "quotes"',
        ),
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


def test_a_search_can_be_said_without_one_of_its_filters() -> None:
    query = parse('is:muted  "two words"  -env:a,b is:open x')

    assert query.says_status
    assert query.without(Field.IS) == '"two words" -env:a,b x'


@given(st.text(max_size=60) | st.text('-":, \\iseanv*x', max_size=30))
def test_any_text_is_read_or_refused_and_reads_the_same_from_its_parts(text: str) -> None:
    try:
        query = parse(text)
    except InvalidParameter:
        return

    assert parse(" ".join(term.source for term in query.terms)).terms == query.terms
